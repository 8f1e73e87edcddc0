"""Metrics of a tagger's answers, counted as conlleval and seqeval count.

Precision, recall and F1 are over whole spans: label and both borders must be right (Tjong Kim Sang and
Buchholz 2000). Tags that spell no proper spans are read by one of two rules, as in those programs:
*conlleval* begins a span at an I- that follows nothing of its label; *strict* counts no such span
(seqeval's strict mode with IOB2). A tagger's own tags are always proper, and the two then agree.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from slot_filling.schemes import split
from slot_filling.sentences import Sentence, Span
from sluice_core.errors import UserError
from sluice_core.wording import plural

Rules = Literal["conlleval", "strict"]
NOTHING = "(none)"
"""Stands in `confusions` for a missing span."""


class SpanCounts(NamedTuple):
    """Spans in the reference, spans found, and spans found that are in the reference."""

    gold: int = 0
    found: int = 0
    right: int = 0

    @property
    def precision(self) -> float:
        """The share of the found spans that are right; 0 if none is found."""
        return self.right / self.found if self.found else 0.0

    @property
    def recall(self) -> float:
        """The share of the reference's spans that are found; 0 if it has none."""
        return self.right / self.gold if self.gold else 0.0

    @property
    def f1(self) -> float:
        """The harmonic mean of precision and recall."""
        return 2 * self.right / (self.gold + self.found) if self.right else 0.0


@dataclass(frozen=True)
class SlotScores:
    """Counts over all spans and of each label."""

    total: SpanCounts
    labels: Mapping[str, SpanCounts]
    """The counts of each label, in alphabetical order."""
    words: int
    right_words: int
    """Words whose tag is right, those tagged O included (conlleval's accuracy)."""

    @property
    def precision(self) -> float:
        """Over all spans (micro average)."""
        return self.total.precision

    @property
    def recall(self) -> float:
        """Over all spans (micro average)."""
        return self.total.recall

    @property
    def f1(self) -> float:
        """Over all spans (micro average), 0 to 1."""
        return self.total.f1

    @property
    def accuracy(self) -> float:
        """Share of words with the right tag."""
        return self.right_words / self.words if self.words else 0.0

    def rows(self) -> list[list[str | int | float]]:
        """Return a line for each label, most frequent first: label, precision, recall, F1 (percent), gold, found."""
        ordered = sorted(self.labels.items(), key=lambda item: (-item[1].gold, item[0]))
        named = [*ordered, ("all", self.total)]
        return [
            [
                name,
                *(round(100 * share, 2) for share in (counts.precision, counts.recall, counts.f1)),
                *counts[:2],
            ]
            for name, counts in named
        ]

    def to_dict(self) -> dict[str, object]:
        """Return the figures as plain values."""
        return {
            **_figures(self.total),
            "accuracy": self.accuracy,
            "labels": {label: _figures(counts) for label, counts in self.labels.items()},
        }


def _figures(counts: SpanCounts) -> dict[str, float]:
    return {"precision": counts.precision, "recall": counts.recall, "f1": counts.f1, **counts._asdict()}


def lenient_spans(tags: Sequence[str]) -> list[Span]:
    """Return spans by conlleval's rules, of any tags with B, I, E, S and O.

    A span begins at B- and S-, and at any other tag with a label that does not continue the word before it:
    because that one is O, ends its span (E-, S-), or has another label.

    >>> lenient_spans(["B-city", "I-city", "O", "I-date"])
    [Span(label='city', start=0, end=2), Span(label='date', start=3, end=4)]
    """
    found: list[Span] = []
    before = ("O", "")
    for position, tag in enumerate(tags):
        prefix, label = split(tag)
        if prefix in ("I", "E") and before[0] in ("B", "I") and before[1] == label:
            found[-1] = found[-1]._replace(end=position + 1)
        elif prefix != "O":
            found.append(Span(label, position, position + 1))
        before = prefix, label
    return found


def strict_spans(tags: Sequence[str]) -> list[Span]:
    """Return the spans of IOB2 tags that begin with B-, as seqeval's strict mode does.

    >>> strict_spans(["B-city", "I-city", "O", "I-date"])
    [Span(label='city', start=0, end=2)]
    """
    return [span for span in lenient_spans(tags) if split(tags[span.start])[0] == "B"]


SPANS: Mapping[Rules, Callable[[Sequence[str]], list[Span]]] = {
    "conlleval": lenient_spans,
    "strict": strict_spans,
}


