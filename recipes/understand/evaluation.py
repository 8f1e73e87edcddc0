"""How well requests are understood: their slots as labels with words, their intents, both together."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from asr.evaluation.error_rates import word_errors
from sluice_core.grammar.grammar import AnnotatedSentence

Found = tuple[tuple[str, str], ...]
"""Slots: label and words of each."""


@dataclass(frozen=True)
class Answer:
    """What was understood of one request."""

    text: str
    slots: Found
    intent: str | None


class Counts(NamedTuple):
    """Slots that are right, that were found and that there are; requests that are right in everything."""

    right: int
    found: int
    gold: int
    whole: int
    intents: int
    requests: int

    @property
    def f1(self) -> float:
        """Of slots, over all requests."""
        return 2 * self.right / max(1, self.found + self.gold)

    def to_dict(self) -> dict[str, Any]:
        """Counts and shares as plain values."""
        requests = max(1, self.requests)
        return {
            **self._asdict(),
            "f1": self.f1,
            "whole_requests": self.whole / requests,
            "intent_accuracy": self.intents / requests,
        }


def truth(sentence: AnnotatedSentence) -> Answer:
    """What a request says, by the grammar that made it."""
    slots = tuple((slot.label, " ".join(sentence.slot_words(slot))) for slot in sentence.slots)
    return Answer(sentence.text, slots, sentence.intent)


def count(gold: Sequence[Answer], answers: Sequence[Answer]) -> Counts:
    """Hold answers against the truth. A slot is right if a slot of the request has its label and its words."""
    right = found = total = whole = intents = 0
    for one, other in zip(gold, answers, strict=True):
        same = (Counter(one.slots) & Counter(other.slots)).total()
        right, found, total = right + same, found + len(other.slots), total + len(one.slots)
        intents += one.intent == other.intent
        whole += is_right(one, other)
    return Counts(right, found, total, whole, intents, len(gold))


def is_right(gold: Answer, answer: Answer) -> bool:
    """Whether all slots and the intent are right."""
    return Counter(gold.slots) == Counter(answer.slots) and gold.intent == answer.intent


def word_error_rate(gold: Iterable[Answer], answers: Iterable[Answer]) -> dict[str, Any]:
    """Errors over words."""
    return word_errors([each.text for each in gold], [each.text for each in answers]).to_dict()
