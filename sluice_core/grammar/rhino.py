"""Read contexts of Picovoice Rhino: expressions with macros, optional parts, choices and slots.

| written | means |
| --- | --- |
| `[brew, make]` | one of these |
| `(please, kindly)` | one of these or none |
| `@greeting` | one of the macro's phrases |
| `$size:coffeeSize` | a phrase of the slot type `size`, which fills the slot `coffeeSize` |
| `$pv.TwoDigitInteger:minutes` | a built-in slot type |

The format: https://picovoice.ai/docs/tips/syntax-cheat-sheet/.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sluice_core.grammar.draft import Draft
from sluice_core.grammar.entries import texts
from sluice_core.grammar.expressions import (
    EMPTY,
    Alternation,
    Alternative,
    Concatenation,
    Expression,
    GrammarError,
    Labelled,
    Reference,
    Valued,
)
from sluice_core.grammar.templates import phrase, with_value
from sluice_core.grammar.yaml_lines import Names, Text, line_of
from sluice_core.normalization.number_words import letters, number_words, ordinal_words
from sluice_core.wording import near

TOKEN = re.compile(
    r"\s*(?:(?P<sign>[()\[\],])|@(?P<macro>\w+)|\$(?P<type>(?:pv\.)?\w+)(?::(?P<label>\w+))?"
    r"|(?P<text>[^\s()\[\],@$]+))"
)
CLOSING = {"(": ")", "[": "]"}


def read_rhino(context: Any, draft: Draft) -> None:
    """Read what is under `context:` into a draft.

    Sentences are lower case, as recognizers have them; the values of slots stay as they are written.
    """
    if not isinstance(context, Names) or not isinstance(context.get("expressions"), Names):
        draft.say(
            line_of(context), "a Rhino context has expressions: with an intent's expressions under its name"
        )
        return
    macros, types = context.get("macros") or Names(), context.get("slots") or Names()
    for name, phrases in macros.items():
        alternatives = [draft.read(text, _parse) for text in texts(phrases, draft)]
        draft.add_rule(f"macro_{name}", name.line, alternatives)
    for name, phrases in types.items():
        draft.add_rule(name, name.line, [draft.read(text, _entry) for text in texts(phrases, draft)])
    for intent, expressions in context["expressions"].items():
        for text in texts(expressions, draft):
            _find_unknown(text, macros, types, draft)
            draft.add_template(intent, text, draft.read(text, _parse))


def _find_unknown(text: Text, macros: Names, types: Names, draft: Draft) -> None:
    """Note macros and slot types that there are not, and add the built-in types that there are."""
    for token in TOKEN.finditer(text):
        macro, kind = token["macro"], token["type"]
        if macro and macro not in macros:
            draft.say(
                text.line, f"there is no macro @{macro}: {near(macro, macros) or 'add it under macros:'}"
            )
        if kind in BUILT_IN and _name(kind) not in draft.rules:
            draft.add_rule(_name(kind), text.line, BUILT_IN[kind]().alternatives)
        elif kind and kind not in types and kind not in BUILT_IN:
            advice = near(kind, [*types, *BUILT_IN]) or "add it under slots:"
            draft.say(text.line, f"there is no slot type ${kind}: {advice}")


def _parse(text: str) -> Alternative:
    return Alternative(parse_expression(text))


def _entry(text: str) -> Alternative:
    return Alternative(with_value(phrase(text), text))


def _name(kind: str) -> str:
    """Return the name of the rule of a slot type."""
    return kind.replace(".", "_")


def _choice(entries: Mapping[str, Sequence[str]]) -> Alternation:
    """Return the choice among ways to say some values."""
    return Alternation(
        tuple(Alternative(Valued(phrase(form), value)) for value, forms in entries.items() for form in forms)
    )


BUILT_IN: Mapping[str, Callable[[], Alternation]] = {
    "pv.SingleDigitInteger": lambda: _choice({str(n): number_words(n) for n in range(10)}),
    "pv.TwoDigitInteger": lambda: _choice({str(n): number_words(n) for n in range(100)}),
    "pv.SingleDigitOrdinal": lambda: _choice({str(n): ordinal_words(n) for n in range(1, 10)}),
    "pv.TwoDigitOrdinal": lambda: _choice({str(n): ordinal_words(n) for n in range(1, 100)}),
    "pv.Percent": lambda: _choice(
        {f"{n}%": [f"{words} percent" for words in number_words(n)] for n in range(101)}
    ),
    "pv.Alphabetic": lambda: _choice({letter: [letter] for letter in letters()}),
    "pv.Alphanumeric": lambda: _choice(
        {**{letter: [letter] for letter in letters()}, **{str(n): number_words(n) for n in range(10)}}
    ),
}
"""The slot types that Rhino brings, each with how its values are said in English."""


def parse_expression(text: str) -> Expression:
    """Read an expression; macros become references to "macro_name", slot types to their names.

    >>> parse_expression("stop $engine:motor")
    Concatenation(parts=(Terminal(text='stop'), Labelled(label='motor', expression=Reference(name='engine'))))

    Raises:
        GrammarError: a bracket is not closed, or a sign is misplaced.
    """
    tokens: list[re.Match[str]] = []
    position = 0
    while text[position:].strip():
        match = TOKEN.match(text, position)
        if match is None:
            raise GrammarError(
                f"{text!r}: cannot read {text[position:].strip()!r}: a macro is written @name, a slot $type:name"
            )
        tokens.append(match)
        position = match.end()
    end, (expression, *more) = _read_alternatives(tokens, 0, "")
    if end < len(tokens) or more:
        raise GrammarError(f"{text!r}: {tokens[min(end, len(tokens) - 1)]['sign']!r} is in no bracket")
    return expression


def _read_alternatives(
    tokens: Sequence[re.Match[str]], start: int, closing: str
) -> tuple[int, list[Expression]]:
    """Read alternatives, divided by commas, up to the closing bracket; return the position after it."""
    alternatives: list[Expression] = []
    position = start
    while True:
        position, expression = _read_parts(tokens, position)
        alternatives.append(expression)
        sign = tokens[position]["sign"] if position < len(tokens) else ""
        if sign == "," and closing:
            position += 1
        elif sign == closing:
            return position + 1, alternatives
        elif not closing:
            return position, alternatives
        else:
            raise GrammarError(
                f"a bracket is not closed: expected {closing!r} and found {sign or 'the end'!r}"
            )


def _read_parts(tokens: Sequence[re.Match[str]], position: int) -> tuple[int, Expression]:
    """Read what follows one another, up to a comma, a closing bracket or the end."""
    parts: list[Expression] = []
    while position < len(tokens) and tokens[position]["sign"] not in (",", ")", "]"):
        token = tokens[position]
        position += 1
        if sign := token["sign"]:
            position, inside = _read_alternatives(tokens, position, CLOSING[sign])
            choice: Expression = (
                inside[0] if len(inside) == 1 else Alternation(tuple(map(Alternative, inside)))
            )
            parts.append(Alternation((Alternative(choice), Alternative(EMPTY))) if sign == "(" else choice)
        elif token["macro"]:
            parts.append(Reference("macro_" + token["macro"]))
        elif token["type"]:
            parts.append(Labelled(token["label"] or token["type"], Reference(_name(token["type"]))))
        else:
            words = phrase(token["text"])
            parts.extend(words.parts if isinstance(words, Concatenation) else [words])
    return position, parts[0] if len(parts) == 1 else Concatenation(tuple(parts))
