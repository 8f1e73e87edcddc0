"""Read dates and times of day from plain text in figures (`numerals.plain`) into ISO forms; None where not sure."""

import re
from datetime import date, timedelta

from sluice_core.normalization.spoken_numbers import MONTHS, WEEKDAYS

MONTH_NUMBERS = {
    **{name: number for number, name in enumerate(MONTHS, 1)},
    **{name[:3]: number for number, name in enumerate(MONTHS, 1)},
    "sept": 9,
}
WEEKDAY_NUMBERS = {
    **{name: number for number, name in enumerate(WEEKDAYS)},
    **{name[:3]: number for number, name in enumerate(WEEKDAYS)},
}
DAYS_AWAY = {
    "today": 0,
    "tonight": 0,
    "tomorrow": 1,
    "day after tomorrow": 2,
    "yesterday": -1,
    "day before yesterday": -2,
}
LEAP_YEAR = 2000

YEAR_FIRST = re.compile(r"(?P<year>\d{4})([-/.])(?P<month>\d\d?)\2(?P<day>\d\d?)", re.ASCII)
IN_FIGURES = re.compile(r"(?P<one>\d\d?)(?P<sign>[-/.])(?P<two>\d\d?)(?:(?P=sign)(?P<year>\d{4}))?", re.ASCII)
PART = re.compile(
    r"(?P<month>[a-z]+)\.?|(?P<ordinal>\d\d?)(?:st|nd|rd|th)|(?P<year>(?:19|20)\d\d)|(?P<figure>\d\d?)",
    re.ASCII,
)

HALF = re.compile(r"(.*?) ?(?:\b|(?<=\d))([ap])\.? ?m\.?")
HALF_IN_WORDS = re.compile(r"(.*?) (?:in the )?(morning|afternoon|evening)")
CLOCK = re.compile(
    r"(?P<hour>\d\d?)(?: ?o[' ]?clock|[:.h](?P<minute>\d\d)(?P<second>:[0-5]\d)?| (?P<words>\d\d|(?:oh|o|0) \d))?",
    re.ASCII,
)
TOGETHER = re.compile(r"(?P<hour>\d\d?)(?P<minute>\d\d)(?: hours)?", re.ASCII)
AWAY = re.compile(
    r"(?P<minutes>half|(?:a )?quarter|\d\d?)(?P<unit> minutes?)? (?P<side>past|after|to|before|till) (?P<hour>\d\d?)",
    re.ASCII,
)
NAMED = {"noon": 12 * 60, "midday": 12 * 60, "12 noon": 12 * 60, "midnight": 0, "12 midnight": 0}


def read_date(text: str, today: date | None = None, *, bare_day: bool = False) -> str | None:
    """Read a day, a month or a year into an ISO form.

    What is not said is zero before what is said ("0000-11-02") and left out after it ("2026-11").

    >>> read_date("november 2nd"), read_date("2nd of november 2026"), read_date("11/2")
    ('0000-11-02', '2026-11-02', None)
    >>> read_date("tomorrow", date(2026, 12, 31))
    '2027-01-01'

    Args:
        text: Plain text with its numbers in figures.
        today: The day that relative dates count from; without it they are not read.
        bare_day: Whether a number alone is a day of the month.
    """
    if found := YEAR_FIRST.fullmatch(text):
        return _whole(int(found["year"]), int(found["month"]), int(found["day"]))
    if found := IN_FIGURES.fullmatch(text):
        return _in_figures(found)
    words = [word for word in re.split(r"[\s,]+", text) if word not in ("", "the", "of", "on")]
    weekdays = [WEEKDAY_NUMBERS[word] for word in words if word in WEEKDAY_NUMBERS]
    if len(weekdays) > 1:
        return None
    value = _in_words([word for word in words if word not in WEEKDAY_NUMBERS], bare_day)
    if value is None:
        return _relative(" ".join(words), today)
    if weekdays and len(value) == 10 and not value.startswith("0000"):  # a Monday that is a Tuesday is unsure
        return value if date.fromisoformat(value).weekday() == weekdays[0] else None
    return value if not weekdays or len(value) == 10 else None


def _in_figures(found: re.Match[str]) -> str | None:
    """Read a date in figures: 11/25 and 25/11 are the same day, 11/2 may be two days, and 3.5 is rather a number."""
    if found["sign"] != "/" and not found["year"]:
        return None
    one, two, year = int(found["one"]), int(found["two"]), int(found["year"] or 0)
    if one <= 12 and two <= 12 and one != two:
        return None
    return _whole(year, *((one, two) if one <= 12 else (two, one)))


def _whole(year: int, month: int, day: int) -> str | None:
    """Write a date of which only the year may be unknown."""
    return _iso(year, month, day) if month and day else None


