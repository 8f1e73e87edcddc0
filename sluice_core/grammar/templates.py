"""Sentence templates as text: words, `(one|other)`, `[optional]`, `<rule>`, `{list}` and `{list:slot}`.

| written | means |
| --- | --- |
| `turn on the lights` | these words |
| `(lamp|light)` | one of these |
| `[please]` | with or without it, as often the one as the other |
| `<greeting>` | a sentence of the rule or list `greeting` |
| `{room}` | the same, and the words fill the slot `room` |
| `{city:origin}` | a sentence of `city` that fills the slot `origin` |
| `(/3/ to | into)` | "to" is three times as likely as "into"; at the beginning of any alternative or template |

The brackets, `|` and weights are those of the Java Speech Grammar Format
(https://www.w3.org/TR/2000/NOTE-jsgf-20000605/), `{list:slot}` is that of Home Assistant's sentences.
"""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from sluice_core.grammar.expressions import (
    EMPTY,
    Alternation,
    Alternative,
    Concatenation,
    Expression,
    GrammarError,
    Labelled,
    Reference,
    Terminal,
    Valued,
)
from sluice_core.grammar.spoken_words import check_sayable, spoken_words

TOKEN = re.compile(
    r"\s*(?:(?P<sign>[()\[\]|])|<(?P<rule>\w+)>|\{(?P<list>\w+)(?::(?P<label>\w+))?\}"
    r"|/(?P<weight>\d+(?:\.\d+)?)/|(?P<text>[^\s()\[\]|<>{}/]+))"
)
CLOSING = {"(": ")", "[": "]"}


class Template(NamedTuple):
    """A sentence template of an intent."""

    text: str
    """As it is written in the grammar's file."""
    expression: Expression
    weight: float = 1
    """How often it is drawn, relative to the other templates of all intents."""
    line: int = 0
    """Where it is in the file, from 1; 0 if it is from none."""
    path: Path | None = None
    """The file, if it is not the grammar's own."""


class TemplateToken(NamedTuple):
    """A piece of a template's text."""

    kind: str
    """The name of the group of `TOKEN` that matched."""
    text: str
    label: str = ""
    """The slot that a list fills."""


def phrase(text: str) -> Expression:
    """Return the words of a text without any signs of templates.

    Raises:
        GrammarError: a word cannot be said.
    """
    words = spoken_words(text)
    for word in words:
        check_sayable(word)
    return Terminal(words[0]) if len(words) == 1 else Concatenation(tuple(map(Terminal, words)))


def words_of(expression: Expression) -> tuple[str, ...] | None:
    """Return the words of an expression that has nothing else; None if it has."""
    match expression:
        case Terminal(text):
            return (text,)
        case Concatenation(parts) if all(isinstance(part, Terminal) for part in parts):
            return tuple(part.text for part in parts if isinstance(part, Terminal))
    return None


def with_value(expression: Expression, value: str) -> Expression:
    """Return an expression that stands for a value; words that stand for themselves stay as they are."""
    return expression if words_of(expression) == tuple(value.split(" ")) else Valued(expression, str(value))


def parse_template(text: str) -> Alternative:
    """Read a template, with its weight.

    >>> parse_template("/2/ hello [there]").weight
    2

    Raises:
        GrammarError: a bracket is not closed, a sign is misplaced, or a word cannot be said.
    """
    tokens = tokenize(text)
    whole = _read_alternatives(tokens, 0, "")
    end, alternatives = whole
    if end < len(tokens):
        raise GrammarError(f"{text!r}: {tokens[end].text!r} closes nothing: take it out, or open it before")
    if len(alternatives) == 1:
        return alternatives[0]
    return Alternative(Alternation(tuple(alternatives)))


def parse_alternatives(texts: Iterable[str]) -> Alternation:
    """Read the alternatives of a rule or list: one template each."""
    return Alternation(tuple(parse_template(text) for text in texts))


