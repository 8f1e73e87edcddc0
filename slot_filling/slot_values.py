"""What the text of a slot stands for, where that is sure: dates, times, numbers and money in ISO forms.

English, in figures or, with text2num, in words. What may mean two things has no value. The libraries that read dates
were measured on the values that tests hold this to: they guess, and take ten milliseconds a slot.
"""

import re
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from functools import cache, lru_cache
from typing import Literal, get_args

from sluice_core.normalization import dates_times
from sluice_core.normalization.numerals import plain

Kind = Literal["date", "time", "number", "digits", "money", "none"]
"""What a slot may hold. Digits stand side by side, as in the number of a flight."""
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

NUMBER = r"(?:\d{1,3}(?:,\d{3}){1,4}|\d{1,15})(?:\.\d{1,6})?"
CURRENCIES = {
    "USD": "$|us$|dollar|dollars|us dollars|american dollars|buck|bucks",
    "EUR": "€|euro|euros",
    "GBP": "£|pound|pounds|british pounds|pounds sterling|quid",
    "TWD": "nt$|taiwan dollars|new taiwan dollars",
    "HKD": "hk$|hong kong dollars",
    "SGD": "s$|sg$|singapore dollars",
    "CAD": "c$|ca$|canadian dollars",
    "AUD": "a$|au$|australian dollars",
    "NZD": "nz$|new zealand dollars",
    "JPY": "yen|japanese yen",
    "CNY": "yuan|rmb",
    "KRW": "₩|won|korean won",
    "INR": "₹|indian rupees",
    "THB": "฿|baht",
    "CHF": "swiss francs",
    **dict.fromkeys(("SEK", "NOK", "DKK", "PLN", "CZK", "HUF", "BRL", "MXN", "ZAR", "AED", "TRY", "ILS"), ""),
}
"""Signs and names by ISO 4217 code. Where the country is not said, a dollar is American and a pound British; "¥", a
rupee and a franc are of several countries, and unsure.
"""
CODES = {
    name: code for code, names in CURRENCIES.items() for name in (code.lower(), *names.split("|")) if name
}
CURRENCY = "|".join(re.escape(name) for name in sorted(CODES, key=len, reverse=True))
POINTED = r"[1-9]\d{0,2}(?:\.\d{3}){1,4}(?:,\d\d)?"
"""Money has no thousandths, so 1.300 € are 1300; a million has: $1.250 million."""
MONEY = re.compile(
    rf"(?P<before>{CURRENCY})? ?(?P<amount>{NUMBER}|{POINTED})(?P<scale>k| ?million| 1000000)?"
    rf" ?(?P<after>{CURRENCY})?",
    re.ASCII,
)
A_HUNDRED = r"a (?=1\d\d)"  # and a thousand and five: the article of figures that were such words
SCALES = {"k": 1000, "million": 1_000_000, "1000000": 1_000_000}


@lru_cache(maxsize=1 << 14)
def resolve(label: str, text: str, today: date | None = None, kind: Kind | None = None) -> str | None:
    """The value of a slot, or None where that is not sure.

    Dates are "2026-11-02", with zeros for what is not said ("November 2nd": "0000-11-02", "Friday the 22nd":
    "0000-00-22") and nothing after what is said ("0000-11", "2026"); 11/2 may be two days, so it has no value.
    Times are "14:30"; of half past seven nobody knows in which half of the day, so it has none, nor has "2:30", but
    "2:30 pm", "14:30" and "02:30" have. Numbers are "1300" and "2.5", money "USD 250".

    Args:
        label: of the slot; its words say which kinds of value to look for ("return_date.day_name": a date).
        text: of the slot.
        today: what "tomorrow" is relative to; without it such slots have no value.
        kind: what the slot holds, whatever its label says.
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
    """The kinds of value that a label's words speak of, in the order to try.

    >>> kinds_of("depart_time.start_time"), kinds_of("timeRange"), kinds_of("city_name")
    (('time', 'date'), ('time', 'date'), ())
    """
    found = dict.fromkeys(kind for word in _words(label) for kind in SAYS.get(word, ()))
    return (
        tuple(kind for kind in found if kind not in WEAK) or tuple(kind for kind in WEAK if kind in found)[:1]
    )


@cache
def _words(label: str) -> list[str]:
    """The words of a label: "timeRange" and "time_range" have the same."""
    return re.findall("[a-z]+", re.sub(r"(?<=[a-z])(?=[A-Z])", "_", label).casefold())


def read_number(text: str) -> str | None:
    """A number that stands alone, or before "star": "1,300" → "1300", "a dozen" → "12"."""
    text = "12" if text in ("a dozen", "dozen") else re.sub(rf"^{A_HUNDRED}|[- ]stars?$", "", text)
    text = re.sub("^minus ", "-", text)
    if re.fullmatch(rf"-?{NUMBER}", text, re.ASCII) and not re.match(r"-?0\d", text):
        return text.replace(",", "")
    return None


def read_digits(text: str) -> str | None:
    """Numbers side by side: "7 oh 5" → "705", "14 90" → "1490"."""
    figures = "".join("0" if part in ("oh", "o") else part for part in text.split())
    return figures if re.fullmatch(r"\d{1,20}", figures, re.ASCII) else None


def read_money(text: str) -> str | None:
    """An amount with its currency: "€1,300" → "EUR 1300"."""
    found = MONEY.fullmatch(re.sub(f"^{A_HUNDRED}", "", text))
    codes = {CODES[name] for name in found.group("before", "after") if name} if found else set()
    if found is None or len(codes) != 1:
        return None
    amount, scale = found["amount"], found["scale"]
    if scale and not re.fullmatch(NUMBER, amount, re.ASCII):
        return None
    if not scale and re.fullmatch(POINTED, amount, re.ASCII):
        amount = amount.replace(".", "").replace(",", ".")
    value = Decimal(amount.replace(",", ""))
    if scale:
        value = (value * SCALES[scale.strip()]).normalize()
    return f"{codes.pop()} {value:f}"
