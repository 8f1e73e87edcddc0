"""Counts with their nouns, and sentences that begin with a capital."""


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
