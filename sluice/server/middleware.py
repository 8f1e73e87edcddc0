"""Middleware for all requests: API key, requests of other sites, security headers, metrics."""

import asyncio
import hashlib
import hmac
import logging
import time
from typing import TYPE_CHECKING, Any

from sluice.server.errors import ApiError
from sluice.server.metrics import Metrics

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

log = logging.getLogger(__name__)

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "media-src blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
DEFAULT_HEADERS = {
    "content-security-policy": CONTENT_SECURITY_POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "permissions-policy": "microphone=(self), camera=(), geolocation=()",
    "cache-control": "no-store",
}
"""Headers of every response that does not set them itself."""
DRAIN_BYTES, DRAIN_SECONDS = 1 << 28, 5.0
"""How much of a refused body is read and dropped; a client that is still sending would not see the response."""
CLIENT_CLOSED_REQUEST = 499
"""Status in the metrics of a request whose client disconnected before the response."""


class RequestMiddleware:
    """ASGI middleware around the whole application."""

    def __init__(self, app: "ASGIApp", *, api_key: str | None, open_paths: frozenset[str], metrics: Metrics):
        """Wrap an application.

        Args:
            app: the application.
            api_key: key that clients must send, if any.
            open_paths: paths that need no key.
            metrics: where requests are counted.
        """
        self._app, self._open_paths, self._metrics = app, open_paths, metrics
        self._key_digest = _digest(api_key) if api_key is not None else None

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        """Pass a request to the application, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        # A client that sends "Expect: 100-continue" has not sent its body, so there is none to drain.
        expects_continue = (b"expect", b"100-continue") in scope["headers"]
        exchange = _Exchange(receive, send, has_body=not expects_continue)
        try:
            if error := self._refusal(scope):
                await _send_error(error, exchange.send)
            else:
                await self._app(scope, exchange.receive, exchange.send)
        except Exception:
            if (
                exchange.has_begun
            ):  # the status is sent already, so only closing the connection can tell the client
                raise
            log.exception("%s %s failed", scope["method"], scope["path"])
            error = ApiError(500, "the server failed; its log says why", code="failed")
            await _send_error(error, exchange.send)
        finally:
            path = getattr(scope.get("route"), "path", "other")
            self._metrics.count_request(path, exchange.status, time.monotonic() - exchange.started)

    def _refusal(self, scope: "Scope") -> ApiError | None:
        headers = {name.decode("latin-1"): value for name, value in scope["headers"]}
        if scope["method"] == "POST" and headers.get("sec-fetch-site") == b"cross-site":
            return ApiError(403, "pages of other sites may not use this server", code="cross_site")
        if self._key_digest is None or scope["path"] in self._open_paths:
            return None
        scheme, _, key = headers.get("authorization", b"").decode("latin-1").partition(" ")
        if scheme.lower() == "bearer" and hmac.compare_digest(_digest(key.strip()), self._key_digest):
            return None
        return ApiError(
            401,
            "this server needs its API key: send the header 'Authorization: Bearer KEY'",
            code="invalid_api_key",
            headers={"WWW-Authenticate": "Bearer"},
        )


class _Exchange:
    """One request and its response: how much of the request was read, and which status was sent."""

    def __init__(self, receive: "Receive", send: "Send", *, has_body: bool):
        self._receive, self._send, self._more_body = receive, send, has_body
        self.started = time.monotonic()
        self.status = CLIENT_CLOSED_REQUEST
        self.has_begun = False

    async def receive(self) -> "Message":
        message = await self._receive()
        self._more_body = message["type"] == "http.request" and message.get("more_body", False)
        return message

    async def send(self, message: "Message") -> None:
        if message["type"] == "http.response.start":
            self.status, self.has_begun = message["status"], True
            present = {name.lower() for name, _ in message["headers"]}
            defaults = [(name.encode(), value.encode()) for name, value in DEFAULT_HEADERS.items()]
            missing = [(name, value) for name, value in defaults if name not in present]
            message["headers"] = [*message["headers"], *missing]
            if self.status >= 400:
                await self._drain()
        await self._send(message)

    async def _drain(self) -> None:
        left = DRAIN_BYTES
        try:
            async with asyncio.timeout(DRAIN_SECONDS):
                while self._more_body and left > 0:
                    left -= len((await self.receive()).get("body", b""))
        except TimeoutError:
            pass


async def _send_error(error: ApiError, send: Any) -> None:
    from fastapi.responses import JSONResponse

    async def nothing() -> "Message":
        return {"type": "http.disconnect"}

    response = JSONResponse(error.body(), error.status, error.headers)
    await response({"type": "http"}, nothing, send)


def _digest(key: str) -> bytes:
    """Hash a key, so that keys of any length are compared in the same time."""
    return hashlib.sha256(key.encode()).digest()
