"""A server from its start to its end by a signal."""

import logging
import os
import signal
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from sluice.server.app import create_app
from sluice.server.batching import Answer
from sluice.server.inference import warm_up
from sluice.server.model_process import Load, ModelProcess
from sluice.server.models import Parts
from sluice.server.settings import ServerSettings
from sluice_core.devices import set_threads
from sluice_core.errors import UserError

if TYPE_CHECKING:
    from fastapi import FastAPI

log = logging.getLogger(__name__)

OPEN = "WARNING: whoever can reach %s can use this server; give --api-key, or --host 127.0.0.1"


def serve(load: Load, settings: ServerSettings, threads: int = 1) -> None:
    """Answer requests until SIGTERM or SIGINT; what was accepted by then is still answered.

    Args:
        load: makes what there is to answer with.
        settings: where to listen, and how much to take.
        threads: of torch, in each worker.

    Raises:
        UserError: the address is taken, or is none of this machine's; what `load` raises.
    """
    parts = load()
    listening = listen(settings)
    with _answering(parts, load, settings.workers, threads) as answers:
        _serve(create_app(parts, settings, answers), settings, listening)
    log.info("Stopped.")


@contextmanager
def _answering(parts: Parts, load: Load, workers: int, threads: int) -> Iterator[Sequence[Answer] | None]:
    """Those that answer, ready: processes, or this one."""
    if workers == 1:
        set_threads(threads)
        warm_up(parts)
        yield None
        return
    processes: list[ModelProcess] = []
    try:
        for _ in range(workers):
            processes.append(ModelProcess(load, threads))
            processes[0].wait()  # what the first one compiles, the others read
        for process in processes:
            process.wait()
        yield processes
    finally:
        for process in processes:
            process.close()


def _serve(app: "FastAPI", settings: ServerSettings, listening: socket.socket) -> None:
    import uvicorn

    config = uvicorn.Config(app, log_config=None, access_log=False, server_header=False, lifespan="on")
    server = uvicorn.Server(config)
    app.state.service.is_stopping = lambda: server.should_exit

    def stop(*_: object) -> None:
        server.should_exit = True

    # Uvicorn raises the signal again once it is done, for whoever was there before it: here that is no news, so that
    # the process ends as one does that has done its work.
    before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        log.info("Listening on %s (Ctrl-C ends it)", address(listening))
        if is_open(settings):
            log.warning("%s", OPEN % settings.host)
        server.run(sockets=[listening])
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def listen(settings: ServerSettings) -> socket.socket:
    """A socket that queues connections from now on.

    Raises:
        UserError: as `serve`.
    """
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    # The protocol is named, or asyncio leaves Nagle's algorithm on, and each answer over a connection that is kept
    # waits 40 ms for its client to acknowledge the headers.
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        if (
            os.name == "posix"
        ):  # a port that was just given back; elsewhere it would also take one that is in use
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


def address(listening: socket.socket) -> str:
    """Where it can be reached."""
    host, port = listening.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def is_open(settings: ServerSettings) -> bool:
    """Whether strangers may use it."""
    return settings.api_key is None and not settings.is_local
