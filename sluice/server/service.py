"""What every endpoint goes through: a place in the queue, an upload decoded, an answer awaited."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np

from sluice.server.audio_upload import decode
from sluice.server.batching import Answer, Job, Workers
from sluice.server.errors import too_busy
from sluice.server.inference import Answers
from sluice.server.metrics import Metrics
from sluice.server.models import Parts
from sluice.server.settings import ServerSettings
from sluice.server.uploads import Upload

if TYPE_CHECKING:
    from fastapi import Request

DECODERS = 2
"""Uploads that are decoded at once."""
UPLOADS = 2
"""Bodies that arrive at once, for each place in the queue."""


class Gone(Exception):
    """Whoever asked has hung up."""


class Service:
    """The models at work, between `start` and `close`."""

    def __init__(
        self, parts: Parts, settings: ServerSettings, answers: Sequence[Answer] | None = None
    ) -> None:
        """Put it together; `start` makes its threads and its folder.

        Args:
            parts: what it has.
            settings: how much it takes.
            answers: those that answer batches, side by side; one with `parts`, in this process, if not given.
        """
        self.parts, self.settings, self.metrics = parts, settings, Metrics()
        self._answers = answers or [Answers(parts)]
        self.is_stopping: Callable[[], bool] = lambda: False
        self._held = self._uploads = 0

    def start(self) -> None:
        """Ready to work."""
        self._folder = TemporaryDirectory(prefix="sluice-serve-")
        self._decoders = ThreadPoolExecutor(DECODERS, thread_name_prefix="decoder")
        self._workers = Workers(self._answers, self.settings.batch, self.metrics.batch, expected=self.held)
        self.metrics.watch(self._workers.__len__, self.held)

    def close(self) -> None:
        """Finish what was taken, then leave nothing behind."""
        self._decoders.shutdown()
        self._workers.close()
        self._folder.cleanup()

    def held(self) -> int:
        """Places in the queue that are taken."""
        return self._held

    @contextmanager
    def receiving(self) -> Iterator[None]:
        """While a body arrives. A slow client holds up nobody's place in the queue, but too many are turned away.

        Raises:
            ApiError: 429, there are too many, or the queue is full and the body would arrive in vain.
        """
        if self._uploads >= UPLOADS * self.settings.queue or self._held >= self.settings.queue:
            raise too_busy(self._workers.patience())
        self._uploads += 1
        try:
            yield
        finally:
            self._uploads -= 1

    @contextmanager
    def place(self) -> Iterator[None]:
        """A place in the queue, from before an upload is decoded until its answer is there.

        Raises:
            ApiError: 429, all are taken.
        """
        if self._held >= self.settings.queue:
            raise too_busy(self._workers.patience())
        self._held += 1
        try:
            yield
        finally:
            self._held -= 1

    async def listen(self, request: "Request", upload: Upload, kind: str, alternatives: int = 0) -> Any:
        """What the models answer to an upload, which is then closed.

        Raises:
            ApiError: it cannot be decoded, or there is no place for it.
            Gone: nobody waits for the answer.
        """
        with upload.file, self.place():
            samples = await self._samples(upload)
            job = Job(kind, samples, len(samples) / self._sample_rate, alternatives)
            self.metrics.heard(request.url.path, job.seconds)
            return await self._answer(request, job)

    async def tag(self, request: "Request", texts: list[str], alternatives: int = 0) -> list[str]:
        """What the tagger answers to texts, each in JSON.

        Raises:
            ApiError: there is no place for them.
            Gone: nobody waits for the answer.
        """
        with self.place():
            return await self._answer(request, Job("tag", texts, alternatives=alternatives))

    @property
    def _sample_rate(self) -> int:
        return self.parts.need_transcriber().config.features.sample_rate

    async def _samples(self, upload: Upload) -> np.ndarray:
        """An upload decoded, in one of a few threads, for the recognizer."""
        folder, longest = Path(self._folder.name), self.settings.max_seconds
        work = partial(decode, upload.file, upload.name, folder, self._sample_rate, longest)
        return await asyncio.get_running_loop().run_in_executor(self._decoders, work)

    async def _answer(self, request: "Request", job: Job) -> Any:
        """What the models answer to a job, once it is its turn; given up when the client hangs up.

        Raises:
            ApiError: too much waits.
            Gone: nobody waits for the answer.
        """
        answer = asyncio.wrap_future(self._workers.submit(job))
        gone = asyncio.ensure_future(_disconnection(request))
        try:
            await asyncio.wait([answer, gone], return_when=asyncio.FIRST_COMPLETED)
            if not answer.done():
                raise Gone
            return answer.result()
        finally:
            answer.cancel()  # a job that still waits is then left out
            gone.cancel()


async def _disconnection(request: "Request") -> None:
    """Returns when the client is gone; the body must have been read."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
