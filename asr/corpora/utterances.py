"""The utterance that every corpus consists of, and what is read from its recording."""

import logging
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from functools import lru_cache
from itertools import islice
from typing import Any, NotRequired, TypedDict, TypeVar

import numpy as np

from asr.audio.reading import audio_info, check_samples, read_audio
from sluice_core.corpus_files import CorpusError
from sluice_core.errors import UserError
from sluice_core.progress import track

Item = TypeVar("Item")
Result = TypeVar("Result")

END_TOLERANCE_SECONDS = 0.1  # programs that write segments round their ends

log = logging.getLogger(__name__)


class TimedWord(TypedDict):
    """A word and when it is said, counted from the start of the utterance."""

    text: str
    start_seconds: float
    end_seconds: float


class Utterance(TypedDict):
    """A recording, or its segment from `start_seconds` to `end_seconds`, and what is said in it."""

    id: str
    audio: str
    text: str
    speaker: NotRequired[str]
    duration_seconds: NotRequired[float]
    start_seconds: NotRequired[float | None]
    end_seconds: NotRequired[float | None]
    words: NotRequired[list[TimedWord]]


LocatedUtterance = tuple[str, Utterance]
"""Where an utterance is written ("train.csv, line 7"), and the utterance."""


def read_utterance(utterance: Mapping[str, Any], sample_rate: int) -> np.ndarray:
    """Read the samples `[samples]` of an utterance, float32 at `sample_rate` Hz, checked.

    Raises:
        AudioError: the recording is missing, unreadable or damaged, or the segment lies outside it.
    """
    samples, rate = read_audio(
        utterance["audio"],
        sample_rate,
        start_seconds=utterance["start_seconds"],
        end_seconds=utterance["end_seconds"],
    )
    return check_samples(samples, rate, utterance["id"])


def add_durations(located: Iterable[LocatedUtterance], threads: int = 8) -> Iterator[Utterance]:
    """Add `duration_seconds`, which several threads read from the headers of the recordings.

    The duration of a segment is its own, not its file's; an end that only rounding puts past the end of the file
    is brought back to it. Progress is shown where the log shows INFO.

    Raises:
        CorpusError: a recording is missing or unreadable, or a segment lies outside it; the message says where.
    """
    file_seconds = lru_cache(maxsize=4096)(_file_seconds)  # many segments come from one file

    def measure(item: LocatedUtterance) -> Utterance:
        where, utterance = item
        try:
            start, end = segment_bounds(utterance, file_seconds(utterance["audio"]))
        except UserError as error:
            raise CorpusError(f"{where}: {error}") from error
        return {
            **utterance,
            "end_seconds": None if utterance.get("end_seconds") is None else end,
            "duration_seconds": end - start,
        }

    quiet = not log.isEnabledFor(logging.INFO)
    return track(map_threaded(measure, located, threads), "reading audio headers", quiet=quiet)


def segment_bounds(utterance: Utterance, file_seconds: float) -> tuple[float, float]:
    """Return where an utterance begins and ends within its file of `file_seconds`, in seconds.

    Raises:
        CorpusError: the utterance lies outside the file by more than rounding.
    """
    start, end = utterance.get("start_seconds") or 0.0, utterance.get("end_seconds")
    if start >= file_seconds or (end is not None and end > file_seconds + END_TOLERANCE_SECONDS):
        raise CorpusError(
            f"the segment from {start:g} to {'the end' if end is None else f'{end:g} seconds'} "
            f"is not inside {utterance['audio']}, which lasts {file_seconds:.2f} seconds"
        )
    return start, file_seconds if end is None else min(end, file_seconds)


def _file_seconds(audio: str) -> float:
    return audio_info(audio).duration_seconds


def map_threaded(function: Callable[[Item], Result], items: Iterable[Item], threads: int) -> Iterator[Result]:
    """Apply a function to items by several threads; results come in order, computed a little ahead."""
    items = iter(items)
    pool = ThreadPoolExecutor(max_workers=threads)
    waiting: deque[Future[Result]] = deque(
        pool.submit(function, item) for item in islice(items, 16 * threads)
    )
    try:
        while waiting:
            result = waiting.popleft().result()
            waiting.extend(pool.submit(function, item) for item in islice(items, 1))
            yield result
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