def _in_words(words: list[str], bare_day: bool) -> str | None:
    """Read a day, a month and a year, each at most once: "november 2nd 2026", "2 november", "2nd", "2026"."""
    parts: dict[str, int] = {}
    if len(words) > 2 and words[-2] in ("19", "20") and re.fullmatch(r"\d\d", words[-1]):
        words = [*words[:-2], words[-2] + words[-1]]  # "nineteen ninety nine"
    for word in words:
        found = PART.fullmatch(word)
        if found is None:
            return None
        name = "day" if found.lastgroup in ("ordinal", "figure") else str(found.lastgroup)
        value = MONTH_NUMBERS.get(found["month"], 0) if name == "month" else int(found[str(found.lastgroup)])
        if name in parts or not value:
            return None
        parts[name] = value
    if not parts or ("day" in parts and "year" in parts and "month" not in parts):
        return None
    if words[0].isdigit() and set(parts) == {"day"} and not bare_day:
        return None  # "5" may be anything
    return _iso(parts.get("year", 0), parts.get("month", 0), parts.get("day", 0))


def _iso(year: int, month: int, day: int) -> str | None:
    """Write a date of which parts may be unknown (0); None if there is no such day.

    Unknown parts before known ones are zeros, those after them are left out.
    """
    try:
        date(year or LEAP_YEAR, month or 1, day or 1)
    except ValueError:
        return None
    return f"{year:04}-{month:02}-{day:02}" if day else f"{year:04}-{month:02}" if month else f"{year:04}"


def _relative(text: str, today: date | None) -> str | None:
    """Read a date that counts from today; a weekday ("this" or "next" alike) is the first such day after today."""
    if today is None:
        return None
    if text in DAYS_AWAY:
        return _shifted(today, DAYS_AWAY[text])
    if found := re.fullmatch(r"(?:in )?(a|\d{1,3}) (day|week)s?(?: from (?:now|today))?", text):
        if text.startswith("in ") == text.endswith(("now", "today")):
            return None  # "two weeks" alone is a length
        count = 1 if found[1] == "a" else int(found[1])
        return _shifted(today, count * (7 if found[2] == "week" else 1))
    found = re.fullmatch(r"(?:(?:this|next|coming) )?(\w+)", text)
    if found is None or found[1] not in WEEKDAY_NUMBERS:
        return None
    return _shifted(today, (WEEKDAY_NUMBERS[found[1]] - today.weekday() - 1) % 7 + 1)


def _shifted(today: date, days: int) -> str | None:
    """Write the date some days from today; None if the calendar does not reach so far."""
    try:
        return (today + timedelta(days)).isoformat()
    except OverflowError:
        return None


def read_time(text: str) -> str | None:
    """Read a time of day into "HH:MM"; None where it is not sure in which half of the day it lies.

    >>> read_time("2:30 p.m."), read_time("14:30"), read_time("half past 7")
    ('14:30', '14:30', None)
    """
    if text in NAMED:
        return _clock(NAMED[text])
    text, half = _half(text)
    if found := AWAY.fullmatch(text):
        return _away(found, half)
    found = CLOCK.fullmatch(text) or TOGETHER.fullmatch(text)
    if found is None:
        return None
    parts = found.groupdict()
    minute = int(re.sub(r"\D", "", parts["minute"] or parts.get("words") or "0"))
    sure = found["hour"].startswith("0") and (parts["minute"] is not None)
    hour = _hour(int(found["hour"]), half, sure)
    if hour is None or minute > 59:
        return None
    return _clock(hour * 60 + minute) + (parts.get("second") or "")


def _half(text: str) -> tuple[str, str]:
    """Split a text into its time and its half of the day: "am", "pm", "morning", "afternoon", "evening" or ""."""
    if found := HALF.fullmatch(text):
        return found[1], found[2] + "m"
    if found := HALF_IN_WORDS.fullmatch(text):
        return found[1], found[2]
    return text, ""


def _hour(hour: int, half: str, sure: bool = False) -> int | None:
    """Return the hour of 24, or None; `sure` says that it is written as on a clock of 24 hours."""
    if not half:
        return hour if hour < 24 and (sure or hour > 12 or hour == 0) else None
    if not 1 <= hour <= 12 or (hour == 12 and half in ("morning", "evening")):
        return None
    return hour % 12 + (0 if half in ("am", "morning") else 12)


def _away(found: re.Match[str], half: str) -> str | None:
    """Read minutes before or after an hour, as in "half past 7 pm"."""
    hour = _hour(int(found["hour"]), half)
    minutes = {"half": 30}.get(found["minutes"], 15 if "quarter" in found["minutes"] else None)
    minutes = int(found["minutes"]) if minutes is None else minutes
    if hour is None or minutes > 59 or _may_be_a_range(found):
        return None
    if found["side"] in ("past", "after"):
        return _clock(hour * 60 + minutes)
    if found["minutes"] == "half" or hour % 12 == 0:  # before noon and midnight, which half is meant?
        return None
    return _clock(hour * 60 - minutes)


def _may_be_a_range(found: re.Match[str]) -> bool:
    """Tell whether two hours may be meant: "8 to 10", "10 to 11", but not "10 to 6" or "10 minutes to 11"."""
    if found["side"] not in ("to", "till") or found["unit"] or not found["minutes"].isdigit():
        return False
    first, second = int(found["minutes"]), int(found["hour"])
    is_odd = first <= 12 and first % 5 != 0  # minutes that are rarely said without the word
    return is_odd or second == first + 1


def _clock(minutes: int) -> str:
    """Write the minutes since midnight as "HH:MM"."""
    return f"{minutes // 60:02}:{minutes % 60:02}"