def tokenize(text: str) -> list[TemplateToken]:
    """Divide a template into its tokens.

    Raises:
        GrammarError: names what is no token, and words that touch a bracket.
    """
    tokens: list[TemplateToken] = []
    position = 0
    while text[position:].strip():
        match = TOKEN.match(text, position)
        if match is None or match.lastgroup is None:
            raise GrammarError(
                f"{text!r}: cannot read {text[position:].strip()!r}: {_advice(text[position:].strip())}"
            )
        _check_spaces(text, match, tokens)
        kind = "list" if match["list"] else match.lastgroup
        tokens.append(TemplateToken(kind, match[kind], match["label"] or match["list"] or ""))
        position = match.end()
    return tokens


def _check_spaces(text: str, match: re.Match[str], before: list[TemplateToken]) -> None:
    """Refuse a part of a word: `light[s]` and `{name}s` have no space between."""
    if not before or match.start() < match.end() - len(match[0].lstrip()):
        return
    token = TemplateToken(match.lastgroup or "", match[0])
    inside = ("text", "rule", "list", "label")
    left = before[-1].kind in inside or before[-1].text in (")", "]")
    right = token.kind in inside or token.text in ("(", "[")
    if left and right:
        raise GrammarError(
            f"{text!r}: no space before {match[0]!r}: templates are made of whole words; write (light|lights), not "
            "light[s], and a space where a new word begins"
        )


def _advice(rest: str) -> str:
    """Return what to do about the rest of a template that is no token."""
    match rest[0]:
        case "{":
            return "a slot is written {list} or {list:slot}, with letters, digits and _ in the names"
        case "<":
            return "a reference is written <rule>, with letters, digits and _ in the name"
        case "/":
            return "a weight is written /3/ at the beginning of an alternative; write 'or' where / means that"
    return "take it out"


def _read_alternatives(
    tokens: list[TemplateToken], start: int, closing: str
) -> tuple[int, list[Alternative]]:
    """Read alternatives up to the closing bracket; return the position after it."""
    alternatives: list[Alternative] = []
    position = start
    while True:
        weight: float = 1
        if position < len(tokens) and tokens[position].kind == "weight":
            weight = _weight(tokens[position].text)
            position += 1
        position, expression = _read_parts(tokens, position)
        alternatives.append(Alternative(expression, weight))
        if position < len(tokens) and tokens[position].text == "|":
            position += 1
            continue
        if not closing:
            return position, alternatives
        if position == len(tokens) or tokens[position].text != closing:
            found = f"{tokens[position].text!r}" if position < len(tokens) else "the end"
            raise GrammarError(f"a bracket is not closed: expected {closing!r} and found {found}")
        return position + 1, alternatives


def _read_parts(tokens: list[TemplateToken], position: int) -> tuple[int, Expression]:
    """Read what follows one another, up to `|`, a closing bracket or the end."""
    parts: list[Expression] = []
    while position < len(tokens) and tokens[position].text not in ("|", ")", "]"):
        token = tokens[position]
        position += 1
        if token.kind == "sign":
            position, alternatives = _read_alternatives(tokens, position, CLOSING[token.text])
            parts.append(_group(token.text, alternatives))
        elif token.kind == "rule":
            parts.append(Reference(token.text))
        elif token.kind == "list":
            parts.append(Labelled(token.label, Reference(token.text)))
        elif token.kind == "weight":
            raise GrammarError(
                f"the weight /{token.text}/ is not at the beginning of an alternative or template"
            )
        else:
            for word in spoken_words(token.text):
                check_sayable(word)
                parts.append(Terminal(word))
    return position, parts[0] if len(parts) == 1 else Concatenation(tuple(parts))


def _group(bracket: str, alternatives: list[Alternative]) -> Expression:
    """Return what a pair of brackets with these alternatives stands for."""
    if bracket == "(":
        return alternatives[0].expression if len(alternatives) == 1 else Alternation(tuple(alternatives))
    if any(weight != 1 for _, weight in alternatives):
        return Alternation((*alternatives, Alternative(EMPTY)))
    inner = alternatives[0].expression if len(alternatives) == 1 else Alternation(tuple(alternatives))
    return Alternation((Alternative(inner), Alternative(EMPTY)))


def _weight(text: str) -> float:
    weight = float(text)
    if weight == 0:
        raise GrammarError("a weight is /0/: leave the alternative out instead")
    return int(weight) if weight.is_integer() else weight
