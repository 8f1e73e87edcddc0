"""The command: what it refuses, what it warns of, and how it ends."""

import os
import signal
import socket
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from importlib.util import find_spec
from multiprocessing.process import BaseProcess
from pathlib import Path
from queue import Queue
from threading import Event

import pytest
import torch

from sluice.cli import main
from sluice.commands import extras
from sluice.server import lifecycle
from sluice.server.models import load_models
from sluice.server.settings import ServerSettings
from sluice_core.errors import UserError
from tests.processes import start
from tests.sluice.server.live import dial, message
from tests.sluice.server.sounds import form, wav

SPEECH = "/v1/audio/transcriptions"


def test_without_the_extra_it_is_named(
    random_tagger: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(extras, "find_spec", lambda name: None if name == "uvicorn" else find_spec(name))
    assert main(["serve", str(random_tagger)]) == 1
    assert "sluice-speech[serve]" in (error := capsys.readouterr().err) and "uvicorn" in error


@pytest.mark.parametrize(
    "options",
    [
        ["--port", "70000"],
        ["--queue-size", "0"],
        ["--batch-size", "0"],
        ["--workers", "0"],
        ["--max-seconds", "nan"],
        ["--max-upload-mb", "0"],
        ["--api-key", ""],
        ["--api-key", "key\n"],
        ["--host", "192.0.2.1"],
    ],
)
def test_options_that_cannot_be_are_named(
    random_tagger: Path, options: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["serve", str(random_tagger), *options]) == 1
    error = capsys.readouterr().err
    assert ("API key" if options[0] == "--api-key" else options[0]) in error


def test_a_port_that_is_taken_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(UserError, match=f"port {port}.*choose another"):
            lifecycle.open_socket(ServerSettings(port=port))


@pytest.mark.parametrize(
    ("host", "key", "warns"), [("0.0.0.0", None, True), ("0.0.0.0", "key", False), ("127.0.0.1", None, False)]
)
def test_an_exposed_server_is_warned_of(host: str, key: str | None, warns: bool) -> None:
    assert lifecycle.is_exposed(ServerSettings(host=host, api_key=key)) is warns


def test_answers_do_not_wait_for_acknowledgements() -> None:
    with lifecycle.open_socket(ServerSettings(port=0)) as listening:
        assert listening.proto == socket.IPPROTO_TCP  # for which asyncio sets TCP_NODELAY, and for no other


def test_addresses_are_written_as_browsers_take_them() -> None:
    with lifecycle.open_socket(ServerSettings(port=0)) as listening:
        assert lifecycle.url_of(listening) == f"http://127.0.0.1:{listening.getsockname()[1]}"


def address_in(log: Path, process: BaseProcess) -> str:
    """Return the address that a server's process writes to its log once it listens."""
    deadline = time.monotonic() + 120
    while process.is_alive() and time.monotonic() < deadline:
        for line in log.read_text().splitlines() if log.exists() else ():
            if line.startswith("Listening on "):
                return line.split()[2]
        time.sleep(0.02)
    raise AssertionError(f"it does not listen: {log.read_text()}")


@pytest.mark.slow
def test_a_signal_lets_what_was_accepted_be_answered(random_recognizer: Path, tmp_path: Path) -> None:
    arguments = ["serve", str(random_recognizer), "--port", "0", "--threads", "1", "--batch-size", "1"]
    process = start(main, arguments, output=tmp_path / "log", daemon=False)
    try:
        address = address_in(tmp_path / "log", process)
        assert process.pid is not None
        stop_in_the_middle(address, process.pid, signal.SIGTERM, process.is_alive)
        process.join(60)
        assert process.exitcode == 0
    finally:
        process.kill()
        process.join()


def test_so_does_ctrl_c(random_recognizer: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command runs in this process, whose main thread gets the signal: another start would take seconds."""
    threads, ended = torch.get_num_threads(), Event()
    sockets: Queue[socket.socket] = Queue()
    open_socket = lifecycle.open_socket

    def watched(settings: ServerSettings) -> socket.socket:
        listening = open_socket(settings)
        sockets.put(listening)
        return listening

    monkeypatch.setattr(lifecycle, "open_socket", watched)

    def stop() -> None:
        address = lifecycle.url_of(sockets.get(timeout=60))
        stop_in_the_middle(address, os.getpid(), signal.SIGINT, lambda: not ended.is_set())

    with ThreadPoolExecutor(1) as pool:
        stopped = pool.submit(stop)
        arguments = ["serve", str(random_recognizer), "--port", "0", "--threads", "1", "--workers", "1"]
        assert main([*arguments, "--batch-size", "1", "--quiet"]) == 0
        ended.set()
        stopped.result(60)
    torch.set_num_threads(threads)


def stop_in_the_middle(
    address: str, process: int, number: signal.Signals, is_running: Callable[[], bool]
) -> None:
    """Send a signal while three requests have arrived in part: they are answered all the same, and no others."""
    sent = message(address + SPEECH, **form(wav(), response_format="text"))
    with ExitStack() as opened:
        lines = [opened.enter_context(dial(address)) for _ in range(4)]
        lines[0].sendall(sent)
        expected = _answer(lines[0])
        assert expected.endswith(b"\n")
        for line in lines[1:]:
            line.sendall(sent[:-100])
        _until_seen(address)
        os.kill(process, number)
        while _accepts(address):
            pass
        assert is_running(), "it waits for those who have begun"
        for line in lines[1:]:
            line.sendall(sent[-100:])
        assert [_answer(line) for line in lines[1:]] == [expected] * 3


def _answer(line: socket.socket) -> bytes:
    """Headers and body of one answer."""
    import http.client

    response = http.client.HTTPResponse(line)
    response.begin()
    return response.read() if response.status == 200 else b""


def _until_seen(address: str) -> None:
    """A request that is answered was sent after others were, so that those were seen too."""
    import httpx

    for _ in range(3):
        assert httpx.get(f"{address}/health").json()["status"] == "ready"


def _accepts(address: str) -> bool:
    try:
        dial(address).close()
    except OSError:
        return False
    return True


def test_the_models_are_warmed_before_anybody_waits(random_recognizer: Path, random_tagger: Path) -> None:
    from sluice.server.inference import warm_up

    models = load_models(random_recognizer, random_tagger)
    assert models.transcriber is not None and "decoder" not in vars(models.transcriber)
    warm_up(models)
    assert models.transcriber is not None and "decoder" in vars(models.transcriber)
