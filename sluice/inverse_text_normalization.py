"""Inverse text normalization: "november second" → "November 2nd", "two thirty p m" → "2:30 PM".

A recognizer writes the spoken form; people read the written form. Only slots are rewritten, because only there is it
known what the words stand for: dates, times, amounts of money and numbers become figures (text2num reads the numbers),
and names get capitals. Offsets of one form can be converted to offsets of the other.
"""

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import NamedTuple

from slot_filling.slot_values import kinds_of
from slot_filling.tagging import Slot
from sluice_core.normalization.dates_times import MONTH_NUMBERS, WEEKDAY_NUMBERS
from sluice_core.normalization.numerals import plain
from sluice_core.normalization.quantities import read_digits, read_money

CURRENCY_SIGNS = {"USD": "$", "EUR": "€", "GBP": "£", "JPY": "¥"}
CLOCK_TIME = re.compile(r"(\d\d?)(?::| )?((?<=[: ])\d\d| (?:oh|o|0) \d)?(?: ?([ap])\.? ?m\b\.?)?")


class AlignedSpan(NamedTuple):
    """A span of the spoken form and the span of the written form that stands for it, as character offsets."""

    start: int
    end: int
    written_start: int
    written_end: int


@dataclass(frozen=True)
class InverseNormalization:
    """The written form of a text, aligned with its spoken form."""

    text: str
    """The written form."""
    spans: tuple[AlignedSpan, ...]
    """The slots in their order; everything between them is as long in the written form as in the spoken one."""

    def written_offset(self, offset: int) -> int:
        """Convert a character offset of the spoken form to one of the written form.

        An offset within a slot becomes the slot's start.
        """
        shift = 0
        for span in self.spans:
            if offset < span.end:
                return span.written_start if offset >= span.start else offset + shift
            shift = span.written_end - span.end
        return offset + shift


def inverse_normalize(text: str, slots: Iterable[Slot], names: Collection[str] = ()) -> InverseNormalization:
    """Convert a spoken form to its written form.

    Args:
        text: the spoken form, as a recognizer writes it.
        slots: slots of the text, none of which overlap.
        names: labels of slots that hold names, which are written with capitals.

    Example:
        >>> slot = Slot("city", "new york", start=7, end=15, confidence=0.9)
        >>> inverse_normalize("fly to new york", [slot], names={"city"}).text
        'Fly to New York'
    """
    written, spans, position = "", [], 0
    for slot in sorted(slots, key=lambda slot: slot.start):
        written += _outside_slots(text[position : slot.start])
        start = len(written)
        written += inverse_normalize_slot(slot, names)
        spans.append(AlignedSpan(slot.start, slot.end, start, len(written)))
        position = slot.end
    written += _outside_slots(text[position:])
    return InverseNormalization(_capitalize(written), tuple(spans))


def inverse_normalize_slot(slot: Slot, names: Collection[str] = ()) -> str:
    """Return the written form of a slot's text; a text that is not understood stays as it is.

    Example:
        >>> inverse_normalize_slot(Slot("class", "first class", start=0, end=11, confidence=0.9))
        'first class'
    """
    for kind in kinds_of(slot.label) if slot.text else ():
        written = _WRITERS[kind](plain(slot.text))
        if written is not None:
            return written
    if slot.label in names:
        return " ".join(_capitalize(word) for word in slot.text.split(" "))
    return slot.text


def _outside_slots(text: str) -> str:
    """Return the written form of a text between slots; its length does not change."""
    return re.sub(r"\bi\b", "I", text)


def _capitalize(word: str) -> str:
    """Capitalize the first letter, unless its capital is more than one character (ß → SS)."""
    first = word[:1].upper()
    return first + word[1:] if len(first) == 1 else word


def _date(text: str) -> str | None:
    """Capitalize months and weekdays: "november 2nd" → "November 2nd"."""
    words = text.split(" ")
    if not any(
        word in MONTH_NUMBERS or word in WEEKDAY_NUMBERS or re.fullmatch(r"\d+(st|nd|rd|th)", word)
        for word in words
    ):
        return None
    return " ".join(
        _capitalize(word) if word in MONTH_NUMBERS or word in WEEKDAY_NUMBERS else word for word in words
    )


def _time(text: str) -> str | None:
    """Write a time as a clock shows it: "2 30 p m" → "2:30 PM"; "half past 7" stays."""
    found = CLOCK_TIME.fullmatch(text)
    if found is None or not (found[2] or found[3]):
        return text if re.search(r"\d", text) else None
    minutes = re.sub(r"\D", "", (found[2] or "").replace("oh", "0").replace("o", "0"))
    clock = f"{found[1]}:{minutes:0>2}" if minutes else found[1]
    return f"{clock} {found[3].upper()}M" if found[3] else clock


def _money(text: str) -> str | None:
    """Write an amount with the currency's sign: "250 dollars" → "$250"."""
    value = read_money(text)
    if value is None:
        return None
    code, amount = value.split(" ")
    whole, point, cents = amount.partition(".")
    amount = f"{int(whole):,}{point}{cents}"
    return f"{CURRENCY_SIGNS[code]}{amount}" if code in CURRENCY_SIGNS else f"{amount} {code}"


def _number(text: str) -> str | None:
    """Keep a text that holds figures, with the words around them."""
    return text if re.search(r"\d", text) else None


_WRITERS = {"date": _date, "time": _time, "money": _money, "digits": read_digits, "number": _number}
