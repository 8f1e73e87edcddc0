"""Check a corpus before training: how much there is, and what is suspect in it."""

import math
import os
from collections.abc import Iterable, Iterator, Mapping, Sized
from pathlib import Path
from typing import Any, cast

from asr.corpora.manifest import ManifestEntry, read_entries, to_utterance
from asr.corpora.quality import Limits, Suspect, UtteranceStatistics, error_kind, measure_utterance
from asr.corpora.statistics import CorpusStatistics
from asr.corpora.utterances import Utterance, map_threaded
from asr.corpora.validation_report import ValidationReport
from sluice_core.corpus_files import CorpusError
from sluice_core.errors import UserError
from sluice_core.normalization.text import Case
from sluice_core.progress import track

__all__ = ["Limits", "Suspect", "ValidationReport", "validate_manifest", "validate_utterances"]

Candidate = tuple[str, Utterance | Suspect]
"""Where an utterance is written, and the utterance, or why there is none."""


def validate_manifest(
    path: Path,
    *,
    case: Case = "keep",
    limits: Limits | None = None,
    worst: int = 10,
    threads: int | None = None,
    quiet: bool = False,
) -> ValidationReport:
    """Read a manifest and all of its audio; bad lines are reported, not raised.

    Args:
        path: The manifest: CSV, TSV or JSON lines (see `asr.corpora.manifest`).
        case: The case that texts will have in training, which decides vocabulary and characters.
        limits: The settings of training that decide what fits; the defaults of a recipe if not given.
        worst: How many suspects to name.
        threads: How many threads read audio; as many as there are processors, at most 8, if not given.
        quiet: Show no progress.

    Raises:
        CorpusError: the manifest is missing, empty, lacks a column, or is not text.
    """
    path = Path(path)
    entries = read_entries(path)
    first = next(entries, None)
    if first is None:
        raise CorpusError(
            f"{path}: no utterances, only a header" if path.stat().st_size else f"{path}: the file is empty"
        )
    with path.open("rb") as lines:
        total = sum(1 for _ in lines)
    candidates = _candidates(path, first, entries, case)
    return _validate(str(path), candidates, total, limits, worst, threads, quiet)


def validate_utterances(
    utterances: Iterable[Mapping[str, Any]],
    source: str,
    *,
    limits: Limits | None = None,
    worst: int = 10,
    threads: int | None = None,
    quiet: bool = False,
) -> ValidationReport:
    """Do what `validate_manifest` does for the utterances of any corpus, which are named by their ids.

    Args:
        utterances: A dataset of `load_corpus`, or several chained.
        source: What the report calls them.
        limits: The settings of training that decide what fits; the defaults of a recipe if not given.
        worst: How many suspects to name.
        threads: How many threads read audio; as many as there are processors, at most 8, if not given.
        quiet: Show no progress.
    """
    total = len(utterances) if isinstance(utterances, Sized) else None
    candidates = ((utterance["id"], cast(Utterance, utterance)) for utterance in utterances)
    return _validate(source, candidates, total, limits, worst, threads, quiet)


def _candidates(
    path: Path, first: ManifestEntry, others: Iterator[ManifestEntry], case: Case
) -> Iterator[Candidate]:
    """Yield the lines of a manifest; a bad one does not end it, unless nothing after it can be read."""
    entry: ManifestEntry | None = first
    while entry is not None:
        where = f"line {entry.line}"
        try:
            yield where, to_utterance(entry, path, case)
        except CorpusError as error:
            reason = str(error).removeprefix(f"{path}, {where}: ")
            yield where, Suspect("bad line", where, "", reason, math.inf)
        try:
            entry = next(others, None)
        except CorpusError as error:
            after = f"after {where}"
            yield after, Suspect("bad line", after, "", f"{error}; nothing further was read", math.inf)
            return


def _validate(
    source: str,
    candidates: Iterator[Candidate],
    total: int | None,
    limits: Limits | None,
    worst: int,
    threads: int | None,
    quiet: bool,
) -> ValidationReport:
    """Measure all utterances and report on them."""
    statistics = CorpusStatistics(limits or Limits(), worst)
    threads = threads or min(8, os.cpu_count() or 1)
    measured = map_threaded(_measure, candidates, threads)
    for result in track(measured, "reading audio", total=total, quiet=quiet):
        statistics.add(result)
    return statistics.report(source)


def _measure(candidate: Candidate) -> UtteranceStatistics | Suspect:
    """Measure an utterance, or say why that is not possible."""
    where, utterance = candidate
    if isinstance(utterance, Suspect):
        return utterance
    try:
        return measure_utterance(where, utterance)
    except UserError as error:
        return Suspect(error_kind(utterance["audio"]), where, utterance["id"], str(error), math.inf)
