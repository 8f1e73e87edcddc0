"""What a recognizer gets wrong: alignments of references with hypotheses, and counts over them."""

import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from asr.evaluation.error_rates import Edit, EditKind, ErrorCount, Unit, align_texts
from asr.evaluation.evaluation import Evaluation

_UNSPACED = ("CJK", "HIRAGANA", "KATAKANA", "THAI", "LAO", "KHMER", "MYANMAR")
"""Scripts that put no space between words, as their characters' Unicode names begin."""


@dataclass(frozen=True)
class AlignedUtterance:
    """An utterance whose hypothesis is aligned with its reference by the fewest edits."""

    item: int
    """The utterance's number in the split."""
    id: str
    speaker: str
    seconds: float
    edits: tuple[Edit, ...]
    readable: bool

    @property
    def count(self) -> ErrorCount:
        """The errors of the utterance."""
        size = Counter[str]()
        for edit in self.edits:
            size[edit.kind] += max(len(edit.reference), len(edit.hypothesis))
        total = size["equal"] + size["substitute"] + size["delete"]
        return ErrorCount(size["substitute"], size["delete"], size["insert"], total)


@dataclass(frozen=True)
class ErrorGroup:
    """Utterances that have something in common, and their errors."""

    name: str
    utterances: int
    seconds: float
    count: ErrorCount


def unit_of(texts: Iterable[str]) -> Unit:
    """Return characters for texts that are mostly written without spaces between words, and words for others.

    >>> unit_of(["two seats to boston"]), unit_of(["我要一杯咖啡"])
    ('words', 'characters')
    """
    characters = Counter(character for text in texts for character in text if character.isalpha())
    unspaced = sum(
        count
        for character, count in characters.items()
        if unicodedata.name(character, "").startswith(_UNSPACED)
    )
    return "characters" if 2 * unspaced > characters.total() else "words"


def align(evaluation: Evaluation, unit: Unit) -> list[AlignedUtterance]:
    """Align the hypothesis of every utterance of a split with its reference."""
    edits = align_texts(evaluation.references, evaluation.hypotheses, unit)
    return [
        AlignedUtterance(item, name, speaker, seconds, edits[item], name not in evaluation.unreadable)
        for item, (name, speaker, seconds) in enumerate(
            zip(evaluation.ids, evaluation.speakers, evaluation.durations, strict=True)
        )
    ]


def confusions(utterances: Iterable[AlignedUtterance]) -> dict[EditKind, Counter[tuple[str, str]]]:
    """Count how often each pair of reference and hypothesis was substituted, deleted or inserted ("" is nothing)."""
    counts: dict[EditKind, Counter[tuple[str, str]]] = {
        "substitute": Counter(),
        "delete": Counter(),
        "insert": Counter(),
    }
    for utterance in utterances:
        for edit in utterance.edits:
            if edit.kind == "substitute":
                counts[edit.kind].update(zip(edit.reference, edit.hypothesis, strict=True))
            elif edit.kind == "delete":
                counts[edit.kind].update((unit, "") for unit in edit.reference)
            elif edit.kind == "insert":
                counts[edit.kind].update(("", unit) for unit in edit.hypothesis)
    return counts


def by_speaker(utterances: Sequence[AlignedUtterance]) -> list[ErrorGroup]:
    """Return the errors of each speaker, the highest rate first."""
    speakers: dict[str, list[AlignedUtterance]] = {}
    for utterance in utterances:
        speakers.setdefault(utterance.speaker, []).append(utterance)
    groups = [_group(name or "not given", members) for name, members in speakers.items()]
    return sorted(groups, key=lambda group: (-group.count.rate, group.name))


def by_length(utterances: Sequence[AlignedUtterance], most: int = 6, fewest: int = 5) -> list[ErrorGroup]:
    """Return the errors by duration of the utterance, shortest first.

    Args:
        utterances: at least one.
        most: the highest number of groups, each of about as many utterances.
        fewest: how many utterances a group should have at least.
    """
    seconds = np.array([utterance.seconds for utterance in utterances])
    count = int(np.clip(len(utterances) // fewest, 1, most))
    edges = np.unique(np.round(np.quantile(seconds, np.linspace(0, 1, count + 1)[1:-1]), 1)).tolist()
    place = np.searchsorted(edges, seconds, side="right")
    groups = []
    for number in np.unique(place).tolist():
        low, high = ([None, *edges][number], [*edges, None][number])
        members = [utterances[item] for item in np.flatnonzero(place == number).tolist()]
        groups.append(_group(_range(low, high), members))
    return groups


def _range(low: float | None, high: float | None) -> str:
    if low is None:
        name = "any length" if high is None else f"under {high:.1f} s"
    else:
        name = f"{low:.1f} s and more" if high is None else f"{low:.1f} to {high:.1f} s"
    return name.replace(" ", "\N{NO-BREAK SPACE}")


def _group(name: str, utterances: Sequence[AlignedUtterance]) -> ErrorGroup:
    counts = [utterance.count for utterance in utterances]
    total = ErrorCount(
        sum(count.substitutions for count in counts),
        sum(count.deletions for count in counts),
        sum(count.insertions for count in counts),
        sum(count.total for count in counts),
    )
    return ErrorGroup(name, len(utterances), sum(utterance.seconds for utterance in utterances), total)


def worst_first(utterances: Iterable[AlignedUtterance]) -> list[AlignedUtterance]:
    """Sort by falling error rate; of equal rates the one with more errors first, of faultless ones the shorter."""
    counted = [(utterance, utterance.count) for utterance in utterances]
    counted.sort(key=lambda pair: (-pair[1].rate, -pair[1].errors, pair[1].total, pair[0].item))
    return [utterance for utterance, _ in counted]
