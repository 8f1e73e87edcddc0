"""A back-off n-gram model as a trie in flat arrays: each n-gram is a node, and the orders follow one another.

Node 0 is the empty context, then come all unigrams, then all bigrams, and so on. The children of a node are its
n-gram with one more word; they lie side by side, sorted by word, in the order of their parents.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from sluice_core.jit import compiled

ROOT = 0


class Level(NamedTuple):
    """The n-grams of one order, unsorted."""

    ngrams: np.ndarray
    """int `[n, order]`: word ids."""
    log_prob: np.ndarray
    """float32 `[n]`: the natural log of the last word's probability after the others."""
    backoff: np.ndarray
    """float32 `[n]`: the natural log of the back-off weight."""


class SortedLevel(NamedTuple):
    """The n-grams of one order, sorted by their parent, then by their last word."""

    parent: np.ndarray
    """int64 `[n]`: the place of the n-gram without its last word in the level before."""
    word: np.ndarray
    """int64 `[n]`: the id of the last word."""
    log_prob: np.ndarray
    """float32 `[n]`: natural logs; NaN where none was given and back-off decides."""
    backoff: np.ndarray
    """float32 `[n]`: natural logs."""


class NGramTrie(NamedTuple):
    """The arrays of a finished trie, which are read-only; logs are natural."""

    first_child: np.ndarray
    """int32 `[nodes + 1]`: the children of node n are `first_child[n]` to `first_child[n + 1] - 1`."""
    word: np.ndarray
    """int32 `[nodes]`: the id of the last word; -1 at the root."""
    log_prob: np.ndarray
    """float32 `[nodes]`: the log-probability of the last word after the others."""
    backoff: np.ndarray
    """float32 `[nodes]`: the log of the back-off weight; 0 where there is none."""
    suffix: np.ndarray
    """int32 `[nodes]`: the node of the n-gram's longest proper suffix that has a node."""


@compiled
def find_child(first_child, word, node, word_id):  # type: ignore[no-untyped-def]
    """Return the child of a node by a word, or -1; the root has every word, so its children need no search."""
    if node == ROOT:
        return 1 + word_id
    low, high = first_child[node], first_child[node + 1]
    while low < high:
        middle = (low + high) >> 1
        if word[middle] < word_id:
            low = middle + 1
        else:
            high = middle
    if low < first_child[node + 1] and word[low] == word_id:
        return low
    return -1


class RepeatedError(ValueError):
    """An n-gram is given twice; `order` and `place` say which one."""

    def __init__(self, order: int, place: int) -> None:
        """Take the order of the n-gram, and the place of its second occurrence among those of its order."""
        super().__init__(f"{order}-gram number {place} was given before")
        self.order = order
        self.place = place


def sort_levels(levels: Sequence[Level], vocabulary: int) -> list[SortedLevel]:
    """Sort n-grams into the order of the trie, and insert the prefixes that they lack.

    SRILM prunes n-grams whose extensions it keeps; such a prefix has the probability that back-off gives it.

    Args:
        levels: Unigrams, bigrams and so on; the unigrams are the whole vocabulary.
        vocabulary: The number of words.

    Raises:
        RepeatedError: an n-gram is given twice.
    """
    # The rank of each n-gram's first `depth` words among all that occur; ranks follow the order of the trie.
    ranks = [np.zeros(len(level.log_prob), np.int64) for level in levels]
    grown = []
    for depth, level in enumerate(levels):
        keys = [
            rank * vocabulary + longer.ngrams[:, depth]
            for rank, longer in zip(ranks[depth:], levels[depth:], strict=True)
        ]
        unique, places = np.unique(np.concatenate(keys), return_inverse=True)
        ranks[depth:] = np.split(places, np.cumsum([len(key) for key in keys])[:-1])
        if len(level.log_prob) and np.bincount(ranks[depth]).max() > 1:
            _, firsts = np.unique(ranks[depth], return_index=True)
            raise RepeatedError(depth + 1, int(np.setdiff1d(np.arange(len(ranks[depth])), firsts)[0]))
        log_prob = np.full(len(unique), np.nan, np.float32)
        backoff = np.zeros(len(unique), np.float32)
        log_prob[ranks[depth]] = level.log_prob
        if depth < len(levels) - 1:  # the longest n-grams are no context
            backoff[ranks[depth]] = level.backoff
        grown.append(SortedLevel(*np.divmod(unique, vocabulary), log_prob, backoff))
    return grown


def assemble(levels: Sequence[SortedLevel]) -> NGramTrie:
    """Join sorted levels into one trie, and link each node to its suffix."""
    starts = np.cumsum([1] + [len(level.word) for level in levels])  # of each level; the last is the end
    nodes = int(starts[-1])
    if nodes >= np.iinfo(np.int32).max:
        raise ValueError(f"{nodes} n-grams are too many: a node's number has 31 bits")
    children = np.zeros(nodes, np.int64)
    children[0] = len(levels[0].word)
    for start, level, before in zip(starts[:-2], levels[1:], levels[:-1], strict=True):
        size = len(before.word)
        children[start : start + size] = np.bincount(level.parent, minlength=size)
    first_child = np.concatenate([[1], 1 + np.cumsum(children)]).astype(np.int32)
    trie = NGramTrie(
        first_child,
        np.concatenate([[-1], *(level.word for level in levels)]).astype(np.int32),
        np.concatenate([[0], *(level.log_prob for level in levels)]).astype(np.float32),
        np.concatenate([[0], *(level.backoff for level in levels)]).astype(np.float32),
        np.zeros(nodes, np.int32),
    )
    _link(*trie)
    for array in trie:
        array.flags.writeable = False
    return trie


@compiled
def _link(first_child, word, log_prob, backoff, suffix):  # type: ignore[no-untyped-def]
    """Fill `suffix`, and `log_prob` where it is NaN, in the order of nodes: a parent and a suffix come first."""
    for parent in range(1, len(word)):  # the unigrams' suffix is the root: 0 already
        for node in range(first_child[parent], first_child[parent + 1]):
            weight = backoff[parent]
            context = suffix[parent]
            found = find_child(first_child, word, context, word[node])
            while found < 0:
                weight += backoff[context]
                context = suffix[context]
                found = find_child(first_child, word, context, word[node])
            suffix[node] = found
            if np.isnan(log_prob[node]):
                log_prob[node] = weight + log_prob[found]
