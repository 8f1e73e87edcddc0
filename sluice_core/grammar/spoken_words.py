"""The words of a text as they are spoken: in lower case, without punctuation, and without what nobody can say."""

import re
import unicodedata

from sluice_core.grammar.expressions import GrammarError
from sluice_core.normalization.spoken_numbers import DIGITS, TEENS
from sluice_core.normalization.text import normalize_text

AROUND_WORDS = '.,;:!?¡¿…"„“”«»()'
BETWEEN_WORDS = re.compile(r"(?<=\w)[-‐‑–_](?=\w)")
SMALL_NUMBERS = ("zero", *DIGITS, *TEENS)
SYMBOLS = {
    "%": "percent", "&": "and", "+": "plus", "=": "equals", "@": "at", "°": "degrees", "$": "dollars", "€": "euros",
    "£": "pounds", "½": "half", "#": "number", "*": "times",
}  # fmt: skip


def spoken_words(text: str) -> tuple[str, ...]:
    """Return the words of a text in lower case, without the punctuation of sentences; hyphens divide words.

    >>> spoken_words("Please, turn on the Wi-Fi!")
    ('please', 'turn', 'on', 'the', 'wi', 'fi')
    """
    plain = BETWEEN_WORDS.sub(" ", text.replace("’", "'").replace("\u00ad", ""))
    words = (word.strip(AROUND_WORDS) for word in normalize_text(plain, "lower").split())
    return tuple(word for word in words if word)


def unsayable_in(word: str) -> str:
    """Return the first character of a word that is neither a letter nor an apostrophe; "" if there is none.

    >>> unsayable_in("50%"), unsayable_in("o'clock")
    ('5', '')
    """
    return next((sign for sign in word if sign != "'" and unicodedata.category(sign)[0] not in "LM"), "")


def check_sayable(word: str) -> None:
    """Raise an error that says what to write instead, if a word has a character that no synthesizer can say.

    Raises:
        GrammarError: the word has a digit, a symbol or another sign.
    """
    sign = unsayable_in(word)
    if not sign:
        return
    if sign.isdecimal():
        number = int(word) if word.isdecimal() else None
        spelling = SMALL_NUMBERS[number] if number is not None and number < len(SMALL_NUMBERS) else None
        instead = f"{spelling!r}" if spelling else "in words ('twenty one'), or take a range of numbers"
        raise GrammarError(
            f"{word!r}: figures are said in more than one way: write them as they are said, {instead}"
        )
    instead = (
        f"write {SYMBOLS[sign]!r}" if sign in SYMBOLS else "leave it out, or write the word that is said"
    )
    raise GrammarError(
        f"{word!r}: {sign!r} ({unicodedata.name(sign, 'unnamed').lower()}) cannot be said: {instead}"
    )
