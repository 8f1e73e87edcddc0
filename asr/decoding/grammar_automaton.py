"""A grammar's word graph as an automaton over tokens, in which a search moves from one CTC label to the next.

From each state of the graph, the words that lead on form a trie of their tokens. States whose words lead on with equal
weights share one trie, so that a list of names that stands in several places of a grammar is stored once. Weights are
moved as far to the front as possible (Mohri, Pereira and Riley 2002, section 3.4): a search that has seen the first
letter of a word already knows the best weight of all sentences it may become, and can compare it fairly with others.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple, Protocol

import numpy as np

from asr.decoding.trie_levels import TrieLevels, grow_tries
from asr.tokens import Tokens
from sluice_core.errors import UserError
from sluice_core.wording import plural

NOTHING = -1
"""What stands where a token would, at the root of a trie that nothing separates from the word before."""


class WordGraph(Protocol):
    """The sentences of a grammar as paths through arcs that carry words; `sluice_core.grammar.graph` builds one."""

    @property
    def words(self) -> Sequence[str]:
        """The words, each once."""
        ...

    @property
    def arc_to(self) -> np.ndarray:
        """`[arcs]` int32, the state that each arc leads to; arcs are sorted by the state that they come from."""
        ...

    @property
    def arc_word(self) -> np.ndarray:
        """`[arcs]` int32, a place in `words`."""
        ...

    @property
    def arc_score(self) -> np.ndarray:
        """`[arcs]` float32, natural logs of weights."""
        ...

    @property
    def first_arc(self) -> np.ndarray:
        """`[states + 1]` int32: the arcs of state s are `first_arc[s] … first_arc[s + 1] - 1`. State 0 starts."""
        ...

    @property
    def final_score(self) -> np.ndarray:
        """`[states]` float32, what is added where a sentence ends in a state; -inf where none may."""
        ...


class GrammarDecodingError(UserError):
    """A grammar has no sentence, or words that the recognizer cannot write."""


class TokenAutomaton(NamedTuple):
    """The tries of all states as flat arrays with one entry for each node, and the graph's arcs."""

    token: np.ndarray
    """int32 `[nodes]`: the token that a path emits at the node; at a root the space before its words, or `NOTHING`."""
    first_child: np.ndarray
    """int32 `[nodes]`: the children of node n are `first_child[n] … last_child[n] - 1`."""
    last_child: np.ndarray
    ahead: np.ndarray
    """float64 `[nodes]`: the best weight of the words that end here or below."""
    first_end: np.ndarray
    """int32 `[nodes + 1]`: the words that end at node n are `ends[first_end[n] : first_end[n + 1]]`."""
    ends: np.ndarray
    """int32: the number of the word's arc among those of its state."""
    root: np.ndarray
    """int32 `[states]`: the root of the trie of each state."""
    base: np.ndarray
    """int64 `[states]`: node n of a state's trie is position `base[state] + n` of the automaton."""
    first_arc: np.ndarray
    arc_to: np.ndarray
    arc_word: np.ndarray
    arc_score: np.ndarray
    """float64 `[arcs]`: weights after moving to the front; the best arc of each state has 0."""
    final_score: np.ndarray
    """float64 `[states]`: the same for sentences that end in a state."""
    best_score: float
    """The best weight of a whole sentence, to be added to what the moved weights give."""
    space: int
    """The token between words; `NOTHING` where words begin with a token of their own."""
    start: int
    """The node where sentences begin: its children are those of state 0's root, its position is the last one."""
    positions: int
    """The number of positions."""


