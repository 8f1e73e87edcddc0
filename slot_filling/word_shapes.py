"""Describe what a word looks like, for words that training never saw: its folded form, shape and digit class."""

import re
import unicodedata

DIGIT_CLASSES: tuple[tuple[str, str], ...] = (
    # A word has the first class whose pattern matches all of it; its number is the position, counted from 1.
    ("none", r"[^\d]*"),
    ("one digit", r"\d"),
    ("hour", r"1[0-2]"),
    ("day", r"[12]\d|3[01]"),
    ("two digits", r"\d\d"),
    ("clock without colon", r"(?:[1-9]|1\d|2[0-3])[0-5]\d"),
    ("three digits", r"\d\d\d"),
    ("year", r"(?:19|20)\d\d"),
    ("four digits", r"\d\d\d\d"),
    ("more digits", r"\d{5,}"),
    ("clock", r"\d?\d[:.]\d\d"),
    ("ordinal", r"\d+(?:st|nd|rd|th)"),
    ("hour with half of day", r"\d?\d(?:[:.]\d\d)?[ap]\.?m\.?"),
    ("date", r"\d+[-/]\d+(?:[-/]\d+)?"),
    ("amount", r"\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+\.\d+"),
    ("digits and others", r".*"),
)
PATTERNS = [re.compile(pattern, re.DOTALL) for _, pattern in DIGIT_CLASSES]
LONGEST_SHAPE = 8


def fold(word: str) -> str:
    """Return the form under which a word is looked up: full-width characters made plain (NFKC), case folded."""
    return word.casefold() if word.isascii() else unicodedata.normalize("NFKC", word).casefold()


def digit_class(word: str) -> int:
    """Return the position of a word's class in `DIGIT_CLASSES`, counted from 1; 0 is left for padding."""
    plain = fold(word)
    return next(number for number, pattern in enumerate(PATTERNS, 1) if pattern.fullmatch(plain))


def shape(word: str) -> str:
    """Return a word's shape: X for capitals, x for small letters, c for letters without case, d for digits.

    Letters of one kind in a row count once.

    >>> [shape(word) for word in ("Taipei", "2:30", "PM", "o'clock", "11/2", "台")]
    ['Xx', 'd:dd', 'X', "x'x", 'dd/d', 'c']
    """
    signs: list[str] = []
    for character in word:
        sign = _sign(character)
        if sign not in "Xxc" or signs[-1:] != [sign]:
            signs.append(sign)
        if len(signs) == LONGEST_SHAPE:
            break
    return "".join(signs)


def _sign(character: str) -> str:
    if character.isdecimal():
        return "d"
    if character.isalpha():
        return "X" if character.isupper() else "x" if character.islower() else "c"
    return character if character.isascii() else "s"
