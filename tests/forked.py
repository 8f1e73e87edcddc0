"""Run `sluice` commands in processes of their own that can be killed, without importing everything for each.

A server process imports torch, Lightning and the rest once; each command is a fork of it, which takes no time to start
and is otherwise a process like any: it has signals and limits of its own and ends as Python ends.

    python -m tests.forked

reads commands as lines of JSON, each a list of arguments and the file for what the command prints on stderr; it writes
the process's id, and its exit status when it has ended.
"""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

from tests.conftest import ROOT

PRELOADED = (
    "asr.corpora.manifest",
    "asr.evaluation.report",
    "asr.training.experiment",
    "datasets",
    "lightning.pytorch",
    "matplotlib.backends.backend_svg",
    "pandas",
    "sluice.commands.train",
    "torch.utils.tensorboard",
    "torch._dynamo",
)


class Forks:
    """The server, seen from a test; one command runs at a time."""

    def __init__(self) -> None:
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
        self.server = subprocess.Popen(
            [sys.executable, "-m", "tests.forked"],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def start(self, arguments: list[str], stderr: Path) -> int:
        """Start `sluice` with these arguments; returns the id of its process."""
        assert self.server.stdin is not None
        print(json.dumps([arguments, str(stderr)]), file=self.server.stdin, flush=True)
        return self._read()

    def wait(self) -> int:
        """Return the exit status of the command when it has ended: that of the signal that killed it is negative."""
        return self._read()

    def close(self) -> None:
        """End the server."""
        self.server.communicate(timeout=240)

    def _read(self) -> int:
        assert self.server.stdout is not None
        return int(self.server.stdout.readline())


def _serve() -> None:
    import importlib

    for name in PRELOADED:
        importlib.import_module(name)
    for line in sys.stdin:
        arguments, stderr = json.loads(line)
        process = os.fork()
        if process == 0:
            _be_command(arguments, stderr)
        print(process, flush=True)
        print(os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]), flush=True)


def _be_command(arguments: list[str], stderr: str) -> None:
    from sluice.cli import main

    file = os.open(stderr, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    nothing = os.open(os.devnull, os.O_RDWR)
    for old, new in ((0, nothing), (1, nothing), (2, file)):
        os.dup2(new, old)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # shells ignore it in the background
    sys.exit(main(arguments))


if __name__ == "__main__":
    _serve()
