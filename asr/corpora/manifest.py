"""Your own corpus: a manifest in CSV, TSV or JSON lines with an utterance in each line.

The columns, in any order, with a header line in CSV and TSV; other columns are allowed and ignored:

    audio           path of the recording, relative to the manifest's folder, or absolute
    text            what is said
    id              optional; the audio path without its suffix if not given
    speaker         optional
    start_seconds   optional: where the utterance begins, if it is a segment of the recording
    end_seconds     optional: where it ends

Files are UTF-8, with or without a byte order mark. Fields may be quoted in CSV; in TSV, quotation marks have no
meaning.
"""

import csv
import json
import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from reprlib import repr as shortened
from typing import TYPE_CHECKING, Any

from asr.config import SpeechCorpusConfig
from asr.corpora.dataset_cache import build_dataset, cache_key
from asr.corpora.splits import complete_splits
from asr.corpora.utterances import LocatedUtterance, Utterance, add_durations
from sluice_core.corpus_files import CorpusError, describe_folder, read_lines
from sluice_core.normalization.text import Case, normalize_text

if TYPE_CHECKING:
    from datasets import Dataset

NEEDED = ("audio", "text")
COLUMNS = (*NEEDED, "id", "speaker", "start_seconds", "end_seconds")
NO_TEXT = re.compile("[\0\ud800-\udfff]")  # NUL is in no file name, half of a surrogate pair in no UTF-8


@dataclass(frozen=True)
class ManifestEntry:
    """A line of a manifest as it was written, or what is wrong with it."""

    line: int
    fields: Mapping[str, Any]
    error: str | None = None


def load(config: SpeechCorpusConfig, cache: Path) -> dict[str, "Dataset"]:
    """Load the splits from the manifests `config.train` (or `config.data`), `config.dev` and `config.test`.

    Without a dev manifest, dev is taken from training: whole speakers where the manifest names at least
    five, or else utterances.

    Raises:
        CorpusError: no training manifest is named, or a line of one is wrong; the line is named.
    """
    if config.data is not None and config.train is not None:
        raise CorpusError("corpus.data and corpus.train both name a training manifest; keep one of them")
    paths = {"train": config.train or config.data, "dev": config.dev, "test": config.test}
    if paths["train"] is None:
        raise CorpusError(
            "corpus manifest needs a manifest file: corpus.data (--data FILE), or corpus.train and corpus.dev"
        )
    splits, keys = {}, {}
    for split, path in paths.items():
        if path is not None:
            splits[split], keys[split] = load_manifest(path, cache, config.case), _key(path, config.case)
    return complete_splits(splits, config, cache, keys["train"])


def load_manifest(path: Path, cache: Path, case: Case = "keep") -> "Dataset":
    """Load all utterances of one manifest, undivided.

    Raises:
        CorpusError: the file is missing, or a line of it is wrong; the line is named.
    """
    reader_of(path)  # raises an error about a missing file or an unknown suffix before anything is read
    return build_dataset(partial(_utterances, path, case), cache, _key(path, case))


def _key(path: Path, case: Case) -> str:
    return cache_key("manifest", [path], {"case": case})


def _utterances(path: Path, case: Case) -> Iterator[Utterance]:
    return add_durations(read_manifest(path, case))


def read_manifest(path: Path, case: Case = "keep") -> Iterator[LocatedUtterance]:
    """Read the utterances of a manifest, and where each is written, as a stream; recordings are not looked at.

    Raises:
        CorpusError: a column is missing or a line is wrong; the line is named.
    """
    for entry in read_entries(path):
        yield f"{path}, line {entry.line}", to_utterance(entry, path, case)


def read_entries(path: Path) -> Iterator[ManifestEntry]:
    """Read the lines of a manifest as a stream; only their form is checked.

    Raises:
        CorpusError: the file is missing, not UTF-8, of an unknown kind, or lacks a column.
    """
    return reader_of(path)(path)


def reader_of(path: Path) -> Callable[[Path], Iterator[ManifestEntry]]:
    """Return the function that reads manifests with the suffix of `path`.

    Raises:
        CorpusError: there is no such file, or its suffix is not known.
    """
    if not path.is_file():
        folder = path if path.is_dir() else path.parent
        raise CorpusError(
            f"{path}: there is no such manifest file (folder {folder}: {describe_folder(folder)})"
        )
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        raise CorpusError(
            f"{path}: a manifest is one of {', '.join(READERS)}, not {path.suffix or 'without suffix'}"
        )
    return reader


def _read_delimited(path: Path, **dialect: Any) -> Iterator[ManifestEntry]:
    """Read the lines of CSV or TSV."""
    reader = csv.reader((line for _, line in read_lines(path)), **dialect)
    header: list[str] | None = None
    try:
        for fields in reader:
            if not any(field.strip() for field in fields):
                continue
            if header is None:
                header = [name.strip() for name in fields]
                _check_header(header, path, reader.line_num, dialect["delimiter"])
            elif len(fields) != len(header):
                hint = "; quote a text that has commas" if dialect["delimiter"] == "," else ""
                problem = f"{len(fields)} fields where the header has {len(header)}{hint}"
                yield ManifestEntry(reader.line_num, {}, problem)
            else:
                yield ManifestEntry(reader.line_num, dict(zip(header, fields, strict=True)))
    except csv.Error as error:
        raise CorpusError(
            f"{path}, line {reader.line_num}: not valid {path.suffix[1:].upper()}: {error}"
        ) from error
    if header is None:
        raise CorpusError(f"{path}: the file is empty; its first line names the columns: {', '.join(NEEDED)}")


