"""The units of language models, words or characters, and the marks that every vocabulary begins with."""

import math
from typing import Literal

from sluice_core.errors import UserError

Unit = Literal["word", "character"]
"""Whether a language model is one of words or of characters."""

UNKNOWN, START, END = "<unk>", "<s>", "</s>"
RESERVED = (UNKNOWN, START, END)
"""The first entries of every vocabulary: an unknown word, the start and the end of a sentence. No text has them."""

NEVER = -99 * math.log(10)
"""The natural log-probability of what is never predicted, as SRILM writes it: that of `<s>`, and that of unknown
words in a closed vocabulary."""


class LanguageModelError(UserError):
    """A language model's file or training text is not what it should be; the message says where and why."""
