"""A queue and the threads that empty it: what has arrived together is answered together."""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from threading import Condition, Thread
from typing import Any

from sluice.server.errors import too_busy

GATHER_SECONDS = 0.02
"""How long a batch that is not full waits for more."""
WAITING_SECONDS = 3600.0
"""Most audio that waits in memory, decoded: about 230 MB at 16 kHz."""


@dataclass(frozen=True)
class Job:
    """Something to answer."""

    kind: str
    """Of `answers.ANSWERS`."""
    content: Any
    """Samples `[samples]` at the recognizer's rate, or texts."""
    seconds: float = 0.0
    """Of audio in it."""
    alternatives: int = 0
    answer: "Future[Any]" = field(default_factory=Future)


Answer = Callable[[list[Job]], None]
"""Sets the answers of a batch; what it raises becomes the answer of those it left without."""


class Workers:
    """A bounded queue, and a thread for each of those that answer."""

    def __init__(
        self,
        answers: Sequence[Answer],
        batch: int,
        measure: Callable[[int], None] = lambda size: None,
        expected: Callable[[], int] | None = None,
    ) -> None:
        """Start the threads.

        Args:
            answers: each is called by one thread alone.
            batch: most jobs at once.
            measure: told the size of each batch.
            expected: how many jobs there are, from those that are not submitted yet to those that are being
                answered: a batch waits for no more.
        """
        self._batch, self._measure = batch, measure
        self._expected = expected or (lambda: batch * len(answers))
        self._waiting: list[Job] = []
        self._answering = 0
        self._changed = Condition()
        self._closing = False
        self._job_seconds = 0.1  # what a job took lately
        self._threads = [
            Thread(target=self._run, args=(answer,), name=f"worker-{number}", daemon=True)
            for number, answer in enumerate(answers)
        ]
        for thread in self._threads:
            thread.start()

    def __len__(self) -> int:
        """Jobs that wait."""
        return len(self._waiting)

    def submit(self, job: Job) -> "Future[Any]":
        """Let a job wait for its turn.

        Raises:
            ApiError: 429, too much audio waits.
        """
        with self._changed:
            waiting = sum(each.seconds for each in self._waiting)
            if self._closing or (waiting and waiting + job.seconds > WAITING_SECONDS):
                raise too_busy(self.patience())
            self._waiting.append(job)
            self._changed.notify_all()
        return job.answer

    def patience(self) -> float:
        """Seconds until what waits is answered, as far as can be told."""
        return (1 + len(self._waiting)) * self._job_seconds / len(self._threads)

    def close(self) -> None:
        """Answer what waits, then end."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()

    def _run(self, answer: Answer) -> None:
        while jobs := self._take():
            live = [job for job in jobs if job.answer.set_running_or_notify_cancel()]
            if live:  # whoever asked is still there
                self._measure(len(live))
                started = time.monotonic()
                try:
                    answer(live)
                except BaseException as error:  # a thread that ended would leave everybody waiting
                    _fail(live, error)
                self._job_seconds = 0.8 * self._job_seconds + 0.2 * (time.monotonic() - started) / len(live)
            with self._changed:
                self._answering -= len(jobs)

    def _take(self) -> Sequence[Job]:
        """The next batch, as soon as there is one; none when all is done."""
        with self._changed:
            while True:
                self._changed.wait_for(lambda: self._waiting or self._closing)
                self._changed.wait_for(self._is_full, timeout=GATHER_SECONDS)
                if self._waiting or self._closing:  # another thread may have taken what there was
                    break
            jobs = self._waiting[: self._batch]
            del self._waiting[: self._batch]
            self._answering += len(jobs)
            return jobs

    def _is_full(self) -> bool:
        """Whether there is nothing that a batch should wait for."""
        coming = self._expected() - self._answering
        return self._closing or len(self._waiting) >= min(self._batch, coming)


def _fail(jobs: Sequence[Job], error: BaseException) -> None:
    for job in jobs:
        if not job.answer.done():
            job.answer.set_exception(error)
