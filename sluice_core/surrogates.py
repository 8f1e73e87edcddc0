"""Half surrogate pairs: what JSON and names of files can hold in a text, but UTF-8 cannot write."""

import re

HALF_PAIR = re.compile("[\ud800-\udfff]")


def spelled_out(text: str) -> str:
    """The text with its halves of surrogate pairs as backslash sequences, so that it can be written."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
