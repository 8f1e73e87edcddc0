"""Lone surrogates: code points that JSON and file names can bring into a text, but that UTF-8 cannot write."""

import re

LONE_SURROGATE = re.compile("[\ud800-\udfff]")


def escape_surrogates(text: str) -> str:
    r"""Return a text with its lone surrogates as backslash sequences, so that it can be written.

    Example:
        >>> print(escape_surrogates("caf\udce9"))
        caf\udce9
    """
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
