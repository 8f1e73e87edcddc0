"""Numbers in words made figures: "november twenty first" → "november 21st"; by text2num where it is installed."""

import re
import unicodedata
from collections.abc import Callable
from functools import cache

LANGUAGE = "en"


def plain(text: str) -> str:
    """Small letters, single spaces, plain signs and digits, and numbers in figures.

    >>> plain("Two  Hundred fifty Dollars"), plain("half past seven P.M.")
    ('250 dollars', 'half past 7 p.m.')
    """
    folded = " ".join(unicodedata.normalize("NFKC", text).casefold().replace("’", "'").split())
    if re.search("[a-z]{3}", folded) is None:  # no word of a number has fewer letters
        return folded
    return _converter()(folded)


@cache
def _converter() -> Callable[[str], str]:
    """What turns words into figures; without text2num nothing does, and slots in words have no value."""
    try:
        from text_to_num import alpha2digit
    except ImportError:
        return str
    return lambda text: alpha2digit(text, LANGUAGE, 0)
