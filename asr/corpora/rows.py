"""Utterances as plain rows on disk: Arrow files, memory-mapped, so a million start as fast as ten."""

import hashlib
import json
import logging
import os
import tempfile
import unicodedata
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache, lru_cache
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NotRequired, TypedDict, TypeVar

from training.errors import UserError

if TYPE_CHECKING:
    import datasets

Case = Literal["keep", "lower", "upper"]
Item = TypeVar("Item")
Result = TypeVar("Result")

LAYOUT = 1  # part of every key: raise it when the columns or their meaning change
ROWS_IN_BATCH = 10_000
END_TOLERANCE_SECONDS = 0.1  # segment ends are rounded by whoever wrote them

log = logging.getLogger(__name__)


class CorpusError(UserError):
    """A corpus is not where, or not what, it was said to be; the message names the file and line."""


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


def normalize_text(text: str, case: Case = "keep") -> str:
    """Unicode NFC, whitespace runs as one space, none at the ends, and the case asked for."""
    text = " ".join(unicodedata.normalize("NFC", text).split())
    if case == "keep":
        return text
    # Changing case can leave composable characters behind ("İ".lower() is "i" and a dot above).
    return unicodedata.normalize("NFC", text.lower() if case == "lower" else text.upper())


def source_key(kind: str, files: Iterable[Path], settings: Mapping[str, Any]) -> str:
    """A name for rows made from `files` with `settings`: another name once any of them changes.

    Files count by path, size and time of change (folders by path and time), never by content. The
    recordings themselves are not looked at: touch the index file after replacing a recording.
    """
    digest = hashlib.sha256(f"{LAYOUT} {kind}\n".encode())
    digest.update(json.dumps(dict(settings), sort_keys=True, default=str).encode())
    for file in files:
        stat = file.stat()
        digest.update(
            f"\n{file.resolve()} {stat.st_size if file.is_file() else '-'} {stat.st_mtime_ns}".encode()
        )
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
    from datasets import Dataset

    path = Path(cache) / f"{key}.arrow"
    if path.exists():
        try:
            return Dataset.from_file(str(path))
        except (OSError, ValueError) as error:  # pyarrow.ArrowInvalid is a ValueError
            log.warning("%s cannot be read (%s); writing it again", path, error)
    write_rows(rows(), path)
    return Dataset.from_file(str(path))


def write_rows(rows: Iterable[Mapping[str, Any]], path: Path) -> None:
    """Write rows as an Arrow stream, a batch at a time, under a temporary name until complete.

    Raises:
        CorpusError: there are no rows, or the folder cannot be written.
    """
    import pyarrow

    rows = iter(rows)
    first = next(rows, None)
    if first is None:
        raise CorpusError(f"no utterances to write to {path}: the corpus, or this part of it, is empty")
    temporary = _temporary_beside(path)
    schema = features().arrow_schema
    try:
        writer = pyarrow.ipc.new_stream(str(temporary), schema)
        batch: list[Mapping[str, Any]] = [first, *islice(rows, ROWS_IN_BATCH - 1)]
        while batch:
            filled = [{"speaker": "", **row, "words": row.get("words") or []} for row in batch]
            try:
                writer.write_batch(pyarrow.RecordBatch.from_pylist(filled, schema=schema))
            except OSError as error:
                raise _unwritable(path, error) from error
            batch = list(islice(rows, ROWS_IN_BATCH))
        try:
            writer.close()
            temporary.replace(path)
        except OSError as error:
            raise _unwritable(path, error) from error
    finally:
        temporary.unlink(missing_ok=True)


def _temporary_beside(path: Path) -> Path:
    """A new empty file in the folder of `path`, which is made if need be."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    except OSError as error:
        raise _unwritable(path, error) from error
    os.close(handle)
    return Path(name)


def _unwritable(path: Path, error: OSError) -> CorpusError:
    return CorpusError(
        f"{path.parent}: cannot write the cache of utterances: {error.strerror or error}; "
        "free some space there, or name another cache folder"
    )


def measured(items: Iterable[Located], threads: int = 8) -> Iterator[Utterance]:
    """Utterances with `duration_seconds`, read from the headers of their files by several threads.

    A segment's duration is its own, not its file's.

    Raises:
        CorpusError: an audio file is missing or unreadable, or a segment lies outside it; says where.
    """

    @lru_cache(maxsize=4096)  # many segments come from one file
    def file_seconds(audio: str) -> float:
        return _file_seconds(audio)

    def measure(item: Located) -> Utterance:
        where, row = item
        try:
            seconds = file_seconds(row["audio"])
        except UserError as error:
            raise CorpusError(f"{where}: {error}") from error
        return {**row, "duration_seconds": segment_seconds(where, row, seconds)}

    return threaded(measure, items, threads)


def segment_seconds(where: str, row: Utterance, file_seconds: float) -> float:
    """Duration of an utterance within a file of `file_seconds`.

    Raises:
        CorpusError: the file is empty, or the segment begins or ends after its end.
    """
    if file_seconds <= 0:
        raise CorpusError(f"{where}: audio file {row['audio']} holds no sound (0 seconds)")
    start, end = row.get("start_seconds") or 0.0, row.get("end_seconds")
    if start >= file_seconds or (end is not None and end > file_seconds + END_TOLERANCE_SECONDS):
        raise CorpusError(
            f"{where}: the segment from {start:g} to {'the end' if end is None else f'{end:g} seconds'} "
            f"is not inside {row['audio']}, which lasts {file_seconds:.2f} seconds"
        )
    return (file_seconds if end is None else min(end, file_seconds)) - start


def _file_seconds(audio: str) -> float:
    """Duration of a file by its header."""
    import soundfile

    if not Path(audio).is_file():
        raise CorpusError(f"audio file {audio} is missing")
    try:
        return float(soundfile.info(audio).duration)
    except soundfile.LibsndfileError as error:
        raise CorpusError(f"audio file {audio} cannot be read: {error}") from error


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


def describe_folder(folder: Path) -> str:
    """What is there, for an error message: `"it holds a, b, c and 12 more"`."""
    if not folder.exists():
        return "there is no such folder"
    if not folder.is_dir():
        return "it is a file"
    names = sorted(item.name + "/" * item.is_dir() for item in folder.iterdir())
    if not names:
        return "the folder is empty"
    more = f" and {len(names) - 6} more" if len(names) > 6 else ""
    return f"it holds {', '.join(names[:6])}{more}"


def corpus_folder(data: Path | None, corpus: str, needed: Sequence[str]) -> Path:
    """The folder of a corpus, once everything `needed` (paths in it) is there.

    Raises:
        CorpusError: no folder was named, or something is missing; says what was looked for and found.
    """
    looked_for = " and ".join(needed)
    if data is None:
        raise CorpusError(f"corpus {corpus} needs its folder (corpus.data), the one with {looked_for}")
    if all((data / path).exists() for path in needed):
        return data
    message = f"{data}: not the {corpus} corpus: looked for {looked_for}; {describe_folder(data)}"
    inside = sorted(path for path in data.glob("*/") if all((path / name).exists() for name in needed))
    raise CorpusError(message + (f"; did you mean {inside[0]}?" if inside else ""))
