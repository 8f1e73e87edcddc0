"""Models in processes of their own: batches are answered at the same time, and one that dies takes nobody along."""

import gc
import logging
import signal
import traceback
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from functools import partial
from typing import TYPE_CHECKING, Any

from sluice.server.batching import Job
from sluice.server.inference import Answers, warm_up
from sluice.server.models import Parts
from sluice_core.errors import UserError

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

log = logging.getLogger(__name__)

Load = Callable[[], Parts]
"""Makes the models; it travels to the process, so it must be one that pickles."""


class ModelProcess:
    """Answers batches, as `Answers` does, in a process that is started anew if it dies."""

    def __init__(self, load: Load, threads: int = 1) -> None:
        """Start it; `wait` waits until it is ready.

        Args:
            load: makes the models there.
            threads: of torch in it.
        """
        self._load, self._threads = load, threads
        self._start()

    def _start(self) -> None:
        from multiprocessing import get_context

        context = get_context("spawn")  # a fork would copy locks that other threads hold
        self._line, theirs = context.Pipe()
        self._process = context.Process(target=_run, args=(theirs, self._load, self._threads), name="models")
        self._process.start()
        theirs.close()  # so that its end is heard
        self._ready = False

    def wait(self) -> None:
        """Until it has its models and has answered one of each kind.

        Raises:
            UserError: it has not got so far.
        """
        if not self._ready:
            try:
                self._line.recv()
            except (EOFError, OSError) as error:
                raise UserError(
                    f"a process with the models ended while it started, with {self.close()}"
                ) from error
            self._ready = True

    def __call__(self, jobs: Sequence[Job]) -> None:
        """Set every job's answer, as soon as it is there."""
        try:
            self.wait()
            self._line.send([(job.kind, job.content, job.seconds, job.alternatives) for job in jobs])
            while (said := self._line.recv()) is not None:
                _set(jobs[said[0]].answer, *said[1:])
        except (EOFError, OSError, UserError):
            log.error("a process with the models ended with %s; another is started", self.close())
            self._start()
            self._try_alone([job for job in jobs if not job.answer.done()])

    def _try_alone(self, jobs: Sequence[Job]) -> None:
        """One of several has ended the process: which, only each by itself can show."""
        if len(jobs) == 1:
            jobs[0].answer.set_exception(RuntimeError("it ended the process that was to answer"))
            return
        for job in jobs:
            self([job])

    def close(self) -> int | None:
        """Let it end, as it does when nobody is there to ask it; its exit code."""
        self._line.close()
        self._process.join()
        return self._process.exitcode


def _set(answer: "Future[Any]", result: Any, error: str | None) -> None:
    if error is None:
        answer.set_result(result)
    else:
        answer.set_exception(RuntimeError(error))


def _run(line: "Connection", load: Load, threads: int) -> None:
    """The process: answer what comes until nobody is there."""
    from sluice_core.devices import set_threads

    # Both reach a whole group of processes; the one that listens says when this one may end.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    set_threads(threads)
    parts = load()
    warm_up(parts)
    answers = Answers(parts)
    gc.collect()
    gc.freeze()  # what stays is not looked through again and again
    try:
        line.send(None)
        while True:
            _answer(line, answers, [Job(*each) for each in line.recv()])
    except (EOFError, OSError):
        pass


def _answer(line: "Connection", answers: Answers, jobs: Sequence[Job]) -> None:
    """Send each answer once it is there, then nothing."""

    def send(number: int, answer: "Future[Any]") -> None:
        error = answer.exception()
        said = None if error is None else "".join(traceback.format_exception(error))
        line.send((number, answer.result() if error is None else None, said))

    for number, job in enumerate(jobs):
        job.answer.add_done_callback(partial(send, number))
    answers(jobs)
    line.send(None)
