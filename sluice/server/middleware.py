"""What every request passes on its way in and out: the key, other sites' pages, headers, measures."""

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

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "media-src blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "permissions-policy": "microphone=(self), camera=(), geolocation=()",
    "cache-control": "no-store",
}
LEFT_BYTES, LEFT_SECONDS = 1 << 28, 5.0
"""Of a refused body, so much is read and thrown away: a client that still sends would not see the answer."""


class Gate:
    """Middleware around the whole application."""

    def __init__(self, app: "ASGIApp", *, api_key: str | None, open_paths: frozenset[str], metrics: Metrics):
        """Set it up.

        Args:
            app: what is behind it.
            api_key: what clients must send, if anything.
            open_paths: what needs no key.
            metrics: where requests are counted.
        """
        self._app, self._open, self._metrics = app, open_paths, metrics
        self._key = _digest(api_key) if api_key is not None else None

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        """Let a request through, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        # Who expects leave to send its body has not sent it, and need not.
        asks_first = (b"expect", b"100-continue") in scope["headers"]
        passage = _Passage(receive, send, may_send=not asks_first)
        try:
            if refusal := self._refusal(scope):
                await _refuse(refusal, passage.send)
            else:
                await self._app(scope, passage.receive, passage.send)
        except Exception:
            if passage.has_begun:  # to answer; what is left is to hang up
                raise
            log.exception("%s %s failed", scope["method"], scope["path"])
            await _refuse(ApiError(500, "the server failed; its log says why", code="failed"), passage.send)
        finally:
            route = scope.get("route")
            path = getattr(route, "path", "other")
            self._metrics.answered(path, passage.status, time.monotonic() - passage.started)

    def _refusal(self, scope: "Scope") -> ApiError | None:
        headers = {name.decode("latin-1"): value for name, value in scope["headers"]}
        if scope["method"] == "POST" and headers.get("sec-fetch-site") == b"cross-site":
            return ApiError(403, "pages of other sites may not use this server", code="cross_site")
        if self._key is None or scope["path"] in self._open:
            return None
        kind, _, key = headers.get("authorization", b"").decode("latin-1").partition(" ")
        if kind.lower() == "bearer" and hmac.compare_digest(_digest(key.strip()), self._key):
            return None
        return ApiError(
            401,
            "this server needs its API key: send the header 'Authorization: Bearer KEY'",
            code="invalid_api_key",
            headers={"WWW-Authenticate": "Bearer"},
        )


class _Passage:
    """One request on its way: what has been read of it, and what it was answered."""

    def __init__(self, receive: "Receive", send: "Send", *, may_send: bool):
        self._receive, self._send, self._more = receive, send, may_send
        self.started = time.monotonic()
        self.status = 499  # nobody was there to be answered
        self.has_begun = False

    async def receive(self) -> "Message":
        message = await self._receive()
        self._more = message["type"] == "http.request" and message.get("more_body", False)
        return message

    async def send(self, message: "Message") -> None:
        if message["type"] == "http.response.start":
            self.status, self.has_begun = message["status"], True
            sent = {name.lower() for name, _ in message["headers"]}
            missing = [(name.encode(), value.encode()) for name, value in HEADERS.items()]
            message["headers"] = [*message["headers"], *(each for each in missing if each[0] not in sent)]
            if self.status >= 400:
                await self._throw_away()
        await self._send(message)

    async def _throw_away(self) -> None:
        left = LEFT_BYTES
        try:
            async with asyncio.timeout(LEFT_SECONDS):
                while self._more and left > 0:
                    left -= len((await self.receive()).get("body", b""))
        except TimeoutError:
            pass


async def _refuse(error: ApiError, send: Any) -> None:
    from fastapi.responses import JSONResponse

    async def nothing() -> "Message":
        return {"type": "http.disconnect"}

    response = JSONResponse(error.body(), error.status, error.headers)
    await response({"type": "http"}, nothing, send)


def _digest(key: str) -> bytes:
    """Of one length, whatever the key's."""
    return hashlib.sha256(key.encode()).digest()
