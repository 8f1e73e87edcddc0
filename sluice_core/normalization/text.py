"""Bring transcripts and texts into one form, so that equal words are equal strings."""

from typing import Literal
from unicodedata import normalize

Case = Literal["keep", "lower", "upper"]
"""What becomes of a text's letters."""


def normalize_text(text: str, case: Case = "keep") -> str:
    r"""Return a text in Unicode NFC and a case, with single spaces between words and none at the ends.

    >>> normalize_text("  Cafe\u0301 \t au\nlait", "lower")
    'café au lait'
    """
    text = " ".join(normalize("NFC", text).split())
    if case == "keep":
        return text
    # Changing case can leave composable characters behind ("İ".lower() is "i" and a dot above).
    return normalize("NFC", text.lower() if case == "lower" else text.upper())
