"""Dynamic batching: a bounded queue, and threads that compute what waits in it batch by batch."""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from threading import Condition, Thread
from typing import Any

from sluice.server.errors import queue_full

MAX_QUEUE_DELAY_SECONDS = 0.02
"""How long a batch that is not full waits for more jobs."""
MAX_QUEUED_AUDIO_SECONDS = 3600.0
"""Most decoded audio that waits in memory: about 230 MB at 16 kHz."""


@dataclass(frozen=True)
class Job:
    """One request for inference."""

    kind: str
    """A key of `inference.PREDICTORS`."""
    content: Any
    """Samples `[samples]` at the recognizer's rate, or a list of texts."""
    audio_seconds: float = 0.0
    """Duration of the audio in it."""
    alternatives: int = 0
    """How many further hypotheses are asked for."""
    mode: str = "auto"
    """How a recording is understood, a `sluice.understanding.Mode`."""
    result: "Future[Any]" = field(default_factory=Future)


RunBatch = Callable[[list[Job]], None]
"""Sets the results of a batch of jobs; an exception that it raises becomes the result of the jobs left over."""


class DynamicBatcher:
    """A bounded queue of jobs, and one thread for each function that computes batches."""

    def __init__(
        self,
        runners: Sequence[RunBatch],
        batch_size: int,
        on_batch: Callable[[int], None] = lambda size: None,
        open_requests: Callable[[], int] | None = None,
    ) -> None:
        """Start the threads.

        Args:
            runners: functions that compute batches; each is called by one thread only.
            batch_size: most jobs per batch.
            on_batch: called with the size of each batch.
            open_requests: returns how many jobs exist, from those that are not submitted yet to those that are being
                computed; a batch does not wait for more.
        """
        self._batch_size, self._on_batch = batch_size, on_batch
        self._open_requests = open_requests or (lambda: batch_size * len(runners))
        self._queue: list[Job] = []
        self._running = 0
        self._changed = Condition()
        self._is_closing = False
        self._seconds_per_job = 0.1  # moving average
        self._threads = [
            Thread(target=self._run, args=(runner,), name=f"inference-{number}", daemon=True)
            for number, runner in enumerate(runners)
        ]
        for thread in self._threads:
            thread.start()

    def __len__(self) -> int:
        """Return the number of jobs that wait."""
        return len(self._queue)

    def submit(self, job: Job) -> "Future[Any]":
        """Add a job to the queue and return its future result.

        Raises:
            ApiError: 429, too much audio waits, or the queue is closed.
        """
        with self._changed:
            queued_seconds = sum(each.audio_seconds for each in self._queue)
            is_full = queued_seconds > 0 and queued_seconds + job.audio_seconds > MAX_QUEUED_AUDIO_SECONDS
            if self._is_closing or is_full:
                raise queue_full(self.estimated_wait_seconds())
            self._queue.append(job)
            self._changed.notify_all()
        return job.result

    def estimated_wait_seconds(self) -> float:
        """Estimate the time in seconds until all jobs that wait now are done."""
        return (1 + len(self._queue)) * self._seconds_per_job / len(self._threads)

    def close(self) -> None:
        """Compute the jobs that wait, then end the threads."""
        with self._changed:
            self._is_closing = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()

    def _run(self, runner: RunBatch) -> None:
        while jobs := self._take_batch():
            wanted = [job for job in jobs if job.result.set_running_or_notify_cancel()]
            if wanted:  # the client of at least one job is still connected
                self._on_batch(len(wanted))
                started = time.monotonic()
                try:
                    runner(wanted)
                except BaseException as error:  # if the thread ended, all clients would wait forever
                    _fail(wanted, error)
                seconds = (time.monotonic() - started) / len(wanted)
                self._seconds_per_job = 0.8 * self._seconds_per_job + 0.2 * seconds
            with self._changed:
                self._running -= len(jobs)

    def _take_batch(self) -> Sequence[Job]:
        """Wait for a batch and return it; an empty one means that the queue is closed."""
        with self._changed:
            while True:
                self._changed.wait_for(lambda: self._queue or self._is_closing)
                self._changed.wait_for(self._is_batch_full, timeout=MAX_QUEUE_DELAY_SECONDS)
                if self._queue or self._is_closing:  # another thread may have taken all jobs
                    break
            jobs = self._queue[: self._batch_size]
            del self._queue[: self._batch_size]
            self._running += len(jobs)
            return jobs

    def _is_batch_full(self) -> bool:
        """Return whether there is no job that the next batch should wait for."""
        possible = self._open_requests() - self._running
        return self._is_closing or len(self._queue) >= min(self._batch_size, possible)


def _fail(jobs: Sequence[Job], error: BaseException) -> None:
    for job in jobs:
        if not job.result.done():
            job.result.set_exception(error)
