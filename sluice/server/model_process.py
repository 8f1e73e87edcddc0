"""Models in processes of their own: batches are computed in parallel, and a crash harms no other process."""

import gc
import logging
import signal
import traceback
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from functools import partial
from typing import TYPE_CHECKING, Any

from sluice.server.batching import Job
from sluice.server.inference import InferenceRunner, warm_up
from sluice.server.models import Models
from sluice_core.errors import UserError

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

log = logging.getLogger(__name__)

LoadModels = Callable[[], Models]
"""Loads the models; it is sent to the process, so it must be picklable."""


class ModelProcess:
    """Runs inference on batches, as `InferenceRunner` does, in a process that is restarted if it dies."""

    def __init__(self, load: LoadModels, threads: int = 1) -> None:
        """Start the process; `wait_until_ready` waits for it.

        Args:
            load: loads the models in the process.
            threads: threads of PyTorch in the process.
        """
        self._load, self._threads = load, threads
        self._start()

    def _start(self) -> None:
        from multiprocessing import get_context

        context = get_context("spawn")  # a fork would copy locks that other threads hold
        self._connection, child_end = context.Pipe()
        arguments = child_end, self._load, self._threads
        self._process = context.Process(target=_run_process, args=arguments, name="models")
        self._process.start()
        child_end.close()  # or the end of the process would not close the pipe
        self._is_ready = False

    def wait_until_ready(self) -> None:
        """Wait until the process has loaded its models and has run one job of each kind.

        Raises:
            UserError: the process ended before that.
        """
        if not self._is_ready:
            try:
                self._connection.recv()
            except (EOFError, OSError) as error:
                raise UserError(
                    f"a model process ended while it started, with exit code {self.close()}"
                ) from error
            self._is_ready = True

    def __call__(self, jobs: Sequence[Job]) -> None:
        """Set the result of each job as soon as it is computed."""
        try:
            self.wait_until_ready()
            self._connection.send(
                [(job.kind, job.content, job.audio_seconds, job.alternatives, job.mode) for job in jobs]
            )
            while (message := self._connection.recv()) is not None:
                number, result, error = message
                _set_result(jobs[number].result, result, error)
        except (EOFError, OSError, UserError):
            log.error("a model process ended with exit code %s; another is started", self.close())
            self._start()
            self._try_alone([job for job in jobs if not job.result.done()])

    def _try_alone(self, jobs: Sequence[Job]) -> None:
        """Run the jobs of a batch that ended the process one by one, to find the one that does it."""
        if len(jobs) == 1:
            jobs[0].result.set_exception(RuntimeError("the request ended the model process"))
            return
        for job in jobs:
            self([job])

    def close(self) -> int | None:
        """Close the connection, which ends the process, and return its exit code."""
        self._connection.close()
        self._process.join()
        return self._process.exitcode


def _set_result(future: "Future[Any]", result: Any, error: str | None) -> None:
    if error is None:
        future.set_result(result)
    else:
        future.set_exception(RuntimeError(error))


def _run_process(connection: "Connection", load: LoadModels, threads: int) -> None:
    """Compute batches that arrive over a connection until it is closed."""
    from sluice_core.devices import set_threads

    # Both signals reach a whole process group; the server's process decides when this one may end.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    set_threads(threads)
    models = load()
    warm_up(models)
    runner = InferenceRunner(models)
    gc.collect()
    gc.freeze()  # the garbage collector need not look at the models again and again
    try:
        connection.send(None)
        while True:
            _run_batch(connection, runner, [Job(*fields) for fields in connection.recv()])
    except (EOFError, OSError):
        pass


def _run_batch(connection: "Connection", runner: InferenceRunner, jobs: Sequence[Job]) -> None:
    """Send each result as soon as it is computed, then None."""

    def send(number: int, future: "Future[Any]") -> None:
        error = future.exception()
        reason = None if error is None else "".join(traceback.format_exception(error))
        connection.send((number, future.result() if error is None else None, reason))

    for number, job in enumerate(jobs):
        job.result.add_done_callback(partial(send, number))
    runner(jobs)
    connection.send(None)
