"""A grammar as a deterministic graph of words, along which a recognizer searches.

The network of a grammar becomes deterministic (each word leads from a state to one state) by the subset construction
for weighted automata, scores are moved as far forward as they go, and states from which the same follows become one
(Mohri, 1997, "Finite-State Transducers in Language and Speech Processing"). Of several ways to say the same words the
best one counts. What the words mean is found by parsing them again, so that slots do not keep states apart.

>>> from sluice_core.grammar.grammar import Grammar
>>> graph = build_graph(Grammar.of({"light": ["(turn | switch) on the {lamp}"]}, {"lamp": ["lamp", "lava lamp"]}))
>>> arcs = graph.find("switch on the lava lamp".split())
>>> graph.meaning(arcs).slots
(AnnotatedSlot(label='lamp', start=3, end=5, value='lava lamp'),)
"""

import gc
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from sluice_core.grammar.expressions import GrammarError
from sluice_core.grammar.grammar import AnnotatedSentence, Grammar
from sluice_core.grammar.network import GrammarNetwork
from sluice_core.grammar.parsing import Parser

MOST_ARCS = 5_000_000
DIGITS = 5  # of scores that count as equal

Subset = frozenset[tuple[int, float]]
"""The nodes that one state stands for, each with how much worse than the best of them it is."""


@dataclass(frozen=True, eq=False)
class GrammarGraph:
    """A deterministic acyclic graph of words; state 0 is its start.

    Arcs are sorted by the state that they leave, then by their word.
    """

    words: tuple[str, ...]
    """The words that arcs refer to, sorted."""
    arc_from: NDArray[np.int32]
    """State that each arc leaves, `[arcs]`."""
    arc_to: NDArray[np.int32]
    """State that each arc leads to, `[arcs]`."""
    arc_word: NDArray[np.int32]
    """Number of each arc's word in `words`, `[arcs]`."""
    arc_score: NDArray[np.float32]
    """Natural logarithm of each arc's weight relative to its alternatives, `[arcs]`; 0 without weights."""
    first_arc: NDArray[np.int32]
    """The arcs of state s are those from `first_arc[s]` up to `first_arc[s + 1]`, `[states + 1]`."""
    final_score: NDArray[np.float32]
    """Score of ending in each state, `[states]`; minus infinity where no sentence ends."""
    parser: Parser

    def meaning(self, arcs: Sequence[int]) -> AnnotatedSentence:
        """Return the sentence that a path of arcs says, with its intent, slots and their values.

        Raises:
            ValueError: the arcs are no whole path from the start to a final state.
        """
        states = [0, *(int(self.arc_to[arc]) for arc in arcs)]
        connected = all(self.arc_from[arc] == state for arc, state in zip(arcs, states, strict=False))
        words = [self.words[self.arc_word[arc]] for arc in arcs]
        sentence = self.parser.parse(words) if connected else None
        if sentence is None:
            raise ValueError(f"{' '.join(words)!r} is no whole sentence of the grammar")
        return sentence

    def find(self, words: Iterable[str]) -> list[int] | None:
        """Return the arcs of a sentence; None if it is not in the grammar."""
        state, arcs = 0, []
        for word in words:
            first, end = self.first_arc[state], self.first_arc[state + 1]
            number = self._number_of.get(word, -1)
            arc = int(first + np.searchsorted(self.arc_word[first:end], number))
            if arc == end or self.arc_word[arc] != number:
                return None
            arcs.append(arc)
            state = int(self.arc_to[arc])
        return arcs if np.isfinite(self.final_score[state]) else None

    @cached_property
    def _number_of(self) -> dict[str, int]:
        return {word: number for number, word in enumerate(self.words)}

    def score(self, arcs: Sequence[int]) -> float:
        """Return the sum of the scores of a whole path."""
        end = int(self.arc_to[arcs[-1]]) if len(arcs) else 0
        return float(self.arc_score[list(arcs)].sum() + self.final_score[end])

    def count(self) -> int:
        """Return how many different sentences there are."""
        sentences = [int(np.isfinite(score)) for score in self.final_score]
        for state in reversed(range(len(sentences))):  # arcs lead to later states
            first, end = self.first_arc[state], self.first_arc[state + 1]
            sentences[state] += sum(sentences[target] for target in self.arc_to[first:end])
        return sentences[0]


