"""The result of tagging a sentence: slots with their places in the text, and the intent."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Slot:
    """A labelled piece of a text: `text[start:end]`."""

    label: str
    text: str
    start: int
    """The first character in the text; where a list of words was tagged, in the words joined by single spaces."""
    end: int
    """The character after the last."""
    confidence: float
    """The probability that these words, and no more, are this slot."""
    value: str | None = None
    """The value that the text stands for, where that is sure: dates, times, numbers and money in ISO forms."""


@dataclass(frozen=True)
class Tagging:
    """The slots and the intent of one sentence."""

    text: str
    slots: tuple[Slot, ...]
    intent: str | None
    """The intent of the sentence; None where the model knows no intents, or there is no word."""
    intent_confidence: float | None
    """The probability of the intent; with `head.intent_limits`, among the intents that go with these slots."""
    confidence: float
    """The probability that all slots are right; 1 where there is no word."""
    alternatives: tuple["Tagging", ...] = ()
    """Other taggings of the same sentence, best first, where they were asked for: no two have the same slots."""

    def to_dict(self) -> dict[str, Any]:
        """Return the same facts as plain values, for JSON."""
        slots = tuple(dict(vars(slot)) for slot in self.slots)  # `asdict` would copy every value in depth
        return {
            **vars(self),
            "slots": slots,
            "alternatives": tuple(other.to_dict() for other in self.alternatives),
        }
