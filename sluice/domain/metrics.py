"""Metrics of understanding: the slots of requests as labels with values, their intents, and both together."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from asr.evaluation.error_rates import word_errors
from sluice_core.grammar.grammar import AnnotatedSentence


@dataclass(frozen=True)
class SlotMeaning:
    """A slot and what it stands for; two are equal that mean the same, in whatever words."""

    label: str
    value: str
    """The value that the grammar gives to the words; the words themselves where it gives none."""
    words: str = field(default="", compare=False)
    """What was said or heard."""


@dataclass(frozen=True)
class Meaning:
    """The meaning of one request: what it says by the grammar, or what was understood of it."""

    text: str
    slots: tuple[SlotMeaning, ...]
    intent: str | None


class RequestCounts(NamedTuple):
    """Counts of slots and requests: those that are right, those that were found, and all of them."""

    right: int
    found: int
    gold: int
    whole: int
    intents: int
    requests: int

    @property
    def f1(self) -> float:
        """The F1 of slots over all requests."""
        return 2 * self.right / max(1, self.found + self.gold)

    def to_dict(self) -> dict[str, Any]:
        """Return counts and shares as plain values."""
        requests = max(1, self.requests)
        return {
            **self._asdict(),
            "f1": self.f1,
            "whole_requests": self.whole / requests,
            "intent_accuracy": self.intents / requests,
        }


def truth(sentence: AnnotatedSentence) -> Meaning:
    """Return the meaning of a request by the grammar that generated it."""
    slots = tuple(
        SlotMeaning(slot.label, slot.value, " ".join(sentence.slot_words(slot))) for slot in sentence.slots
    )
    return Meaning(sentence.text, slots, sentence.intent)


def count(gold: Sequence[Meaning], understood: Sequence[Meaning]) -> RequestCounts:
    """Count what is right. A slot is right if a slot of the request has its label and its value.

    >>> gold = Meaning("to oslo", (SlotMeaning("city", "OSL", "oslo"),), "fly")
    >>> count([gold], [gold]).f1, count([gold], [Meaning("to oslo", (), "fly")]).f1
    (1.0, 0.0)
    """
    right = found = total = whole = intents = 0
    for one, other in zip(gold, understood, strict=True):
        same = (Counter(one.slots) & Counter(other.slots)).total()
        right, found, total = right + same, found + len(other.slots), total + len(one.slots)
        intents += one.intent == other.intent
        whole += is_right(one, other)
    return RequestCounts(right, found, total, whole, intents, len(gold))


def is_right(gold: Meaning, understood: Meaning) -> bool:
    """Return whether the intent and all slots with their values are right."""
    return Counter(gold.slots) == Counter(understood.slots) and gold.intent == understood.intent


def word_error_rate(gold: Iterable[Meaning], understood: Iterable[Meaning]) -> dict[str, Any]:
    """Return the errors over words, as `ErrorCount.to_dict` gives them."""
    return word_errors([each.text for each in gold], [each.text for each in understood]).to_dict()
