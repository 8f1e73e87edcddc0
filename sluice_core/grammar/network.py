"""A grammar as a network of nodes and edges, whose paths are its sentences: what search and parsing walk through.

Whatever is followed by the same is the same node, so that endings that templates share exist once.
"""

from collections.abc import Mapping
from functools import cached_property
from typing import NamedTuple

from sluice_core.grammar.expressions import (
    Alternation,
    Concatenation,
    Expression,
    Labelled,
    Reference,
    Terminal,
    Valued,
)
from sluice_core.grammar.grammar import Grammar
from sluice_core.grammar.templates import Template


class Begin(NamedTuple):
    """A sentence begins: of this intent, from this template."""

    intent: str
    template: Template


class Open(NamedTuple):
    """A slot begins, or words that stand for a value."""

    label: str
    """The slot's label; "" for a value."""
    value: str = ""


class Close(NamedTuple):
    """The innermost slot or value ends."""


class Edge(NamedTuple):
    """The way from a node to the next: over a word, or over none."""

    target: int
    word: str = ""
    """The word that is said; "" for none."""
    score: float = 0.0
    """Natural logarithm of the weight."""
    mark: Begin | Open | Close | None = None
    """What begins or ends here."""


class WordEdge(NamedTuple):
    """The way from a node to the next word and past it, whatever else lies between."""

    word: str
    score: float
    target: int


class Closure(NamedTuple):
    """Where one can go from a node without a word."""

    words: tuple[WordEdge, ...]
    final: float | None
    """The best score of ending the sentence here; none if it cannot end here."""


class GrammarNetwork:
    """The network of a grammar.

    Args:
        grammar: none of its rules contains itself, so that there are no circles.
    """

    END = 0

    def __init__(self, grammar: Grammar) -> None:
        self.edges: list[tuple[Edge, ...]] = [()]
        self._node_of: dict[tuple[Edge, ...], int] = {}
        self._built: dict[tuple[int, int], int] = {}
        self._rules: Mapping[str, Expression] = grammar.rules
        self._closures: dict[int, Closure] = {self.END: Closure((), 0.0)}
        templates = list(grammar.templates())
        self.start = self._node(
            tuple(
                Edge(self._build(template.expression, self.END), "", score, Begin(intent, template))
                for (intent, template), score in zip(templates, grammar.choice.scores(), strict=True)
            )
        )

    def _node(self, edges: tuple[Edge, ...]) -> int:
        """Return the node with these edges."""
        if edges not in self._node_of:
            self._node_of[edges] = len(self.edges)
            self.edges.append(edges)
        return self._node_of[edges]

    def _build(self, expression: Expression, after: int) -> int:
        """Return the node from which every path to `after` is a sentence of the expression."""
        key = (id(expression), after)
        if key not in self._built:
            self._built[key] = self._build_anew(expression, after)
        return self._built[key]

    def _build_anew(self, expression: Expression, after: int) -> int:
        match expression:
            case Terminal(text):
                return self._node((Edge(after, text),))
            case Reference(name):
                return self._build(self._rules[name], after)
            case Concatenation(parts):
                for part in reversed(parts):
                    after = self._build(part, after)
                return after
            case Alternation(alternatives):
                return self._node(
                    tuple(
                        Edge(self._build(each.expression, after), "", score)
                        for each, score in zip(alternatives, expression.scores(), strict=True)
                    )
                )
            case Labelled(label, inner):
                opened = Open(label)
            case Valued(inner, value):
                opened = Open("", value)
        inside = self._build(inner, self._node((Edge(after, mark=Close()),)))
        return self._node((Edge(inside, mark=opened),))

    def closure(self, node: int) -> Closure:
        """Return the words that may come next, with the best score of each way, and whether the sentence may end."""
        waiting = [node]
        while waiting:  # without recursion, since a grammar may be deep
            each = waiting[-1]
            missing = [
                edge.target
                for edge in self.edges[each]
                if not edge.word and edge.target not in self._closures
            ]
            if missing and each not in self._closures:
                waiting.extend(missing)
                continue
            if each not in self._closures:
                self._closures[each] = self._join_closures(each)
            waiting.pop()
        return self._closures[node]

    def _join_closures(self, node: int) -> Closure:
        """Join the closures of the nodes that follow without a word."""
        if len(self.edges[node]) == 1 and self.edges[node][0].word:  # as most nodes of long lists are
            target, word, score, _ = self.edges[node][0]
            return Closure((WordEdge(word, score, target),), None)
        best: dict[tuple[str, int], float] = {}
        final: float | None = None
        for edge in self.edges[node]:
            if edge.word:
                ways = [WordEdge(edge.word, edge.score, edge.target)]
            else:
                beyond = self._closures[edge.target]
                ways = [WordEdge(word, score + edge.score, target) for word, score, target in beyond.words]
                if beyond.final is not None:
                    ending = beyond.final + edge.score
                    final = ending if final is None else max(final, ending)
            for word, score, target in ways:
                key = (word, target)
                best[key] = max(score, best.get(key, score))
        return Closure(tuple(WordEdge(word, score, target) for (word, target), score in best.items()), final)

    @cached_property
    def words(self) -> tuple[str, ...]:
        """All words, sorted."""
        return tuple(sorted({edge.word for edges in self.edges for edge in edges if edge.word}))
