"""Start of a server, and its end after a signal."""

import logging
import os
import signal
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from sluice.server.app import create_app
from sluice.server.batching import RunBatch
from sluice.server.inference import warm_up
from sluice.server.model_process import LoadModels, ModelProcess
from sluice.server.models import Models
from sluice.server.settings import ServerSettings
from sluice_core.devices import set_threads
from sluice_core.errors import UserError

if TYPE_CHECKING:
    from fastapi import FastAPI

log = logging.getLogger(__name__)

EXPOSED_WARNING = (
    "WARNING: everybody who can reach %s can use this server; give --api-key, or --host 127.0.0.1"
)


def serve(load: LoadModels, settings: ServerSettings, threads: int = 1) -> None:
    """Serve until SIGTERM or SIGINT; requests that were accepted by then are still finished.

    Args:
        load: loads the models.
        settings: where to listen, and limits.
        threads: threads of PyTorch in each worker.

    Raises:
        UserError: the address is in use or does not belong to this machine; what `load` raises.
    """
    models = load()
    listening = open_socket(settings)
    with _inference_workers(models, load, settings.workers, threads) as runners:
        _run_server(create_app(models, settings, runners), settings, listening)
    log.info("Stopped.")


@contextmanager
def _inference_workers(
    models: Models, load: LoadModels, workers: int, threads: int
) -> Iterator[Sequence[RunBatch] | None]:
    """Start the processes that compute batches and wait until they are ready; None means this process."""
    if workers == 1:
        set_threads(threads)
        warm_up(models)
        yield None
        return
    processes: list[ModelProcess] = []
    try:
        for _ in range(workers):
            processes.append(ModelProcess(load, threads))
            processes[0].wait_until_ready()  # the others load what the first one has compiled
        for process in processes:
            process.wait_until_ready()
        yield processes
    finally:
        for process in processes:
            process.close()


def _run_server(app: "FastAPI", settings: ServerSettings, listening: socket.socket) -> None:
    import uvicorn

    config = uvicorn.Config(app, log_config=None, access_log=False, server_header=False, lifespan="on")
    server = uvicorn.Server(config)
    app.state.service.is_stopping = lambda: server.should_exit

    def stop(*_: object) -> None:
        server.should_exit = True

    # When Uvicorn is done, it raises the signal again for the handler that was there before. That handler is `stop`, so
    # that the process ends with exit code 0.
    previous = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        log.info("Listening on %s (stop with Ctrl-C)", url_of(listening))
        if is_exposed(settings):
            log.warning(EXPOSED_WARNING, settings.host)
        server.run(sockets=[listening])
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def open_socket(settings: ServerSettings) -> socket.socket:
    """Open a socket that accepts connections from now on.

    Raises:
        UserError: the address is in use or does not belong to this machine.
    """
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    # With the protocol named, asyncio turns off Nagle's algorithm; otherwise each response on a connection that is kept
    # alive would wait 40 ms for the client to acknowledge the headers.
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        if os.name == "posix":  # allows a port that was just released; on Windows also one that is in use
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((settings.host, settings.port))
        listening.listen(1024)
        return listening
    except OSError as error:
        listening.close()
        raise UserError(
            f"cannot listen on {settings.host}, port {settings.port}: {error.strerror or error}; choose another "
            "--host or --port"
        ) from error


def url_of(listening: socket.socket) -> str:
    """Return the URL of a server that listens on a socket."""
    host, port = listening.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def is_exposed(settings: ServerSettings) -> bool:
    """Return whether other machines can use the server without a key."""
    return settings.api_key is None and not settings.is_local