def score_spans(
    gold: Sequence[Sequence[str]], found: Sequence[Sequence[str]], rules: Rules = "conlleval"
) -> SlotScores:
    """Count the spans of the reference, the found ones, and those that are right.

    Args:
        gold: tags of the reference, sentence by sentence.
        found: the tagger's.
        rules: how tags that are no proper IOB2 are read.

    Raises:
        UserError: the number of sentences differs, or the number of words of a sentence.

    >>> scores = score_spans([["B-city", "O"], ["B-city", "I-city"]], [["B-city", "O"], ["B-city", "O"]])
    >>> scores.f1, scores.accuracy
    (0.5, 0.75)
    """
    _check_lengths(gold, found)
    spans = SPANS[rules]
    in_gold, in_found, right = Counter[str](), Counter[str](), Counter[str]()
    words = right_words = 0
    for tags, answer in zip(gold, found, strict=True):
        wanted, got = spans(tags), spans(answer)
        in_gold.update(span.label for span in wanted)
        in_found.update(span.label for span in got)
        right.update(span.label for span in set(wanted) & set(got))
        words += len(tags)
        right_words += sum(tag == other for tag, other in zip(tags, answer, strict=True))
    labels = {
        label: SpanCounts(in_gold[label], in_found[label], right[label])
        for label in sorted(in_gold | in_found)
    }
    total = SpanCounts(in_gold.total(), in_found.total(), right.total())
    return SlotScores(total, labels, words, right_words)


def _check_lengths(gold: Sequence[Sequence[str]], found: Sequence[Sequence[str]]) -> None:
    """Raise unless both have the same sentences of the same lengths."""
    if len(gold) != len(found):
        raise UserError(
            f"{plural(len(gold), 'sentence')} in the reference, but {plural(len(found), 'answer')}"
        )
    for number, (tags, answer) in enumerate(zip(gold, found, strict=True), 1):
        if len(tags) != len(answer):
            raise UserError(
                f"sentence {number}: {plural(len(tags), 'tag')} in the reference, but {len(answer)} in the answer"
            )


def confusions(gold: Sequence[Sequence[str]], found: Sequence[Sequence[str]]) -> Counter[tuple[str, str]]:
    """Count how often a span of one label was answered by one of another: (reference, answer) → count.

    Each span of the reference is paired with the found span that shares most words with it (the first of
    several), whatever its borders; with `NOTHING` if none does. Found spans that touch none are
    (`NOTHING`, label).
    """
    _check_lengths(gold, found)
    pairs = Counter[tuple[str, str]]()
    for tags, answer in zip(gold, found, strict=True):
        wanted, got = lenient_spans(tags), lenient_spans(answer)
        for span in wanted:
            best = max(got, key=lambda other, span=span: _shared(span, other), default=None)  # type: ignore[misc]
            touching = best is not None and _shared(span, best) > 0
            pairs[span.label, best.label if best and touching else NOTHING] += 1
        for span in got:
            if not any(_shared(span, other) > 0 for other in wanted):
                pairs[NOTHING, span.label] += 1
    return pairs


def _shared(span: Span, other: Span) -> int:
    """Return the number of words in both spans; 0 or less if there are none."""
    return min(span.end, other.end) - max(span.start, other.start)


def intent_accuracy(gold: Sequence[str | None], found: Sequence[str | None]) -> float | None:
    """Return the share of right intents, by exact match, of the sentences that have one; None if none has.

    >>> intent_accuracy(["flight", "fare", None], ["flight", "flight", "fare"])
    0.5
    """
    pairs = [(wanted, got) for wanted, got in zip(gold, found, strict=True) if wanted is not None]
    return sum(wanted == got for wanted, got in pairs) / len(pairs) if pairs else None


def right_sentences(
    gold: Sequence[Sentence], tags: Sequence[Sequence[str]], intents: Sequence[str | None] | None = None
) -> list[bool]:
    """Return which sentences are right in every span, and in the intent where there is one and it was asked for.

    Args:
        gold: labelled sentences.
        tags: the answers, in IOB2.
        intents: the answers; None if the tagger knows no intents.
    """
    _check_lengths([sentence.tags or () for sentence in gold], tags)
    answers = intents if intents is not None else [sentence.intent for sentence in gold]
    return [
        lenient_spans(sentence.tags or ()) == lenient_spans(found) and sentence.intent in (None, intent)
        for sentence, found, intent in zip(gold, tags, answers, strict=True)
    ]


def right_spans(gold: Sequence[str], spans: Sequence[Span]) -> list[bool]:
    """Return which of the found spans are in the reference; confidences of slots are compared with this."""
    wanted = set(lenient_spans(gold))
    return [span in wanted for span in spans]


def recall_by_novelty(
    gold: Sequence[Sentence], found: Sequence[Sequence[str]], is_known: Callable[[str], bool]
) -> dict[str, SpanCounts]:
    """Count the recall of spans with a word that training never had ("unknown"), and of the others ("known").

    Args:
        gold: labelled sentences.
        found: the answers' tags.
        is_known: whether training had the word.

    Returns:
        Counts by kind; `found` counts nothing here, so only `recall` is of use.
    """
    totals = {"known": SpanCounts(), "unknown": SpanCounts()}
    for sentence, tags in zip(gold, found, strict=True):
        got = set(lenient_spans(tags))
        for span in lenient_spans(sentence.tags or ()):
            kind = "known" if all(map(is_known, sentence.words[span.start : span.end])) else "unknown"
            counts = totals[kind]
            totals[kind] = counts._replace(gold=counts.gold + 1, right=counts.right + (span in got))
    return totals
