"""Find sentences of a grammar that mean two things.

Two paths through the grammar's network are followed over the same words at once, breadth first, so that the shortest
such sentences are found. That comes to an end for small grammars; of large ones, sentences are drawn as well.
"""

from collections.abc import Iterator
from random import Random
from typing import NamedTuple

from sluice_core.grammar.grammar import AnnotatedSentence, Grammar
from sluice_core.grammar.network import Begin, GrammarNetwork
from sluice_core.grammar.parsing import Mark, Parser

MOST_STEPS = 200_000
DRAWN = 500


class Ambiguity(NamedTuple):
    """A sentence with two meanings."""

    first: AnnotatedSentence
    second: AnnotatedSentence


class _Pair(NamedTuple):
    """Two nodes that the same words lead to, and whether the ways to them mean different things."""

    left: int
    right: int
    differ: bool


def find_ambiguities(grammar: Grammar, most: int = 10) -> list[Ambiguity]:
    """Return sentences that mean two things, one for each pair of templates.

    Args:
        grammar: the grammar.
        most: how many are looked for.
    """
    parser = Parser(GrammarNetwork(grammar))
    found: dict[frozenset[str], Ambiguity] = {}
    for words in _candidates(grammar, parser):
        meanings = parser.meanings(words)
        if len(meanings) > 1:
            found.setdefault(frozenset(each.template for each in meanings[:2]), Ambiguity(*meanings[:2]))
        if len(found) == most:
            break
    return list(found.values())


def _candidates(grammar: Grammar, parser: Parser) -> Iterator[tuple[str, ...]]:
    """Yield the words of sentences that may mean two things."""
    start = _Pair(parser.network.start, parser.network.start, False)
    seen = {start}
    waiting: list[tuple[_Pair, tuple[str, ...]]] = [(start, ())]
    steps = 0
    for pair, words in waiting:  # which grows meanwhile
        for word in _common_words(parser, pair):
            for following in _following(parser, pair, word):
                steps += 1
                if word and following not in seen:
                    seen.add(following)
                    waiting.append((following, (*words, word)))
                elif not word and following.differ:
                    yield words
        if steps > MOST_STEPS:
            random = Random(1)
            yield from (grammar.draw(random).words for _ in range(DRAWN))
            return


def _common_words(parser: Parser, pair: _Pair) -> list[str]:
    left = parser.next_words(pair.left)
    if pair.left == pair.right:
        return left
    right = set(parser.next_words(pair.right))
    return [word for word in left if word in right]


def _following(parser: Parser, pair: _Pair, word: str) -> Iterator[_Pair]:
    """Yield the pairs that a word leads to; each pair of ways once."""
    left, right = parser.ways(pair.left, word), parser.ways(pair.right, word)
    for number, (_, marks, target) in enumerate(left):
        same = pair.left == pair.right and not pair.differ
        for _, other_marks, other_target in right[number:] if same else right:
            differ = pair.differ or _meaning(marks) != _meaning(other_marks)
            yield _Pair(min(target, other_target), max(target, other_target), differ)


def _meaning(marks: tuple[Mark, ...]) -> list[Mark | str]:
    """Return marks without what does not matter: which template a sentence is from."""
    return [mark.intent if isinstance(mark, Begin) else mark for mark in marks]
