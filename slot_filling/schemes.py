"""The tagging schemes IOB1, IOB2 and BIOES, which spell labelled spans as tags of words (Ramshaw and Marcus 1995).

A tag is `O`, or a prefix and a label, `B-city`. A scheme is a table: which prefixes it has, where a
sentence may begin and end, and which prefix may follow which, with the same label and with another.
All functions here read those tables.

    words    fly   to    New     York    Boston   United
    IOB1     O     O     I-city  I-city  B-city   I-airline
    IOB2     O     O     B-city  I-city  B-city   B-airline
    BIOES    O     O     B-city  E-city  S-city   S-airline
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from slot_filling.sentences import Span
from sluice_core.errors import UserError

SchemeName = Literal["IOB1", "IOB2", "BIOES"]
Mask = NDArray[np.bool_]


class SchemeError(UserError):
    """Tags are not allowed by their scheme, or spans cannot be spelled in it."""


@dataclass(frozen=True)
class Scheme:
    """A way to spell spans; each string is a set of prefixes.

    `same[p]` may follow prefix p when the label is the same, `other[p]` when it is another. O has no label: what may
    follow O, and whether O may follow, is in `other`.
    """

    prefixes: str
    start: str
    end: str
    same: Mapping[str, str]
    other: Mapping[str, str]


SCHEMES: Mapping[str, Scheme] = {
    "IOB1": Scheme(
        "OIB",
        start="OI",
        end="OIB",
        same={"I": "IB", "B": "IB"},  # B only where a span touches one of its own label
        other={"O": "OI", "I": "OI", "B": "OI"},
    ),
    "IOB2": Scheme(
        "OBI",
        start="OB",
        end="OBI",
        same={"B": "BI", "I": "BI"},
        other={"O": "OB", "B": "OB", "I": "OB"},
    ),
    "BIOES": Scheme(
        "OBIES",
        start="OBS",
        end="OES",
        same={"B": "IE", "I": "IE", "E": "BS", "S": "BS"},
        other={"O": "OBS", "B": "", "I": "", "E": "OBS", "S": "OBS"},
    ),
}
CONTINUES = "IE"  # in every scheme: after B or I of the same label, these go on with its span


def split(tag: str) -> tuple[str, str]:
    """Return prefix and label: `("B", "city")` for `"B-city"`, `("O", "")` for `"O"`; a label may have hyphens."""
    prefix, _, label = tag.partition("-")
    return prefix, label


def spans(tags: Sequence[str], scheme: str = "IOB2") -> list[Span]:
    """Return the spans that tags spell, in order.

    Raises:
        SchemeError: the scheme does not allow the tags (`slot_filling.evaluation.metrics` reads such ones too).
    """
    problem = check(tags, scheme)
    if problem:
        raise SchemeError(problem)
    found: list[Span] = []
    before = ("O", "")
    for position, tag in enumerate(tags):
        prefix, label = split(tag)
        if prefix in CONTINUES and before[0] in "BI" and before[1] == label:
            found[-1] = found[-1]._replace(end=position + 1)
        elif prefix != "O":
            found.append(Span(label, position, position + 1))
        before = prefix, label
    return found


def tags_of(spans: Iterable[Span], length: int, scheme: str = "IOB2") -> list[str]:
    """Return the tags of `length` words that spell these spans.

    Raises:
        SchemeError: spans overlap, are empty, or reach past the words.
    """
    _scheme(scheme)
    tags = ["O"] * length
    before = Span("", 0, 0)
    for span in sorted(spans, key=lambda span: span.start):
        if not before.end <= span.start < span.end <= length:
            raise SchemeError(
                f"span {span.label} over words {span.start} to {span.end} of {length} is empty, out of the "
                f"sentence or overlaps {before.label or 'nothing'} ({before.start} to {before.end})"
            )
        touches = bool(before.label) and before.end == span.start and before.label == span.label
        prefixes = _spelled(span.end - span.start, touches, scheme)
        tags[span.start : span.end] = [f"{prefix}-{span.label}" for prefix in prefixes]
        before = span
    return tags


def _spelled(length: int, touches: bool, scheme: str) -> str:
    """Return the prefixes of one span; `touches` tells that it directly follows a span of its own label."""
    if "E" in _scheme(scheme).prefixes:
        return "S" if length == 1 else "B" + "I" * (length - 2) + "E"
    first = "I" if scheme == "IOB1" and not touches else "B"
    return first + "I" * (length - 1)


def convert(tags: Sequence[str], source: str, target: str) -> list[str]:
    """Return tags that spell the same spans in another scheme.

    Raises:
        SchemeError: `source` does not allow the tags.

    >>> convert(["O", "B-city", "I-city", "B-date"], "IOB2", "BIOES")
    ['O', 'B-city', 'E-city', 'S-date']
    """
    return tags_of(spans(tags, source), len(tags), target)


def check(tags: Sequence[str], scheme: str = "IOB2") -> str | None:
    """Return what is wrong with the tags of a sentence and at which word (counted from 1), or None."""
    found = fault(tags, scheme)
    return None if found is None else f"word {found[0] + 1}: {found[1]}"


def fault(tags: Sequence[str], scheme: str = "IOB2") -> tuple[int, str] | None:
    """Return the first word (from 0) whose tag the scheme does not allow there, and why; None if all are allowed."""
    rules = _scheme(scheme)
    before = ""
    for position, tag in enumerate(tags):
        prefix, label = split(tag)
        if prefix not in rules.prefixes or len(prefix) != 1 or (prefix == "O") != (not label) or tag == "O-":
            spelled = ", ".join(f"{p}-label" for p in rules.prefixes if p != "O")
            return position, f"{tag!r} is not a tag of {scheme}: O, {spelled}"
        if not (_follows(before, tag, rules) if before else prefix in rules.start):
            return position, _reason(before, tag, scheme)
        before = tag
    if before and before[0] not in rules.end:
        return len(tags) - 1, f"{before} ends the sentence, but its span has no E-{split(before)[1]}"
    return None


def _reason(before: str, tag: str, scheme: str) -> str:
    """Return why `tag` may not follow `before` (empty at the start), and what to do."""
    place = f"follows {before}" if before else "starts the sentence"
    _, label = split(tag)
    if scheme == "IOB1":
        return (
            f"{tag} {place}; in IOB1 only a span that touches another {label} begins with B-: write I-{label}"
        )
    if scheme == "BIOES" and before[:1] in ("B", "I"):
        return f"{tag} {place}, whose span has no end: write E-{split(before)[1]} (or S- for a single word)"
    first = "B- or S-" if scheme == "BIOES" else "B-"
    return (
        f"{tag} starts a span ({tag} {place}); in {scheme} a span begins with {first}: write {first}{label}"
    )


def detect(sentences: Iterable[Sequence[str]]) -> SchemeName:
    """Return the scheme that the fewest of these tag sequences break; IOB2 where several fit."""
    broken: dict[SchemeName, int] = {"IOB2": 0, "IOB1": 0, "BIOES": 0}
    for tags in sentences:
        for name in broken:
            broken[name] += fault(tags, name) is not None
    return min(broken, key=broken.__getitem__)


def transitions(tag_names: Sequence[str], scheme: str = "IOB2") -> tuple[Mask, Mask, Mask]:
    """Return where tags may stand.

    Returns:
        `start` [K], which tags may begin a sentence; `allowed` [K, K], in which `allowed[i, j]` tells whether tag j
        may follow tag i; and `end` [K], which tags may end a sentence.

    Raises:
        SchemeError: a name is no tag of the scheme.
    """
    rules = _scheme(scheme)
    for name in tag_names:
        prefix, label = split(name)
        if prefix not in rules.prefixes or (prefix == "O") != (not label):
            raise SchemeError(f"{name!r} is not a tag of {scheme}")
    start = np.array([name[0] in rules.start for name in tag_names], bool)
    end = np.array([name[0] in rules.end for name in tag_names], bool)
    allowed = np.array(
        [[_follows(before, after, rules) for after in tag_names] for before in tag_names], bool
    ).reshape(len(tag_names), len(tag_names))
    return start, allowed, end


def tag_names(labels: Iterable[str], scheme: str = "IOB2") -> list[str]:
    """Return every tag of the scheme for these labels: O first, then label by label."""
    prefixes = [prefix for prefix in _scheme(scheme).prefixes if prefix != "O"]
    return ["O", *(f"{prefix}-{label}" for label in labels for prefix in prefixes)]


def _follows(before: str, after: str, rules: Scheme) -> bool:
    """Tell whether one tag may follow another."""
    (first, label), (second, next_label) = split(before), split(after)
    table = rules.same if label and label == next_label else rules.other
    return second in table[first]


def _scheme(name: str) -> Scheme:
    if name not in SCHEMES:
        raise SchemeError(f"there is no tagging scheme {name!r}; there are {', '.join(SCHEMES)}")
    return SCHEMES[name]
