"""Utterances as plain rows on disk: Arrow files, memory-mapped, so a million start as fast as ten."""

import hashlib
import json
import logging
import uuid
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache, lru_cache
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, NotRequired, TypedDict, TypeVar

import numpy as np

from sluice_core.corpus_files import CorpusError
from sluice_core.errors import UserError
from sluice_core.progress import track
from sluice_core.surrogates import HALF_PAIR

if TYPE_CHECKING:
    import datasets
    import pyarrow

Item = TypeVar("Item")
Result = TypeVar("Result")

LAYOUT = 1  # part of every key: raise it when the columns or their meaning change
ROWS_IN_BATCH = 10_000
END_TOLERANCE_SECONDS = 0.1  # segment ends are rounded by whoever wrote them

log = logging.getLogger(__name__)


class Word(TypedDict):
    """A word and when it was said, counted from the start of the utterance."""

    text: str
    start_seconds: float
    end_seconds: float


class Utterance(TypedDict):
    """One row: a recording, or the part of it from `start_seconds` to `end_seconds`, and what was said."""

    id: str
    audio: str
    text: str
    speaker: NotRequired[str]
    duration_seconds: NotRequired[float]
    start_seconds: NotRequired[float | None]
    end_seconds: NotRequired[float | None]
    words: NotRequired[list[Word]]


Located = tuple[str, Utterance]  # where the utterance is written ("train.csv, line 7"), and the utterance


@cache
def features() -> "datasets.Features":
    """The columns of every corpus; also `FEATURES`, which loads the datasets package only when asked for."""
    from datasets import Features, Value

    text, number = Value("string"), Value("float64")
    return Features(
        {
            "id": text,
            "audio": text,
            "text": text,
            "speaker": text,
            "duration_seconds": number,
            "start_seconds": number,
            "end_seconds": number,
            "words": [{"text": text, "start_seconds": number, "end_seconds": number}],
        }
    )


def __getattr__(name: str) -> Any:
    if name == "FEATURES":
        return features()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def source_key(kind: str, files: Iterable[Path], settings: Mapping[str, Any]) -> str:
    """A name for rows made from `files` with `settings`: another name once any of them changes.

    Files count by path, size and time of change (folders by path and time), never by content. The
    recordings themselves are not looked at: touch the index file after replacing a recording.

    Raises:
        CorpusError: a file's path is not UTF-8, so that a row could not name a recording beside it.
    """
    digest = hashlib.sha256(f"{LAYOUT} {kind}\n".encode())
    digest.update(json.dumps(dict(settings), sort_keys=True, default=str).encode())
    for file in files:
        stat, path = file.stat(), str(file.resolve())
        if HALF_PAIR.search(path):
            raise CorpusError(f"{path}: the path is not UTF-8; rename the file, or the folder that is not")
        digest.update(f"\n{path} {stat.st_size if file.is_file() else '-'} {stat.st_mtime_ns}".encode())
    return f"{kind}-{digest.hexdigest()[:16]}"


def build_dataset(
    rows: Callable[[], Iterable[Mapping[str, Any]]], cache: Path, key: str
) -> "datasets.Dataset":
    """The rows as a memory-mapped dataset, written to `cache/KEY.arrow` unless that is there already.

    `rows` is called only when the file has to be written and is read as a stream. The file appears
    whole or not at all, so a killed run leaves nothing half-written and processes may build the same.

    Raises:
        CorpusError: there are no rows, or the cache folder cannot be written.
    """
    return stored(lambda: row_batches(rows()), cache, key)


def row_batches(rows: Iterable[Mapping[str, Any]]) -> Iterator["pyarrow.RecordBatch"]:
    """Rows as Arrow batches with the columns of `features()`; columns that a row lacks are null or empty."""
    import pyarrow

    rows = iter(rows)
    while batch := list(islice(rows, ROWS_IN_BATCH)):
        filled = [{"speaker": "", **row, "words": row.get("words") or []} for row in batch]
        yield pyarrow.RecordBatch.from_pylist(filled, schema=features().arrow_schema)


def stored(
    batches: Callable[[], Iterable["pyarrow.RecordBatch"]], cache: Path, key: str
) -> "datasets.Dataset":
    """As `build_dataset`, from Arrow batches."""
    from datasets import Dataset

    path = Path(cache) / f"{key}.arrow"
    if path.exists():
        try:
            return Dataset.from_file(str(path))
        except (OSError, ValueError) as error:  # pyarrow.ArrowInvalid is a ValueError
            log.warning("%s cannot be read (%s); writing it again", path, error)
    _write(batches(), path)
    return Dataset.from_file(str(path))


