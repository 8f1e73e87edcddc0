"""Counts with their nouns, sentences that begin with a capital, and names that somebody may have meant."""

from collections.abc import Iterable
from difflib import get_close_matches


def plural(count: int, noun: str) -> str:
    """Return a count with its noun.

    >>> plural(1, "slot"), plural(2000, "slot")
    ('1 slot', '2,000 slots')
    """
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def capitalize(text: str) -> str:
    """Return a text that begins with a capital letter and is otherwise as it was.

    >>> capitalize("lower training.learning_rate")
    'Lower training.learning_rate'
    """
    return text[:1].upper() + text[1:]


def near(name: str, names: Iterable[str]) -> str:
    """Return a question that offers the name that is most like one that is unknown; "" if none is.

    >>> near("citty", ["city", "day"]), near("x", ["city"])
    ("did you mean 'city'?", '')
    """
    found = get_close_matches(name, list(names), 1, 0.7)
    return f"did you mean {found[0]!r}?" if found else ""
