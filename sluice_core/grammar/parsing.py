"""Find what a sentence means: the paths of a grammar's network over its words.

Words are read from left to right, and at each node only the best ways to it are kept (Viterbi, 1967, "Error bounds
for convolutional codes").
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from sluice_core.grammar.grammar import AnnotatedSentence, AnnotatedSlot
from sluice_core.grammar.network import Begin, Close, Edge, GrammarNetwork, Open

Mark = Begin | Open | Close
"""What begins or ends between words."""


Way = tuple[float, tuple[Mark, ...], int]
"""Score, what lies on the way, and the node that it leads to."""


class Derivation(NamedTuple):
    """A way through the network, as its last step and the way before it."""

    score: float
    marks: tuple[Mark, ...] = ()
    """What begins and ends before the word."""
    word: str = ""
    before: "Derivation | None" = None

    def steps(self) -> list[Mark | str]:
        """Return all marks and words from the beginning."""
        steps: list[Mark | str] = []
        path: Derivation | None = self
        while path:
            steps.extend((path.word, *reversed(path.marks)) if path.word else reversed(path.marks))
            path = path.before
        return steps[::-1]


def _best(paths: list[Derivation], most: int) -> list[Derivation]:
    """Return the paths of the highest scores; of equal ones the first."""
    return sorted(paths, key=lambda path: -path.score)[:most]


class Parser:
    """Parses sentences by the network of a grammar.

    Args:
        network: the network; ways from its nodes are remembered as they are found.
    """

    def __init__(self, network: GrammarNetwork) -> None:
        self.network = network
        self._edges_by_word: dict[int, dict[str, list[Edge]]] = {}
        self._known_ways: dict[tuple[int, str], list[Way]] = {}

    def parse(self, words: Sequence[str]) -> AnnotatedSentence | None:
        """Return the sentence of the best score with these words; None if the grammar has no such sentence."""
        return next(iter(self.meanings(words, 1)), None)

    def meanings(self, words: Sequence[str], most: int = 8) -> list[AnnotatedSentence]:
        """Return the sentences with these words that differ in intent or slots, best first.

        Args:
            words: the words of the sentence.
            most: at each word, at most this many of the best ways to a node are followed further.
        """
        paths: dict[int, list[Derivation]] = {self.network.start: [Derivation(0.0)]}
        for word in words:
            following: dict[int, list[Derivation]] = {}
            for node, before in paths.items():
                for score, marks, target in self.ways(node, word):
                    found = following.setdefault(target, [])
                    found.extend([Derivation(path.score + score, marks, word, path) for path in before])
            paths = {
                node: found if len(found) <= most else _best(found, most) for node, found in following.items()
            }
        whole = [
            Derivation(path.score + score, marks, "", path)
            for node, before in paths.items()
            for score, marks, _ in self.ways(node, "")
            for path in before
        ]
        whole.sort(key=lambda path: -path.score)  # stable: what comes first in the grammar comes first
        sentences: dict[tuple[str, tuple[AnnotatedSlot, ...]], AnnotatedSentence] = {}
        for path in whole:
            sentence = _sentence(path.steps())
            sentences.setdefault((sentence.intent, sentence.slots), sentence)
        return list(sentences.values())

    def ways(self, node: int, word: str) -> "list[Way]":
        """Return the ways from a node over a word, or to the end of the sentence if the word is ""."""
        key = (node, word)
        if key not in self._known_ways:
            self._known_ways[key] = list(self._find_ways(node, word))
        return self._known_ways[key]

    def next_words(self, node: int) -> list[str]:
        """Return the words that may come after a node; "" if the sentence may end there."""
        return [""] if node == GrammarNetwork.END else list(self._leading_to(node))

    def _find_ways(self, node: int, word: str) -> "Iterator[Way]":
        if node == GrammarNetwork.END and not word:
            yield 0.0, (), node
        for edge in self._leading_to(node).get(word, ()):
            if edge.word:
                yield edge.score, (), edge.target
                continue
            marks = () if edge.mark is None else (edge.mark,)
            for score, beyond, target in self.ways(edge.target, word):
                yield edge.score + score, (*marks, *beyond), target

    def _leading_to(self, node: int) -> dict[str, list[Edge]]:
        """Return the edges of a node by the words that they lead to; "" for the end of the sentence."""
        if node not in self._edges_by_word:
            by_word: dict[str, list[Edge]] = {}
            for edge in self.network.edges[node]:
                for word in self._first_words(edge):
                    by_word.setdefault(word, []).append(edge)
            self._edges_by_word[node] = by_word
        return self._edges_by_word[node]

    def _first_words(self, edge: Edge) -> Iterable[str]:
        if edge.word:
            return (edge.word,)
        words, final = self.network.closure(edge.target)
        return {*(way.word for way in words), *(("",) if final is not None else ())}


def _sentence(steps: Iterable[Mark | str]) -> AnnotatedSentence:
    """Return the sentence that a path through the network makes."""
    words: list[str] = []
    slots: list[AnnotatedSlot] = []
    opened: list[tuple[Open, int, int]] = []  # with the number of words and of pieces at that time
    pieces: list[str] = []  # of the value of the slot that is open
    intent = template = ""
    for step in steps:
        match step:
            case str():
                words.append(step)
                pieces.append(step)
            case Begin():
                intent, template = step.intent, step.template.text
            case Open():
                opened.append((step, len(words), len(pieces)))
            case Close():
                mark, start, first = opened.pop()
                if not mark.label:
                    pieces[first:] = [mark.value]
                elif (value := " ".join(filter(None, pieces[first:]))) or len(words) > start:
                    slots.append(AnnotatedSlot(mark.label, start, len(words), value))
    return AnnotatedSentence(tuple(words), tuple(slots), intent, template)
