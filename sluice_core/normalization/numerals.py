"""Convert numbers in words to figures: "november twenty first" → "november 21st".

text2num reads the words; where it is not installed, they stay words.
"""

import re
import unicodedata
from collections.abc import Callable
from functools import cache

LANGUAGE = "en"
SUPERSCRIPT = re.compile("[⁰¹²³⁴⁵⁶⁷⁸⁹]+")


def plain(text: str) -> str:
    """Return a text in lower case with single spaces, plain signs and digits, and numbers in figures.

    >>> plain("Two  Hundred fifty Dollars"), plain("half past seven P.M.")
    ('250 dollars', 'half past 7 p.m.')
    >>> plain("10² m")
    '10^2 m'
    """
    raised = SUPERSCRIPT.sub(lambda match: f"^{match[0]}", text)  # else 10² would be 102
    folded = " ".join(unicodedata.normalize("NFKC", raised).casefold().replace("’", "'").split())
    if re.search("[a-z]{3}", folded) is None:  # no word of a number has fewer letters
        return folded
    return _converter()(folded)


@cache
def _converter() -> Callable[[str], str]:
    """Return the function that converts words to figures; without text2num it returns its argument."""
    try:
        from text_to_num import alpha2digit
    except ImportError:
        return str
    return lambda text: alpha2digit(text, LANGUAGE, 0)
