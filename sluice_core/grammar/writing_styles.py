"""Spoken travel requests as people type them: "arrive taipei on november second" → "Arrive Taipei on Nov 2".

The words of a slot are read as a number, a date or a time, and written in one of the usual forms. All other words
are copied.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from random import Random
from typing import Literal, NamedTuple

from sluice_core.grammar.grammar import AnnotatedSentence
from sluice_core.normalization.spoken_numbers import (
    MONTHS,
    ORDINALS,
    WEEKDAYS,
    concatenated,
    count_of,
    digits,
    ordinal_figure,
)

QUESTIONS = {"is", "are", "has", "does", "when", "what", "what's", "which", "how", "can"}
YEARS = ("2025", "2026", "2027")


class TextSlot(NamedTuple):
    """A labelled span of characters: `text[start:end]`."""

    label: str
    start: int
    end: int


class AnnotatedText(NamedTuple):
    """A text with its slots, in their order, and its intent."""

    text: str
    slots: tuple[TextSlot, ...]
    intent: str


@dataclass(frozen=True)
class WritingStyle:
    """How a request is written down."""

    figures: bool = True
    """Numbers, dates, times and money are in figures ("November 2nd", "2:30 PM", "$250"), not in words."""
    capitals: Literal["usual", "none", "all"] = "usual"
    """Capitals where English has them, or no capitals, or all letters as capitals."""
    punctuation: bool = True
    """The sentence may end in a full stop, a question mark or an exclamation mark."""


SPOKEN = WritingStyle(figures=False, capitals="none", punctuation=False)
"""The style of a recognizer, which writes the spoken words and nothing else."""


def write(
    sentence: AnnotatedSentence, random: Random, style: WritingStyle, names: dict[str, str]
) -> AnnotatedText:
    """Write a sentence down in one of the ways that its style allows.

    Args:
        sentence: The sentence in its spoken form.
        random: The generator that chooses among the usual forms of a date, a time and so on.
        style: Whether there are figures, capitals and punctuation.
        names: The spelling, by spoken form, of names that are not written with a capital at each word.
    """
    text = ""
    slots: list[TextSlot] = []
    for piece, label in _pieces(sentence, random, style, names):
        glue = "" if not text or piece.startswith(",") else " "
        start = len(text) + len(glue)
        text += glue + piece
        if label:
            slots.append(TextSlot(label, start, len(text)))
    text += _final(sentence.words[0], random) if style.punctuation else ""
    return AnnotatedText(_with_capitals(text, style), tuple(slots), sentence.intent)


def _pieces(
    sentence: AnnotatedSentence, random: Random, style: WritingStyle, names: dict[str, str]
) -> Iterator[tuple[str, str]]:
    """Yield the written pieces in their order, each with the label of its slot ("" outside of slots)."""
    position = 0
    for slot in sentence.slots:
        if slot.is_constant:
            continue
        for word in sentence.words[position : slot.start]:
            yield _plain(word), ""
        yield _value(slot.label, sentence.slot_words(slot), random, style, names), slot.label
        position = slot.end
    for word in sentence.words[position:]:
        if word == "please" and style.punctuation and random.random() < 0.5:
            yield ", please", ""
        else:
            yield _plain(word), ""


def _plain(word: str) -> str:
    """Write a word that is in no slot: only "i" has a capital."""
    return word.capitalize() if word == "i" or word.startswith("i'") else word


def _final(first: str, random: Random) -> str:
    """Choose the punctuation at the end of a sentence from its first word."""
    if first in QUESTIONS:
        return "?"
    return random.choice((".", ".", "", "", "!"))


def _with_capitals(text: str, style: WritingStyle) -> str:
    """Change the case of a text as its style says, except where that would change the text's length.

    Slots stay where they are then.
    """
    if style.capitals == "usual":
        return text[:1].upper() + text[1:]
    change: Callable[[str], str] = str.lower if style.capitals == "none" else str.upper
    return "".join(change(letter) if len(change(letter)) == 1 else letter for letter in text)


def _value(
    label: str, words: Sequence[str], random: Random, style: WritingStyle, names: dict[str, str]
) -> str:
    """Write the words of a slot."""
    if style == SPOKEN:
        return " ".join(words)
    if label in ("origin", "destination", "city", "airline"):
        spoken = " ".join(words)
        return names.get(spoken) or " ".join(word.capitalize() for word in words)
    if label == "date":
        return _date(words, random, style.figures)
    if not style.figures:
        return " ".join(words)
    writers: dict[str, Callable[[Sequence[str], Random], str]] = {
        "time": _time,
        "price": _price,
        "flight": lambda number, _: concatenated(number),
        "count": lambda number, _: str(count_of(number)),
        "stars": lambda rating, chance: f"{count_of(rating[:1])}{chance.choice((' ', '-'))}{rating[1]}",
    }
    return writers[label](words, random) if label in writers else " ".join(words)


def _date(words: Sequence[str], random: Random, figures: bool) -> str:
    """Write a day: months and weekdays with capitals, ordinals in figures."""
    capital = [word.capitalize() if word in (*MONTHS, *WEEKDAYS) else word for word in words]
    spoken = " ".join(words)
    found = next((ordinal for ordinal in reversed(ORDINALS) if f" {ordinal}" in f" {spoken}"), None)
    if not figures or found is None:
        return " ".join(capital)
    day = ORDINALS.index(found) + 1
    month = next((word for word in words if word in MONTHS), None)
    if month:
        return _calendar_day(MONTHS.index(month) + 1, day, random)
    return " ".join(capital).replace(found, ordinal_figure(day))


def _calendar_day(month: int, day: int, random: Random) -> str:
    """Write a day of a month; about one in eight has a year."""
    name, figure, year = MONTHS[month - 1].capitalize(), ordinal_figure(day), random.choice(YEARS)
    usual = (
        f"{name} {figure}", f"{name} {figure}", f"{name} {day}", f"{name} {day}", f"{name[:3]} {day}",
        f"{name[:3]} {figure}", f"{day} {name}", f"{day} {name[:3]}", f"the {figure} of {name}", f"{figure} of {name}",
        f"{month}/{day}", f"{month}/{day}",
    )  # fmt: skip
    dated = (
        f"{name} {day}, {year}",
        f"{month}/{day}/{year}",
        f"{year}-{month:02}-{day:02}",
        f"{day} {name} {year}",
    )
    return random.choice(dated if random.random() < 0.12 else usual)


def _time(words: Sequence[str], random: Random) -> str:
    """Write a time of day: "2:30", "3 PM", "9am", "half past 3"; "noon" and "morning" stay as they are."""
    if words[-1] == "o'clock":
        hour = count_of(words[:1])
        return random.choice((f"{hour} o'clock", f"{hour}:00"))
    if words[-1] == "m":
        hour, half = count_of(words[:1]), words[1]
        upper = f"{half.upper()}M"
        usual = f"{hour} {upper}"
        return random.choice(
            (usual, usual, f"{hour}{half}m", f"{hour} {half}m", f"{hour}:00 {upper}", f"{hour} {half}.m.")
        )
    if words[0] in ("half", "quarter"):
        hour, minutes = count_of(words[-1:]), 30 if words[0] == "half" else 15
        exact = f"{(hour - 2) % 12 + 1}:{60 - minutes}" if words[1] == "to" else f"{hour}:{minutes}"
        return random.choice((exact, f"{words[0]} {words[1]} {hour}"))
    if len(words) > 1:
        minutes = sum(count_of((word,)) for word in words[1:])
        return f"{count_of(words[:1])}:{minutes:02}" + random.choice(("", "", " AM", " PM", "am", "pm"))
    return words[0]


def _price(words: Sequence[str], random: Random) -> str:
    """Write an amount of money: "$250", "250 dollars", "€1,300"."""
    currency = words[-1]
    amount = count_of(words[:-1])
    figure = digits(amount, random.random() < 0.7)
    sign = {"dollars": "$", "euros": "€", "pounds": "£"}[currency]
    code = {"dollars": "USD", "euros": "EUR", "pounds": "GBP"}[currency]
    return random.choice((f"{sign}{figure}", f"{sign}{figure}", f"{figure} {currency}", f"{figure} {code}"))
