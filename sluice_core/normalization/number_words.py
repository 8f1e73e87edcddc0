"""Say numbers in words, in each of the usual ways: 105 → "one hundred five", "one hundred and five", "a hundred five".

English is here; the number rules of the Unicode CLDR (package unicode-rbnf, which comes with the extra
"home-assistant") say those of other languages.
"""

from collections.abc import Iterator
from functools import cache
from string import ascii_lowercase
from typing import Any

from sluice_core.errors import UserError
from sluice_core.normalization.spoken_numbers import DIGITS, ORDINALS, TEENS, TENS

LARGEST = 999_999
OTHER_FORMS = {"de": {"einhundert": "hundert", "eintausend": "tausend"}}
"""What the rules leave out: beginnings of numbers that are also said otherwise."""
NEVER_SAID = ("financial", "days", "year", "ordinal")
"""Sets of rules, by parts of their names, that are for writing or for other than amounts."""


class NumberError(UserError):
    """A number cannot be said in a language."""


def number_words(number: float, language: str = "en") -> list[str]:
    """Return the ways to say a number, the most usual one first; halves and tenths are said too.

    >>> number_words(42), number_words(105)
    (['forty two'], ['one hundred five', 'one hundred and five', 'a hundred five', 'a hundred and five'])
    >>> number_words(20.5)
    ['twenty point five', 'twenty and a half']

    Args:
        number: not negative; below a million in English.
        language: BCP 47 tag.

    Raises:
        NumberError: nothing that is installed knows how to say it.
    """
    if language.partition("-")[0].lower() != "en":
        return _by_rules(number, language)
    if not 0 <= number <= LARGEST:
        raise NumberError(f"{number}: only numbers from 0 to {LARGEST:,} can be said in English")
    whole, tenth = divmod(round(number * 10), 10)
    forms = list(_english(whole))
    if not tenth:
        return forms
    said = [f"{form} point {DIGITS[tenth - 1]}" for form in forms]
    return [*said, *(f"{form} and a half" for form in forms if tenth == 5)]


def ordinal_words(number: int) -> list[str]:
    """Return the ways to say an English ordinal number from 1 to 99.

    >>> ordinal_words(21), ordinal_words(80)
    (['twenty first'], ['eightieth'])
    """
    if number <= len(ORDINALS):
        return [ORDINALS[number - 1]]
    tens, digit = divmod(number, 10)
    return [f"{TENS[tens - 2]} {ORDINALS[digit - 1]}" if digit else f"{TENS[tens - 2][:-1]}ieth"]


def letters() -> str:
    """Return the letters of the English alphabet."""
    return ascii_lowercase


def _english(number: int) -> Iterator[str]:
    """Yield the ways to say a whole number."""
    if number < 100:
        yield _below_hundred(number)
        return
    scale, name = (1000, "thousand") if number >= 1000 else (100, "hundred")
    above, rest = divmod(number, scale)
    leads = [f"{lead} {name}" for lead in (*_english(above), *(["a"] if above == 1 else []))]
    for lead in leads:
        if not rest:
            yield lead
            continue
        for tail in _english(rest):
            yield f"{lead} {tail}"
            if rest < 100:
                yield f"{lead} and {tail}"


def _below_hundred(number: int) -> str:
    if number < 20:
        return ("zero", *DIGITS, *TEENS)[number]
    tens, digit = divmod(number, 10)
    return f"{TENS[tens - 2]} {DIGITS[digit - 1]}" if digit else TENS[tens - 2]


def _by_rules(number: float, language: str) -> list[str]:
    """Say a number by the rules of the Unicode CLDR."""
    texts = _rules(language).format_number(number).text_by_ruleset
    forms = [
        text.replace("\u00ad", "").lower()
        for name, text in texts.items()
        if not any(part in name for part in NEVER_SAID)
    ]
    for beginning, other in OTHER_FORMS.get(language.partition("-")[0].lower(), {}).items():
        forms += [other + form.removeprefix(beginning) for form in forms if form.startswith(beginning)]
    return list(dict.fromkeys(forms))


@cache
def _rules(language: str) -> Any:
    try:
        from unicode_rbnf import RbnfEngine
    except ImportError:
        raise NumberError(
            f"numbers in the language {language!r} need unicode-rbnf: pip install 'sluice-speech[home-assistant]'"
        ) from None
    for tag in (language.replace("-", "_"), language.partition("-")[0]):
        try:
            return RbnfEngine.for_language(tag)
        except ValueError:
            continue
    raise NumberError(
        f"there are no rules to say numbers in the language {language!r}: list them, each as a value"
    )
