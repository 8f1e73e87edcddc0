"""Resolve the text of a slot to a value where that is sure: dates, times, numbers and money in ISO forms.

Texts are English, with numbers in figures or, with text2num, in words. What may mean two things has no value.
Libraries that read dates were tried on the values that the tests require: they guess, and take ten milliseconds a slot.
"""

import re
from collections.abc import Callable
from datetime import date
from functools import cache, lru_cache
from typing import Literal, get_args

from sluice_core.normalization import dates_times
from sluice_core.normalization.numerals import plain
from sluice_core.normalization.quantities import read_digits, read_money, read_number

Kind = Literal["date", "time", "number", "digits", "money", "none"]
"""The kinds of value that a slot may hold. Digits stand side by side, as in the number of a flight."""
KINDS: tuple[Kind, ...] = get_args(Kind)

SAYS: dict[str, tuple[Kind, ...]] = {
    **dict.fromkeys(("date", "day", "month", "year", "weekday", "birthday"), ("date",)),
    **dict.fromkeys(("time", "hour", "clock"), ("time", "date")),
    **dict.fromkeys(("flight", "phone", "zip"), ("digits",)),
    **dict.fromkeys(("count", "number", "quantity", "rating", "stars", "size", "age"), ("number",)),
    **dict.fromkeys(("price", "money", "amount", "fare", "cost", "budget", "fee"), ("money",)),
}
"""The words of a label that say what its slots hold, and the kinds to try in turn."""
WEAK: tuple[Kind, ...] = ("digits", "number")
"""Kinds that a label speaks of only if of no other: a "flight_time" is a time, a "day_number" a date."""


@lru_cache(maxsize=1 << 14)
def resolve(label: str, text: str, today: date | None = None, kind: Kind | None = None) -> str | None:
    """Return the value of a slot, or None where that is not sure.

    Dates are "2026-11-02", with zeros for what is not said ("November 2nd": "0000-11-02", "Friday the 22nd":
    "0000-00-22") and nothing after what is said ("0000-11", "2026"); 11/2 may be two days, so it has no value.
    Times are "14:30"; half past seven may be in either half of the day, so it has no value, nor has "2:30", but
    "2:30 pm", "14:30" and "02:30" have. Numbers are "1300" and "2.5", money "USD 250".

    Args:
        label: the label of the slot; its words say which kinds of value to look for ("return_date.day_name": a date).
        text: the text of the slot.
        today: what "tomorrow" is relative to; without it such slots have no value.
        kind: what the slot holds, whatever its label says.

    >>> resolve("depart_date", "November 2nd"), resolve("fare", "two hundred and fifty dollars")
    ('0000-11-02', 'USD 250')
    >>> resolve("depart_date", "tomorrow", today=date(2026, 12, 31))
    '2027-01-01'
    """
    kinds = (kind,) if kind else kinds_of(label)
    if not kinds or kinds == ("none",):
        return None
    written = plain(text)
    readers: dict[Kind, Callable[[str], str | None]] = {
        "date": lambda text: dates_times.read_date(text, today, bare_day="day" in _words(label)),
        "time": dates_times.read_time,
        "number": read_number,
        "digits": read_digits,
        "money": read_money,
    }
    return next((value for each in kinds if (value := readers[each](written)) is not None), None)


@cache
def kinds_of(label: str) -> tuple[Kind, ...]:
    """Return the kinds of value that a label's words speak of, in the order to try.

    >>> kinds_of("depart_time.start_time"), kinds_of("timeRange"), kinds_of("city_name")
    (('time', 'date'), ('time', 'date'), ())
    """
    found = dict.fromkeys(kind for word in _words(label) for kind in SAYS.get(word, ()))
    return (
        tuple(kind for kind in found if kind not in WEAK) or tuple(kind for kind in WEAK if kind in found)[:1]
    )


@cache
def _words(label: str) -> list[str]:
    """Return the words of a label: "timeRange" and "time_range" have the same."""
    return re.findall("[a-z]+", re.sub(r"(?<=[a-z])(?=[A-Z])", "_", label).casefold())
