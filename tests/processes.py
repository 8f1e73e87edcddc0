"""Processes that tests may kill, forked from one that has imported torch and Lightning once, for all of them."""

import os
from collections.abc import Callable
from multiprocessing import get_context
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

CONTEXT = get_context("forkserver")
CONTEXT.set_forkserver_preload(["tests.preloaded"])


def start(
    function: Callable[..., object],
    *arguments: Any,
    output: Path | None = None,
    environment: dict[str, str] | None = None,
    daemon: bool = True,
) -> BaseProcess:
    """Call a function of a module in a process with one thread of torch's, which ends with 1 if it raises.

    The process has run nothing before, so caches in its memory are empty. The result of the function is its exit code.

    Args:
        function: the function, found by its name.
        arguments: what it is given; they are pickled.
        output: a file for what the process writes to stdout and stderr; where this process's goes if not given.
        environment: environment variables that are set first.
        daemon: it ends with this process, and may have no children of its own.
    """
    process = CONTEXT.Process(
        target=_run, args=(function, arguments, output, environment or {}), daemon=daemon
    )
    process.start()
    return process


def _run(
    function: Callable[..., object],
    arguments: tuple[Any, ...],
    output: Path | None,
    environment: dict[str, str],
) -> None:
    import torch

    os.environ.update({"OMP_NUM_THREADS": "1", **environment})
    torch.set_num_threads(1)
    if output is not None:
        file = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        for descriptor in (1, 2):
            os.dup2(file, descriptor)
    raise SystemExit(function(*arguments) or 0)
