"""A server on a port of its own, in a thread."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sluice.server.app import create_app
from sluice.server.lifecycle import open_socket
from sluice.server.models import Models
from sluice.server.settings import ServerSettings


@contextmanager
def serving(models: Models, **settings: Any) -> Iterator[str]:
    """Its address, for as long as it runs."""
    import uvicorn

    chosen = ServerSettings(port=0, **settings)
    listening = open_socket(chosen)
    server = uvicorn.Server(uvicorn.Config(create_app(models, chosen), log_config=None, lifespan="on"))
    thread = threading.Thread(target=lambda: server.run(sockets=[listening]))
    thread.start()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()


def dial(address: str) -> socket.socket:
    """A connection, for those who do not behave as clients do."""
    return socket.create_connection(("127.0.0.1", int(address.rpartition(":")[2])), timeout=60)


def message(url: str, **options: Any) -> bytes:
    """What a client would send in a POST; `options` of `httpx.Request`."""
    import httpx

    request = httpx.Request("POST", url, **options)
    head = "".join(f"{name}: {value}\r\n" for name, value in request.headers.items())
    return f"POST {request.url.raw_path.decode()} HTTP/1.1\r\n{head}\r\n".encode() + request.read()
