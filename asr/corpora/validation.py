"""A look through a corpus before training: how much there is, and what is suspect in it."""

import math
import os
from collections.abc import Iterable, Iterator, Mapping, Sized
from pathlib import Path
from typing import Any, cast

from asr.corpora.manifest import Record, read_records, to_utterance
from asr.corpora.quality import Limits, Measurement, Suspect, error_kind, measure_utterance
from asr.corpora.statistics import Tally
from asr.corpora.utterances import CorpusError, Utterance, threaded
from asr.corpora.validation_report import CheckReport
from sluice_core.errors import UserError
from sluice_core.normalization.text import Case
from sluice_core.progress import track

__all__ = ["CheckReport", "Limits", "Suspect", "check_manifest", "check_rows"]

Entry = tuple[str, Utterance | Suspect]  # where it is written, and the utterance or why there is none


def check_manifest(
    path: Path,
    *,
    case: Case = "keep",
    limits: Limits | None = None,
    worst: int = 10,
    threads: int | None = None,
    quiet: bool = False,
) -> CheckReport:
    """Read a manifest and listen to all of its audio; bad lines are reported, not raised.

    Args:
        path: CSV, TSV or JSON lines (see `asr.corpora.manifest`).
        case: as training will have it: decides vocabulary and characters.
        limits: what training will be like; the defaults of a recipe if not given.
        worst: how many suspects to name.
        threads: that read audio; as many as there are processors, at most 8, if not given.
        quiet: show no progress.

    Raises:
        CorpusError: the manifest is missing, empty, lacks a column, or is not text.
    """
    path = Path(path)
    records = read_records(path)
    first = next(records, None)
    if first is None:
        raise CorpusError(
            f"{path}: no utterances, only a header" if path.stat().st_size else f"{path}: the file is empty"
        )
    with path.open("rb") as lines:
        total = sum(1 for _ in lines)
    entries = _entries(path, first, records, case)
    return _check(str(path), entries, total, limits, worst, threads, quiet)


def check_rows(
    rows: Iterable[Mapping[str, Any]],
    source: str,
    *,
    limits: Limits | None = None,
    worst: int = 10,
    threads: int | None = None,
    quiet: bool = False,
) -> CheckReport:
    """As `check_manifest`, for the rows of any corpus; they are named by their ids.

    Args:
        rows: a dataset of `load_corpus`, or several chained.
        source: what to call them.
        limits: what training will be like; the defaults of a recipe if not given.
        worst: how many suspects to name.
        threads: that read audio.
        quiet: show no progress.
    """
    total = len(rows) if isinstance(rows, Sized) else None
    entries = ((row["id"], cast(Utterance, row)) for row in rows)
    return _check(source, entries, total, limits, worst, threads, quiet)


def _entries(path: Path, first: Record, others: Iterator[Record], case: Case) -> Iterator[Entry]:
    """Lines of a manifest; a bad one does not end it, unless nothing after it can be read."""
    record: Record | None = first
    while record is not None:
        where = f"line {record.line}"
        try:
            yield where, to_utterance(record, path, case)
        except CorpusError as error:
            reason = str(error).removeprefix(f"{path}, {where}: ")
            yield where, Suspect("bad line", where, "", reason, math.inf)
        try:
            record = next(others, None)
        except CorpusError as error:
            after = f"after {where}"
            yield after, Suspect("bad line", after, "", f"{error}; nothing further was read", math.inf)
            return


def _check(
    source: str,
    entries: Iterator[Entry],
    total: int | None,
    limits: Limits | None,
    worst: int,
    threads: int | None,
    quiet: bool,
) -> CheckReport:
    tally = Tally(limits or Limits(), worst)
    threads = threads or min(8, os.cpu_count() or 1)
    examined = threaded(_examine, entries, threads)
    for result in track(examined, "listening", total=total, quiet=quiet):
        tally.add(result)
    return tally.report(source)


def _examine(entry: Entry) -> Measurement | Suspect:
    """Listen to an utterance, or say why that cannot be done."""
    where, row = entry
    if isinstance(row, Suspect):
        return row
    try:
        return measure_utterance(where, row)
    except UserError as error:
        return Suspect(error_kind(row["audio"]), where, row["id"], str(error), math.inf)
