"""The ASGI application: endpoints, web page, error responses and middleware."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from sluice.server.batching import RunBatch
from sluice.server.errors import ApiError
from sluice.server.middleware import CLIENT_CLOSED_REQUEST, RequestMiddleware
from sluice.server.models import Models
from sluice.server.routes import add_routes
from sluice.server.service import ClientDisconnected, Service
from sluice.server.settings import ServerSettings

if TYPE_CHECKING:
    from fastapi import FastAPI

PAGE = Path(__file__).parent / "page"
FILES = {
    "/": ("index.html", "text/html; charset=utf-8"),
    "/style.css": ("style.css", "text/css; charset=utf-8"),
    "/page.js": ("page.js", "text/javascript; charset=utf-8"),
    "/drawing.js": ("drawing.js", "text/javascript; charset=utf-8"),
    "/microphone.js": ("microphone.js", "text/javascript; charset=utf-8"),
}
"""Files of the web page by path; no other file is served."""


def create_app(
    models: Models, settings: ServerSettings, runners: Sequence[RunBatch] | None = None
) -> "FastAPI":
    """Create the application; its `state.service` is the `Service` behind it.

    Args:
        models: what to use.
        settings: limits, and the key that clients must send.
        runners: functions that compute batches, in parallel; if not given, one that uses `models` in this process.
    """
    from fastapi import FastAPI

    service = Service(models, settings, runners)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        service.start()
        try:
            yield
        finally:
            service.close()

    app = FastAPI(title="Sluice", docs_url=None, redoc_url=None, lifespan=lifespan)
    app.state.service = service
    _add_error_handlers(app)
    add_routes(app, service)
    _add_page(app)
    app.add_middleware(
        RequestMiddleware,
        api_key=settings.api_key,
        open_paths=frozenset([*FILES, "/health"]),
        metrics=service.metrics,
    )
    return app


def _add_page(app: "FastAPI") -> None:
    from fastapi import Response

    def add(path: str, content: bytes, media_type: str) -> None:
        async def page() -> Response:
            return Response(content, media_type=media_type, headers={"Cache-Control": "no-cache"})

        app.add_api_route(path, page, methods=["GET", "HEAD"], include_in_schema=False)

    for path, (name, media_type) in FILES.items():
        add(path, (PAGE / name).read_bytes(), media_type)


def _add_error_handlers(app: "FastAPI") -> None:
    """Give all errors of requests one format; the middleware answers for failures of the server."""
    from fastapi import Request, Response
    from fastapi.responses import JSONResponse
    from starlette.exceptions import HTTPException
    from starlette.requests import ClientDisconnect

    def respond(error: ApiError) -> Response:
        return JSONResponse(error.body(), error.status, error.headers)

    async def on_api_error(request: Request, error: Exception) -> Response:
        assert isinstance(error, ApiError)
        return respond(error)

    async def on_http_exception(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        message = f"{request.method} {request.url.path}: {error.detail}"
        return respond(ApiError(error.status_code, message, headers=dict(error.headers or {})))

    async def on_disconnect(request: Request, error: Exception) -> Response:
        return Response(status_code=CLIENT_CLOSED_REQUEST)

    app.add_exception_handler(ApiError, on_api_error)
    app.add_exception_handler(HTTPException, on_http_exception)
    app.add_exception_handler(ClientDisconnect, on_disconnect)
    app.add_exception_handler(ClientDisconnected, on_disconnect)
