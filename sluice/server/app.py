"""The application: endpoints, page, errors and the gate before them."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from sluice.server.batching import Answer
from sluice.server.errors import ApiError
from sluice.server.middleware import Gate
from sluice.server.models import Parts
from sluice.server.routes import add_routes
from sluice.server.service import Gone, Service
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
"""The page: no other file is ever served."""


def create_app(parts: Parts, settings: ServerSettings, answers: Sequence[Answer] | None = None) -> "FastAPI":
    """An ASGI application that answers with `parts`; its `state.service` is the `Service` behind it, which explains
    the arguments.
    """
    from fastapi import FastAPI

    service = Service(parts, settings, answers)

    @asynccontextmanager
    async def life(app: FastAPI) -> AsyncIterator[None]:
        service.start()
        try:
            yield
        finally:
            service.close()

    app = FastAPI(title="Sluice", docs_url=None, redoc_url=None, lifespan=life)
    app.state.service = service
    _add_errors(app)
    add_routes(app, service)
    _add_page(app)
    open_paths = frozenset([*FILES, "/health"])
    app.add_middleware(Gate, api_key=settings.api_key, open_paths=open_paths, metrics=service.metrics)
    return app


def _add_page(app: "FastAPI") -> None:
    from fastapi import Response

    def add(path: str, content: bytes, media_type: str) -> None:
        async def page() -> Response:
            return Response(content, media_type=media_type, headers={"Cache-Control": "no-cache"})

        app.add_api_route(path, page, methods=["GET", "HEAD"], include_in_schema=False)

    for path, (name, media_type) in FILES.items():
        add(path, (PAGE / name).read_bytes(), media_type)


def _add_errors(app: "FastAPI") -> None:
    """Whatever is wrong with a request is said in one shape; what is wrong with the server, the gate says."""
    from fastapi import Request, Response
    from fastapi.responses import JSONResponse
    from starlette.exceptions import HTTPException
    from starlette.requests import ClientDisconnect

    def answer(error: ApiError) -> Response:
        return JSONResponse(error.body(), error.status, error.headers)

    async def ours(request: Request, error: Exception) -> Response:
        assert isinstance(error, ApiError)
        return answer(error)

    async def others(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        message = f"{request.method} {request.url.path}: {error.detail}"
        return answer(ApiError(error.status_code, message, headers=dict(error.headers or {})))

    async def gone(request: Request, error: Exception) -> Response:
        return Response(status_code=499)

    app.add_exception_handler(ApiError, ours)
    app.add_exception_handler(HTTPException, others)
    app.add_exception_handler(ClientDisconnect, gone)
    app.add_exception_handler(Gone, gone)