def build_automaton(graph: WordGraph, tokens: Tokens, weight: float = 1.0) -> TokenAutomaton:
    """Build the automaton of a word graph.

    Args:
        graph: the sentences.
        tokens: the alphabet of the recognizer.
        weight: multiplies the graph's scores.

    Raises:
        GrammarDecodingError: words have characters that the alphabet lacks, or there is no sentence.
    """
    first_arc = np.asarray(graph.first_arc, np.int32)
    arc_to, arc_word = np.asarray(graph.arc_to, np.int32), np.asarray(graph.arc_word, np.int32)
    arc_score, final_score, best = _push(
        first_arc, arc_to, _weighted(graph.arc_score, weight), _weighted(graph.final_score, weight)
    )
    if best == -np.inf:
        raise GrammarDecodingError("the grammar has no sentence: nothing could be recognized along it")
    spelled = _spell(graph.words, tokens)
    kind, examples = _kinds(first_arc, arc_word, arc_score)
    tries = _build_tries(
        [slice(first_arc[s], first_arc[s + 1]) for s in examples], arc_word, arc_score, spelled
    )
    space = tokens.symbols.index(" ") if " " in tokens.symbols else NOTHING
    tries.token[tries.root] = space
    root = tries.root[kind]
    sizes = np.diff(np.append(tries.root, len(tries.token)))[kind]
    start = len(tries.token)
    return TokenAutomaton(
        token=np.append(tries.token, np.int32(NOTHING)),
        first_child=np.append(tries.first_child, tries.first_child[root[0]]),
        last_child=np.append(tries.last_child, tries.last_child[root[0]]),
        ahead=np.append(tries.ahead, 0.0),
        first_end=np.append(tries.first_end, tries.first_end[-1]),
        ends=tries.ends,
        root=root,
        base=np.cumsum([0, *sizes[:-1]]) - root,
        first_arc=first_arc,
        arc_to=arc_to,
        arc_word=arc_word,
        arc_score=arc_score,
        final_score=final_score,
        best_score=best,
        space=space,
        start=start,
        positions=int(sizes.sum()) + 1,
    )


def _weighted(scores: np.ndarray, weight: float) -> np.ndarray:
    """Return scores times a weight, as float64; what is impossible stays so even if the weight is 0."""
    scores = np.asarray(scores, np.float64)
    return np.where(scores == -np.inf, -np.inf, weight * np.where(scores == -np.inf, 0.0, scores))


def _push(
    first_arc: np.ndarray, arc_to: np.ndarray, arc_score: np.ndarray, final_score: np.ndarray
) -> tuple[np.ndarray, np.ndarray, float]:
    """Move weights to the front: return the scores of arcs and of final states, and what all sentences have ahead."""
    arc_from = np.repeat(np.arange(len(final_score)), np.diff(first_arc))
    ahead = final_score.copy()
    for _ in range(len(final_score) + 1):
        longer = ahead.copy()
        np.maximum.at(longer, arc_from, arc_score + ahead[arc_to])
        if np.array_equal(longer, ahead):
            break
        ahead = longer
    else:
        raise GrammarDecodingError("the grammar has a loop whose weights add up to more than 1")
    alive = np.where(ahead > -np.inf, ahead, 0.0)
    return arc_score + ahead[arc_to] - alive[arc_from], final_score - alive, float(ahead[0])


def _spell(words: Sequence[str], tokens: Tokens) -> list[list[int]]:
    """Return the tokens of each word.

    Raises:
        GrammarDecodingError: words have characters that the alphabet lacks, or none at all.
    """
    unknown = tokens.unknown("".join(words))
    if unknown:
        bad = [word for word in words if not set(unknown).isdisjoint(word)]
        shown = ", ".join(map(repr, bad[:5])) + (", …" if len(bad) > 5 else "")
        raise GrammarDecodingError(
            f"the recognizer cannot write {plural(len(bad), 'word')} of the grammar: {shown}. Its alphabet lacks "
            f"{' '.join(map(repr, unknown))}; it has {tokens.describe()}. Write the words with these, or train a "
            "recognizer on this grammar."
        )
    spelled = [tokens.encode(word) for word in words]
    for word, spelling in zip(words, spelled, strict=True):
        if not spelling:
            raise GrammarDecodingError(f"the recognizer has no tokens for the word {word!r} of the grammar")
    return spelled


