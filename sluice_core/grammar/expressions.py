"""What a grammar's sentences are made of: words, alternatives with weights, references to rules, and slots.

An expression is a small tree. It stands for a finite set of word sequences, each with the slots that it fills and
the values that those stand for:

>>> size = Alternation((Alternative(Valued(Terminal("small"), "S")), Alternative(Terminal("large"))))
>>> order = Concatenation((Terminal("a"), Labelled("size", size), Terminal("coffee")))
>>> count(order, {})
2
"""

from bisect import bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from math import log, prod
from random import Random
from typing import NamedTuple

from sluice_core.errors import UserError


class GrammarError(UserError):
    """A grammar cannot be read, or has fewer sentences than were asked for."""


@dataclass(frozen=True)
class Terminal:
    """One word, in its spoken form."""

    text: str


@dataclass(frozen=True)
class Concatenation:
    """One expression after the other; without parts it is the empty sentence."""

    parts: "tuple[Expression, ...]"


class Alternative(NamedTuple):
    """One of the expressions to choose from."""

    expression: "Expression"
    weight: float = 1
    """How often it is drawn, relative to the others."""


@dataclass(frozen=True)
class Alternation:
    """One of several expressions."""

    alternatives: tuple[Alternative, ...]

    @cached_property
    def _cumulative(self) -> list[float]:
        return list(accumulate(alternative.weight for alternative in self.alternatives))

    def draw(self, random: Random) -> "Expression":
        """Draw an alternative; with whole weights as `random.choice` does where each is repeated that often."""
        total = self._cumulative[-1]
        point = random.randrange(total) if isinstance(total, int) else random.random() * total
        return self.alternatives[bisect_right(self._cumulative, point)].expression

    def scores(self) -> Iterator[float]:
        """Yield the logarithm of each alternative's weight, relative to the mean: 0 where all weigh the same."""
        mean = self._cumulative[-1] / len(self.alternatives)
        return (log(alternative.weight / mean) for alternative in self.alternatives)


@dataclass(frozen=True)
class Reference:
    """The expression that a grammar's rule, or list, of this name has."""

    name: str


@dataclass(frozen=True)
class Valued:
    """Words that stand for a value: "eight ounce" for "8 oz"."""

    expression: "Expression"
    value: str


@dataclass(frozen=True)
class Labelled:
    """An expression that fills a slot.

    The slot's value is made of those of its parts: what a `Valued` part stands for, and all other words as they are.
    Where no word is said, the slot is filled only if that stands for a value.
    """

    label: str
    expression: "Expression"


Expression = Terminal | Concatenation | Alternation | Reference | Valued | Labelled
Rules = Mapping[str, Expression]

EMPTY = Concatenation(())


def children(expression: Expression) -> Iterator[Expression]:
    """Yield the expressions that an expression is made of directly; a reference has none."""
    match expression:
        case Concatenation(parts):
            yield from parts
        case Alternation(alternatives):
            yield from (alternative.expression for alternative in alternatives)
        case Labelled(_, inner) | Valued(inner, _):
            yield inner


def descendants(expression: Expression) -> Iterator[Expression]:
    """Yield an expression and all that it contains, without following references."""
    waiting = [expression]
    while waiting:
        each = waiting.pop()
        yield each
        waiting.extend(children(each))


def references(expression: Expression) -> set[str]:
    """Return the names of the rules that an expression refers to directly."""
    return {each.name for each in descendants(expression) if isinstance(each, Reference)}


def count(expression: Expression, rules: Rules, memo: dict[str | int, int] | None = None) -> int:
    """Return how many sentences an expression has; one that can be made in two ways counts twice.

    Nothing is listed, so that millions of millions are counted at once.

    Args:
        expression: the expression.
        rules: the rules that it refers to, none of which may contain itself.
        memo: what is known already of rules, by their names, and of choices, by their identity.
    """
    memo = {} if memo is None else memo
    match expression:
        case Terminal():
            return 1
        case Reference(name):
            if name not in memo:
                memo[name] = count(rules[name], rules, memo)
            return memo[name]
        case Alternation():
            key = id(expression)
            if key not in memo:
                memo[key] = sum(count(each, rules, memo) for each in children(expression))
            return memo[key]
    return prod(count(each, rules, memo) for each in children(expression))
