"""Utterances on disk: Arrow files that are memory-mapped, so that a million start as fast as ten."""

import hashlib
import json
import logging
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sluice_core.corpus_files import CorpusError
from sluice_core.surrogates import LONE_SURROGATE

if TYPE_CHECKING:
    import datasets
    import pyarrow

LAYOUT = 1  # part of every key: raise it when the columns or their meaning change
UTTERANCES_IN_BATCH = 10_000

log = logging.getLogger(__name__)


@cache
def dataset_features() -> "datasets.Features":
    """Return the columns of every corpus, which are those of `Utterance`."""
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


def cache_key(kind: str, files: Iterable[Path], settings: Mapping[str, Any]) -> str:
    """Return a name for the utterances that are read from `files` with `settings`: it changes when they do.

    Files count by path, size and time of change (folders by path and time), never by content. The recordings
    themselves are not looked at: touch the index file after replacing a recording.

    Raises:
        CorpusError: a file's path is not UTF-8, so that a column could not name a recording beside it.
    """
    digest = hashlib.sha256(f"{LAYOUT} {kind}\n".encode())
    digest.update(json.dumps(dict(settings), sort_keys=True, default=str).encode())
    for file in files:
        stat, path = file.stat(), str(file.resolve())
        if LONE_SURROGATE.search(path):
            raise CorpusError(f"{path}: the path is not UTF-8; rename the file, or the folder that is not")
        digest.update(f"\n{path} {stat.st_size if file.is_file() else '-'} {stat.st_mtime_ns}".encode())
    return f"{kind}-{digest.hexdigest()[:16]}"


def build_dataset(
    read: Callable[[], Iterable[Mapping[str, Any]]], cache: Path, key: str
) -> "datasets.Dataset":
    """Return utterances as a memory-mapped dataset, written to `cache/KEY.arrow` unless that is there already.

    `read` is called only when the file has to be written, and what it returns is read as a stream. The file
    appears whole or not at all, so that a killed run leaves nothing half-written and several processes may build
    the same one.

    Raises:
        CorpusError: there are no utterances, or the cache folder cannot be written.
    """
    return build_from_batches(lambda: utterance_batches(read()), cache, key)


def build_from_batches(
    batches: Callable[[], Iterable["pyarrow.RecordBatch"]], cache: Path, key: str
) -> "datasets.Dataset":
    """Do what `build_dataset` does, with Arrow batches of utterances."""
    from datasets import Dataset

    path = Path(cache) / f"{key}.arrow"
    if path.exists():
        try:
            return Dataset.from_file(str(path))
        except (OSError, ValueError) as error:  # pyarrow.ArrowInvalid is a ValueError
            log.warning("%s cannot be read (%s); writing it again", path, error)
    _write(batches(), path)
    return Dataset.from_file(str(path))


def utterance_batches(utterances: Iterable[Mapping[str, Any]]) -> Iterator["pyarrow.RecordBatch"]:
    """Yield utterances as Arrow batches with all columns; those that an utterance lacks are null or empty."""
    import pyarrow

    utterances = iter(utterances)
    while batch := list(islice(utterances, UTTERANCES_IN_BATCH)):
        filled = [{"speaker": "", **utterance, "words": utterance.get("words") or []} for utterance in batch]
        yield pyarrow.RecordBatch.from_pylist(filled, schema=dataset_features().arrow_schema)


def _write(batches: Iterable["pyarrow.RecordBatch"], path: Path) -> None:
    """Write an Arrow stream under a temporary name, then give it its own."""
    import pyarrow

    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    count = 0
    with _writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with _writing(path):
            writer = pyarrow.ipc.new_stream(str(temporary), dataset_features().arrow_schema)
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
        raise CorpusError(f"no utterances for {path.name}: the corpus, or this split of it, is empty")


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    """Turn an error of the operating system while writing into one that says what to do."""
    try:
        yield
    except OSError as error:
        raise CorpusError(
            f"{path.parent}: cannot write the cache of utterances: {error.strerror or error}; "
            "free some space there, or name another cache folder"
        ) from error
