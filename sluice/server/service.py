"""What every endpoint that uses a model goes through: a place in the queue, decoding of the audio, inference."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np

from sluice.server.audio_upload import decode_upload
from sluice.server.batching import DynamicBatcher, Job, RunBatch
from sluice.server.errors import queue_full
from sluice.server.inference import InferenceRunner
from sluice.server.metrics import Metrics
from sluice.server.models import Models
from sluice.server.settings import ServerSettings
from sluice.server.uploads import Upload

if TYPE_CHECKING:
    from fastapi import Request

DECODING_THREADS = 2
"""Uploads that are decoded at the same time."""
UPLOADS_PER_PLACE = 2
"""Bodies that may arrive at the same time, for each place in the queue."""


class ClientDisconnected(Exception):
    """The client has closed the connection before its response."""


class Service:
    """The models at work, between `start` and `close`."""

    def __init__(
        self, models: Models, settings: ServerSettings, runners: Sequence[RunBatch] | None = None
    ) -> None:
        """Prepare the service; `start` starts its threads and makes its folder.

        Args:
            models: what to use.
            settings: limits.
            runners: functions that compute batches, in parallel; if not given, one that uses `models` in this process.
        """
        self.models, self.settings, self.metrics = models, settings, Metrics()
        self._runners = runners or [InferenceRunner(models)]
        self.is_stopping: Callable[[], bool] = lambda: False
        self._open_requests = self._uploads = 0

    def start(self) -> None:
        """Start the threads, and make a folder for temporary files."""
        self._folder = TemporaryDirectory(prefix="sluice-serve-")
        self._decoding = ThreadPoolExecutor(DECODING_THREADS, thread_name_prefix="audio-decoding")
        self._batcher = DynamicBatcher(
            self._runners, self.settings.batch_size, self.metrics.count_batch, self.open_requests
        )
        self.metrics.watch(self._batcher.__len__, self.open_requests)

    def close(self) -> None:
        """Finish the requests that were accepted, and delete temporary files."""
        self._decoding.shutdown()
        self._batcher.close()
        self._folder.cleanup()

    def open_requests(self) -> int:
        """Return how many requests hold a place in the queue."""
        return self._open_requests

    @contextmanager
    def receiving(self) -> Iterator[None]:
        """Count a body while it arrives.

        A slow client takes no place in the queue, but the number of bodies that arrive is limited too.

        Raises:
            ApiError: 429, too many bodies are arriving, or the queue is full, so that the body would arrive in vain.
        """
        is_full = self._open_requests >= self.settings.queue_size
        if is_full or self._uploads >= UPLOADS_PER_PLACE * self.settings.queue_size:
            raise queue_full(self._batcher.estimated_wait_seconds())
        self._uploads += 1
        try:
            yield
        finally:
            self._uploads -= 1

    @contextmanager
    def place_in_queue(self) -> Iterator[None]:
        """Hold a place in the queue, from before the audio is decoded until the result is there.

        Raises:
            ApiError: 429, all places are taken.
        """
        if self._open_requests >= self.settings.queue_size:
            raise queue_full(self._batcher.estimated_wait_seconds())
        self._open_requests += 1
        try:
            yield
        finally:
            self._open_requests -= 1

    async def infer_audio(
        self, request: "Request", upload: Upload, kind: str, alternatives: int = 0, mode: str = "auto"
    ) -> Any:
        """Run inference on an uploaded recording, and close the upload.

        Args:
            request: its body must have been read.
            upload: the recording.
            kind: kind of job: "transcribe", "understand" or "posteriors".
            alternatives: how many further hypotheses to return.
            mode: how the recording is understood.

        Raises:
            ApiError: the recording cannot be decoded, or the queue is full.
            ClientDisconnected: nobody waits for the result.
        """
        with upload.file, self.place_in_queue():
            samples = await self._decode(upload)
            job = Job(kind, samples, len(samples) / self._sample_rate, alternatives, mode)
            self.metrics.count_audio(request.url.path, job.audio_seconds)
            return await self._result(request, job)

    async def tag(self, request: "Request", texts: list[str], alternatives: int = 0) -> list[str]:
        """Tag texts; returns the JSON of each tagging.

        Raises:
            ApiError: the queue is full.
            ClientDisconnected: nobody waits for the result.
        """
        with self.place_in_queue():
            return await self._result(request, Job("tag", texts, alternatives=alternatives))

    @property
    def _sample_rate(self) -> int:
        return self.models.require_transcriber().config.features.sample_rate

    async def _decode(self, upload: Upload) -> np.ndarray:
        """Decode an upload in a thread; returns samples `[samples]` at the recognizer's rate."""
        folder, max_seconds = Path(self._folder.name), self.settings.max_seconds
        decode = partial(decode_upload, upload.file, upload.name, folder, self._sample_rate, max_seconds)
        return await asyncio.get_running_loop().run_in_executor(self._decoding, decode)

    async def _result(self, request: "Request", job: Job) -> Any:
        """Submit a job and wait for its result; give up when the client disconnects.

        Raises:
            ApiError: too much audio waits.
            ClientDisconnected: nobody waits for the result.
        """
        result = asyncio.wrap_future(self._batcher.submit(job))
        disconnection = asyncio.ensure_future(_wait_for_disconnection(request))
        try:
            await asyncio.wait([result, disconnection], return_when=asyncio.FIRST_COMPLETED)
            if not result.done():
                raise ClientDisconnected
            return result.result()
        finally:
            result.cancel()  # the batcher leaves out a job that still waits
            disconnection.cancel()


async def _wait_for_disconnection(request: "Request") -> None:
    """Return when the client has disconnected; the body must have been read."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
