"""What was said as people write it: "november second" → "November 2nd", "two thirty p m" → "2:30 PM".

Only slots are rewritten, since there is known what the words stand for: dates, times, money and numbers in figures
(text2num reads the numbers), names with capitals. A place in one form is a place in the other.
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

SIGNS = {"USD": "$", "EUR": "€", "GBP": "£", "JPY": "¥"}
CLOCK = re.compile(r"(\d\d?)(?::| )?((?<=[: ])\d\d| (?:oh|o|0) \d)?(?: ?([ap])\.? ?m\b\.?)?")


class Piece(NamedTuple):
    """A stretch of the spoken text, and the stretch of the written one that stands for it."""

    start: int
    end: int
    written_start: int
    written_end: int


@dataclass(frozen=True)
class WrittenForm:
    """A text as people write it; `pieces` are its slots, in order, and all between them is as long as it was."""

    text: str
    pieces: tuple[Piece, ...]

    def place(self, offset: int) -> int:
        """Where a place of the spoken text is in the written one; within a slot, the slot's start."""
        shift = 0
        for piece in self.pieces:
            if offset < piece.end:
                return piece.written_start if offset >= piece.start else offset + shift
            shift = piece.written_end - piece.end
        return offset + shift


def write_down(text: str, slots: Iterable[Slot], names: Collection[str] = ()) -> WrittenForm:
    """The written form of a spoken text.

    Args:
        text: as a recognizer writes it.
        slots: of the text, none overlapping.
        names: labels whose slots are written with capitals.
    """
    written, pieces, position = "", [], 0
    for slot in sorted(slots, key=lambda slot: slot.start):
        written += _between(text[position : slot.start])
        start = len(written)
        written += write_slot(slot, names)
        pieces.append(Piece(slot.start, slot.end, start, len(written)))
        position = slot.end
    written += _between(text[position:])
    return WrittenForm(_capital(written), tuple(pieces))


def write_slot(slot: Slot, names: Collection[str] = ()) -> str:
    """The text of a slot as people write it; what is not understood stays as it is."""
    for kind in kinds_of(slot.label):
        written = _WRITERS[kind](plain(slot.text))
        if written is not None:
            return written
    if slot.label in names:
        return " ".join(_capital(word) for word in slot.text.split(" "))
    return slot.text


def _between(text: str) -> str:
    """What is no slot, as long as before."""
    return re.sub(r"\bi\b", "I", text)


def _capital(word: str) -> str:
    """With a capital first, where that is one letter."""
    first = word[:1].upper()
    return first + word[1:] if len(first) == 1 else word


def _date(text: str) -> str | None:
    """Months and weekdays with capitals: "november 2nd" → "November 2nd"."""
    words = text.split(" ")
    if not any(
        word in MONTH_NUMBERS or word in WEEKDAY_NUMBERS or re.fullmatch(r"\d+(st|nd|rd|th)", word)
        for word in words
    ):
        return None
    return " ".join(
        _capital(word) if word in MONTH_NUMBERS or word in WEEKDAY_NUMBERS else word for word in words
    )


def _time(text: str) -> str | None:
    """On the clock: "2 30 p m" → "2:30 PM"; "half past 7" stays."""
    found = CLOCK.fullmatch(text)
    if found is None or not (found[2] or found[3]):
        return text if re.search(r"\d", text) else None
    minutes = re.sub(r"\D", "", (found[2] or "").replace("oh", "0").replace("o", "0"))
    clock = f"{found[1]}:{minutes:0>2}" if minutes else found[1]
    return f"{clock} {found[3].upper()}M" if found[3] else clock


def _money(text: str) -> str | None:
    """With the currency's sign: "250 dollars" → "$250"."""
    value = read_money(text)
    if value is None:
        return None
    code, amount = value.split(" ")
    whole, point, cents = amount.partition(".")
    amount = f"{int(whole):,}{point}{cents}"
    return f"{SIGNS[code]}{amount}" if code in SIGNS else f"{amount} {code}"


def _number(text: str) -> str | None:
    """In figures, with what stands around them."""
    return text if re.search(r"\d", text) else None


_WRITERS = {"date": _date, "time": _time, "money": _money, "digits": read_digits, "number": _number}
