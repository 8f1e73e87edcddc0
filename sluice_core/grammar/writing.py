"""Write grammars in our own format, which `sluice_core.grammar.own_format` reads."""

from collections.abc import Mapping
from typing import Any

import yaml

from sluice_core.grammar.expressions import (
    EMPTY,
    Alternation,
    Alternative,
    Concatenation,
    Expression,
    GrammarError,
    Labelled,
    Reference,
    Rules,
    Terminal,
    Valued,
    descendants,
)
from sluice_core.grammar.spoken_words import spoken_words
from sluice_core.grammar.templates import Template, words_of


def write_grammar(
    intents: Mapping[str, tuple[Template, ...]],
    rules: Rules,
    language: str,
    sounds: Mapping[str, str],
    repeatable: frozenset[str],
) -> str:
    """Return the parts of a grammar as text, which reads as the same grammar.

    Raises:
        GrammarError: a value stands within a template, where the format has none.
    """
    has_values = {
        name for name, rule in rules.items() if any(isinstance(each, Valued) for each in descendants(rule))
    }
    tree: dict[str, Any] = {
        "language": language,
        "intents": {
            str(intent): [write_alternative(Alternative(each.expression, each.weight)) for each in templates]
            for intent, templates in intents.items()
        },
        "rules": {
            str(name): [write_alternative(each) for each in _alternatives(rule)]
            for name, rule in rules.items()
            if name not in has_values
        },
        "lists": {
            str(name): [_entry(each) for each in _alternatives(rules[name])]
            for name in rules
            if name in has_values
        },
        "sounds": dict(sounds),
        "repeatable": sorted(repeatable),
    }
    content = {part: value for part, value in tree.items() if value}
    return yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=110)


def _alternatives(rule: Expression) -> tuple[Alternative, ...]:
    return rule.alternatives if isinstance(rule, Alternation) else (Alternative(rule),)


def _entry(alternative: Alternative) -> str | Mapping[str, str]:
    """Return an entry of a list, as a text that stands for itself or with its value."""
    match alternative.expression:
        case Valued(inner, value):
            text = write_alternative(Alternative(inner, alternative.weight))
            if alternative.weight == 1 and words_of(inner) == spoken_words(value):
                return value
            return {text: value}
    return write_alternative(alternative)


def write_template(expression: Expression) -> str:
    """Write an expression as a template, which `parse_template` reads as the same expression.

    >>> from sluice_core.grammar.templates import parse_template
    >>> write_template(parse_template("hello (/2/ you | all [of you])").expression)
    'hello (/2/ you | all [of you])'

    Raises:
        GrammarError: values stand inside a template, where only lists have them.
    """
    match expression:
        case Terminal(text):
            return text
        case Reference(name):
            return f"<{name}>"
        case Labelled(label, Reference(name)):
            return f"{{{name}}}" if name == label else f"{{{name}:{label}}}"
        case Concatenation(parts):
            return " ".join(write_template(part) for part in parts)
        case Alternation((Alternative(inner, 1), Alternative(Concatenation(()), 1))) if inner != EMPTY:
            text = write_template(inner)
            return f"[{text[1:-1]}]" if isinstance(inner, Alternation) and text[0] == "(" else f"[{text}]"
        case Alternation(alternatives):
            return f"({' | '.join(write_alternative(each) for each in alternatives)})"
        case Labelled() | Valued():
            raise GrammarError("a value or a slot stands inside a template: make it a list of its own")
    raise AssertionError


def write_alternative(alternative: Alternative) -> str:
    """Write an alternative with its weight, which is left out where it is 1."""
    weight = "" if alternative.weight == 1 else f"/{alternative.weight:g}/ "
    return (weight + write_template(alternative.expression)).strip()