def build_graph(grammar: Grammar) -> GrammarGraph:
    """Return the deterministic graph of a grammar.

    Raises:
        GrammarError: the graph would have more than 5 million arcs.
    """
    collects = gc.isenabled()
    gc.disable()  # millions of tuples are made, none in a circle: looking for circles takes a third of the time
    try:
        return _build(GrammarNetwork(grammar))
    finally:
        if collects:
            gc.enable()


def _build(network: GrammarNetwork) -> GrammarGraph:
    """Return the deterministic graph of a network."""
    number_of = {word: number for number, word in enumerate(network.words)}
    states, finals = _determinize(network, number_of)
    arcs, ends = _minimize(states, finals)
    firsts = np.cumsum([0, *(len(each) for each in arcs)])
    flat = [(state, *arc) for state, each in enumerate(arcs) for arc in each]
    columns = list(zip(*flat, strict=True)) if flat else [(), (), (), ()]
    return GrammarGraph(
        words=network.words,
        arc_from=np.array(columns[0], np.int32),
        arc_word=np.array(columns[1], np.int32),
        arc_to=np.array(columns[2], np.int32),
        arc_score=np.array(columns[3], np.float32),
        first_arc=firsts.astype(np.int32),
        final_score=np.array(ends, np.float32),
        parser=Parser(network),
    )


Arc = tuple[int, int, float]
"""Number of the word, state that the arc leads to, and score."""


def _determinize(network: GrammarNetwork, number_of: dict[str, int]) -> tuple[list[list[Arc]], list[float]]:
    """Return the arcs and the score of ending for each set of nodes that some words lead to."""
    start: Subset = frozenset([(network.start, 0.0)])
    state_of: dict[Subset, int] = {start: 0}
    waiting = [start]
    arcs: list[list[Arc]] = []
    finals: list[float] = []
    total = 0
    for subset in waiting:  # which grows meanwhile
        best: dict[str, dict[int, float]] = {}
        ending = float("-inf")
        for node, residual in subset:
            words, final = network.closure(node)
            if final is not None:
                ending = max(ending, residual + final)
            for word, score, target in words:
                targets = best.setdefault(word, {})
                targets[target] = max(targets.get(target, float("-inf")), residual + score)
        leaving: list[Arc] = []
        for word, targets in best.items():
            top = max(targets.values())
            following = frozenset((node, round(score - top, DIGITS)) for node, score in targets.items())
            if following not in state_of:
                state_of[following] = len(waiting)
                waiting.append(following)
            leaving.append((number_of[word], state_of[following], top))
        arcs.append(sorted(leaving))
        finals.append(ending)
        total += len(leaving)
        if total > MOST_ARCS:
            raise GrammarError(
                f"the grammar's graph has more than {MOST_ARCS:,} arcs: make its lists shorter, or let its optional "
                "parts and lists follow one another less freely"
            )
    return arcs, finals


def _minimize(arcs: list[list[Arc]], finals: list[float]) -> tuple[list[list[Arc]], list[float]]:
    """Join the states from which the same follows; the start stays 0."""
    best = [0.0] * len(arcs)  # score of the best way from a state to an end
    joined_arcs: list[list[Arc]] = []
    joined_finals: list[float] = []
    joined_of: dict[tuple[float, tuple[Arc, ...]], int] = {}
    state_of = [0] * len(arcs)
    for state in _children_first(arcs):
        ways = [(word, to, score + best[to]) for word, to, score in arcs[state]]
        best[state] = max([finals[state], *(score for _, _, score in ways)])
        relative = 0.0 if state == 0 else best[state]
        leaving = [(word, state_of[to], round(score - relative, DIGITS)) for word, to, score in ways]
        final = round(finals[state] - relative, DIGITS)
        key = (final, tuple(leaving))
        if key not in joined_of:
            joined_of[key] = len(joined_arcs)
            joined_arcs.append(leaving)
            joined_finals.append(final)
        state_of[state] = joined_of[key]
    last = len(joined_arcs) - 1  # the start, since all others are reached from it
    turned = [[(word, last - to, score) for word, to, score in each] for each in reversed(joined_arcs)]
    return turned, joined_finals[::-1]


def _children_first(arcs: list[list[Arc]]) -> list[int]:
    """Return the states in an order in which those that follow a state come before it."""
    order: list[int] = []
    done = [False] * len(arcs)
    waiting = [(0, False)]
    while waiting:
        state, expanded = waiting.pop()
        if expanded:
            order.append(state)
        elif not done[state]:
            done[state] = True
            waiting.append((state, True))
            waiting.extend((to, False) for _, to, _ in arcs[state] if not done[to])
    return order