def _write(batches: Iterable["pyarrow.RecordBatch"], path: Path) -> None:
    """Write an Arrow stream under a temporary name, then give it its own."""
    import pyarrow

    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    count = 0
    with _writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with _writing(path):
            writer = pyarrow.ipc.new_stream(str(temporary), features().arrow_schema)
        for batch in batches:
            count += len(batch)
            with _writing(path):
                writer.write_batch(batch)
        with _writing(path):
            writer.close()
            if count:
                temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    if not count:
        raise CorpusError(f"no utterances for {path.name}: the corpus, or this part of it, is empty")


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    """Turns what the operating system says while writing into words for the person."""
    try:
        yield
    except OSError as error:
        raise CorpusError(
            f"{path.parent}: cannot write the cache of utterances: {error.strerror or error}; "
            "free some space there, or name another cache folder"
        ) from error


def measured(items: Iterable[Located], threads: int = 8) -> Iterator[Utterance]:
    """Utterances with `duration_seconds`, read from the headers of their files by several threads.

    A segment's duration is its own, not its file's; an end that only rounding put past the end of the
    file is brought back. Shows its progress where the log shows INFO.

    Raises:
        CorpusError: an audio file is missing or unreadable, or a segment lies outside it; says where.
    """
    file_seconds = lru_cache(maxsize=4096)(_file_seconds)  # many segments come from one file

    def measure(item: Located) -> Utterance:
        where, row = item
        try:
            seconds = file_seconds(row["audio"])
            start, end = segment(row, seconds)
        except UserError as error:
            raise CorpusError(f"{where}: {error}") from error
        return {
            **row,
            "end_seconds": None if row.get("end_seconds") is None else end,
            "duration_seconds": end - start,
        }

    quiet = not log.isEnabledFor(logging.INFO)
    return track(threaded(measure, items, threads), "reading audio headers", quiet=quiet)


def segment(row: Utterance, file_seconds: float) -> tuple[float, float]:
    """Where an utterance begins and ends within its file of `file_seconds`, in seconds.

    Raises:
        CorpusError: it lies outside the file by more than rounding.
    """
    start, end = row.get("start_seconds") or 0.0, row.get("end_seconds")
    if start >= file_seconds or (end is not None and end > file_seconds + END_TOLERANCE_SECONDS):
        raise CorpusError(
            f"the segment from {start:g} to {'the end' if end is None else f'{end:g} seconds'} "
            f"is not inside {row['audio']}, which lasts {file_seconds:.2f} seconds"
        )
    return start, file_seconds if end is None else min(end, file_seconds)


def read_utterance(utterance: Mapping[str, Any], sample_rate: int) -> np.ndarray:
    """Read the samples `[samples]` of an utterance, float32 at `sample_rate` Hz, checked.

    Raises:
        AudioError: the recording is missing, unreadable or damaged, or the segment lies outside it.
    """
    from asr.audio.reading import check_samples, read_audio

    samples, rate = read_audio(
        utterance["audio"],
        sample_rate,
        start_seconds=utterance["start_seconds"],
        end_seconds=utterance["end_seconds"],
    )
    return check_samples(samples, rate, utterance["id"])


def _file_seconds(audio: str) -> float:
    from asr.audio.reading import audio_info

    return audio_info(audio).duration_seconds


def threaded(function: Callable[[Item], Result], items: Iterable[Item], threads: int) -> Iterator[Result]:
    """`function` of each item, in order, by several threads that run only a little ahead of the reader."""
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


def split_by_speaker(speakers: Iterable[str], fraction: float, seed: int) -> set[str]:
    """The speakers to hold out: about `fraction` of them, at least one and never all.

    Also serves to hold out utterances by id. Names are ranked by a hash of the seed and the name, so
    who is held out hardly changes when others join.

    Raises:
        CorpusError: there are fewer than two names.
    """
    names = set(speakers)
    if len(names) < 2:
        raise CorpusError("cannot hold out a dev part: it takes at least two utterances, or two speakers")
    count = min(max(1, round(fraction * len(names))), len(names) - 1)
    return set(sorted(names, key=lambda name: hashlib.sha256(f"{seed} {name}".encode()).digest())[:count])