def _check_header(header: list[str], path: Path, line: int, delimiter: str) -> None:
    """Check that the needed columns are there, and none that is read is there twice."""
    repeated = [
        name for name in COLUMNS if header.count(name) > 1
    ]  # columns that are ignored may be repeated
    if repeated:
        raise CorpusError(f"{path}, line {line}: more than one column {' and '.join(repeated)}; keep one")
    missing = [name for name in NEEDED if name not in header]
    if not missing:
        return
    message = f"{path}, line {line}: no column {' and '.join(missing)}; the columns are {', '.join(header)}"
    others = [other for other in ",;\t" if other != delimiter and any(other in name for name in header)]
    if len(header) == 1 and others:
        shown = {",": "commas", ";": "semicolons", "\t": "tabs"}
        message += f"; fields seem to be separated by {shown[others[0]]}, not {shown[delimiter]}"
    elif missing == list(NEEDED):
        message += "; the first line must name the columns"
    raise CorpusError(message)


def _read_json_lines(path: Path) -> Iterator[ManifestEntry]:
    """Read the lines of JSON lines."""
    for number, line in read_lines(path):
        if not line.strip():
            continue
        try:
            fields = json.loads(line)
        except (ValueError, RecursionError) as error:  # RecursionError: brackets nested too deep
            yield ManifestEntry(number, {}, f"not valid JSON: {error}")
            continue
        if not isinstance(fields, dict):
            yield ManifestEntry(
                number, {}, f'expected an object such as {{"audio": …, "text": …}}, found {line.strip()[:60]}'
            )
            continue
        missing = [name for name in NEEDED if fields.get(name) is None]
        problem = f"no {' and '.join(missing)}; the names there are {', '.join(fields) or 'none'}"
        yield ManifestEntry(number, fields, problem if missing else None)


READERS: dict[str, Callable[[Path], Iterator[ManifestEntry]]] = {
    ".csv": partial(_read_delimited, delimiter=",", strict=True),
    ".tsv": partial(_read_delimited, delimiter="\t", quoting=csv.QUOTE_NONE),
    ".jsonl": _read_json_lines,
    ".ndjson": _read_json_lines,
    ".json": _read_json_lines,
}


def to_utterance(entry: ManifestEntry, path: Path, case: Case = "keep") -> Utterance:
    """Return the utterance that a line of the manifest `path` describes.

    Raises:
        CorpusError: the line is malformed, a text is empty, a time is not a number, or an end is not after its start.
    """
    where = f"{path}, line {entry.line}"
    if entry.error:
        raise CorpusError(f"{where}: {entry.error}")
    audio, text, speaker, name = (
        _text(entry.fields, column, where) for column in ("audio", "text", "speaker", "id")
    )
    text = normalize_text(text, case)
    for column, value in (("audio", audio), ("text", text)):
        if not value:
            raise CorpusError(f"{where}: {column} is empty")
    if not Path(audio).name:
        raise CorpusError(f"{where}: audio {audio!r} is a folder, not a recording")
    start = _seconds(entry.fields, "start_seconds", where)
    end = _seconds(entry.fields, "end_seconds", where)
    if end is not None and end <= (start or 0.0):
        raise CorpusError(f"{where}: end_seconds {end:g} is not after start_seconds {start or 0.0:g}")
    if not name:
        segment = (
            ""
            if start is None and end is None
            else f"-{start or 0.0:.2f}-{'end' if end is None else f'{end:.2f}'}"
        )
        name = Path(audio).with_suffix("").as_posix() + segment
    return {
        "id": name,
        "audio": str(path.resolve().parent / audio),
        "text": text,
        "speaker": speaker,
        "start_seconds": start,
        "end_seconds": end,
    }


def _text(fields: Mapping[str, Any], column: str, where: str) -> str:
    """Return the text in a column; "" where there is none."""
    value = fields.get(column)
    if isinstance(value, int) and not isinstance(value, bool):  # speaker 7 and id 12 in JSON
        value = str(value)
    if value is not None and not isinstance(value, str):
        raise CorpusError(f"{where}: {column} must be text in quotation marks, found {shortened(value)}")
    if found := NO_TEXT.search(value or ""):
        raise CorpusError(f"{where}: {column} holds {found[0]!r}, which is no character")
    return (value or "").strip()


def _seconds(fields: Mapping[str, Any], column: str, where: str) -> float | None:
    """Return the time in a column, in seconds; None where there is none."""
    value = fields.get(column)
    if value is None or value == "" or (isinstance(value, str) and not value.strip()):
        return None
    try:
        seconds = float(value) if not isinstance(value, bool) else math.nan
    except (TypeError, ValueError, OverflowError):
        seconds = math.nan
    if not (math.isfinite(seconds) and seconds >= 0):
        raise CorpusError(f"{where}: {column} is not a number of seconds from 0: {shortened(value)}")
    return seconds