def _kinds(
    first_arc: np.ndarray, arc_word: np.ndarray, arc_score: np.ndarray
) -> tuple[np.ndarray, list[int]]:
    """Group states whose arcs have the same words and scores: the group of each state, and one state of each group."""
    groups: dict[tuple[bytes, bytes], int] = {}
    kind, examples = np.zeros(len(first_arc) - 1, np.int64), list[int]()
    rounded = arc_score.astype(np.float32)
    for state, (first, last) in enumerate(pairwise(first_arc.tolist())):
        key = arc_word[first:last].tobytes(), rounded[first:last].tobytes()
        kind[state] = groups.setdefault(key, len(examples))
        if kind[state] == len(examples):
            examples.append(state)
    return kind, examples


class _Tries(NamedTuple):
    """Some tries, one after the other; see `TokenAutomaton`."""

    token: np.ndarray
    first_child: np.ndarray
    last_child: np.ndarray
    ahead: np.ndarray
    first_end: np.ndarray
    ends: np.ndarray
    root: np.ndarray


def _build_tries(
    slices: Sequence[slice], arc_word: np.ndarray, arc_score: np.ndarray, spelled: Sequence[list[int]]
) -> _Tries:
    """Build the trie of each slice of arcs, all of them together level by level."""
    sizes = np.array([each.stop - each.start for each in slices], np.int64)
    owner = np.repeat(np.arange(len(slices)), sizes)
    arcs = np.concatenate([np.arange(each.start, each.stop) for each in slices])
    number = arcs - np.repeat([each.start for each in slices], sizes)
    rank = np.empty(len(spelled), np.int64)
    rank[sorted(range(len(spelled)), key=lambda word: spelled[word])] = np.arange(len(spelled))
    order = np.lexsort((rank[arc_word[arcs]], owner))  # words that share a beginning are neighbours
    owner, arcs, number = owner[order], arcs[order], number[order]
    lengths = np.array([len(each) for each in spelled], np.int64)
    letters = np.array([token for each in spelled for token in each], np.int32)
    first = np.cumsum([0, *lengths])[arc_word[arcs]]
    grown = grow_tries(len(slices), owner, first, lengths[arc_word[arcs]], letters)
    return _lay_out(grown, number, arc_score[arcs])


def _lay_out(grown: TrieLevels, number: np.ndarray, score: np.ndarray) -> _Tries:
    """Number the nodes of tries that were grown together so that each trie is in one piece.

    Args:
        grown: the tries.
        number: `[words]`, the number that stands for each word in `ends`.
        score: `[words]`.
    """
    parent, token, levels, node = grown
    tree = np.arange(levels[-1])  # the trie of each node, by its root
    for start, stop in pairwise(levels[1:]):
        tree[start:stop] = tree[parent[start:stop]]
    count = len(parent)
    ahead = np.full(count, -np.inf)
    np.maximum.at(ahead, node, score)
    for start, stop in reversed(list(pairwise(levels[1:]))):
        np.maximum.at(ahead, parent[start:stop], ahead[start:stop].copy())
    children = np.bincount(parent[levels[1] :], minlength=count)
    order = np.argsort(tree, kind="stable")  # within a trie nodes stay level by level, children side by side
    place = np.empty(count, np.int64)
    place[order] = np.arange(count)
    root = place[: levels[1]]
    # A trie's children follow its root in the order of their parents.
    own = np.cumsum(children[order])
    before = np.repeat(np.append(0, own[root[1:] - 1]), np.diff(np.append(root, count)))
    last_child = np.repeat(root, np.diff(np.append(root, count))) + 1 + own - before
    by_node = np.argsort(place[node], kind="stable")
    return _Tries(
        token=token[order].astype(np.int32),
        first_child=(last_child - children[order]).astype(np.int32),
        last_child=last_child.astype(np.int32),
        ahead=ahead[order],
        first_end=np.cumsum([0, *np.bincount(place[node], minlength=count)]).astype(np.int32),
        ends=number[by_node].astype(np.int32),
        root=root.astype(np.int32),
    )
