"""The English words of numbers, months and weekdays, and spoken numbers in figures: "three oh five" → 305."""

from collections.abc import Sequence

DIGITS = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
TEENS = (
    "ten", "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen",
    "nineteen",
)  # fmt: skip
TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")

MONTHS = (
    "january", "february", "march", "april", "may", "june", "july", "august", "september", "october",
    "november", "december",
)  # fmt: skip

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")

ORDINALS = (
    "first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth",
    "eleventh", "twelfth", "thirteenth", "fourteenth", "fifteenth", "sixteenth", "seventeenth",
    "eighteenth", "nineteenth", "twentieth", "twenty first", "twenty second", "twenty third",
    "twenty fourth", "twenty fifth", "twenty sixth", "twenty seventh", "twenty eighth", "twenty ninth",
    "thirtieth", "thirty first",
)  # fmt: skip

UNITS = {
    "a": 1,
    "oh": 0,
    **{word: value for value, word in enumerate(DIGITS, 1)},
    **{word: value for value, word in enumerate(TEENS, 10)},
    **{word: value * 10 for value, word in enumerate(TENS, 2)},
}
SCALES = {"hundred": 100, "thousand": 1000}


def count_of(words: Sequence[str]) -> int:
    """Read a number as an amount.

    >>> count_of("thirteen hundred and fifty".split())
    1350

    Raises:
        KeyError: a word is not one of a number.
    """
    total = 0
    for word in words:
        if word in SCALES:
            total *= SCALES[word]
        elif word != "and":
            total += UNITS[word]
    return total


def concatenated(words: Sequence[str]) -> str:
    """Read numbers that are said side by side, as those of flights are.

    >>> concatenated(["three", "twelve"]), concatenated(["twenty", "five"])
    ('312', '25')

    Raises:
        KeyError: a word is not one of a number.
    """
    figures = ""
    for word, before in zip(words, ("", *words), strict=False):
        if word in SCALES:
            figures = str(int(figures) * SCALES[word])
        elif before in TENS and word in DIGITS:
            figures = str(int(figures) + UNITS[word])
        else:
            figures += str(UNITS[word])
    return figures


def ordinal_figure(day: int) -> str:
    """Write an ordinal number in figures.

    >>> ordinal_figure(2), ordinal_figure(11)
    ('2nd', '11th')
    """
    if day % 100 in (11, 12, 13):
        return f"{day}th"
    return f"{day}{ {1: 'st', 2: 'nd', 3: 'rd'}.get(day % 10, 'th') }"


def digits(amount: int, commas: bool) -> str:
    """Write a whole number in figures, with commas between the thousands or without.

    >>> digits(1300, commas=True)
    '1,300'
    """
    return f"{amount:,}" if commas else str(amount)
