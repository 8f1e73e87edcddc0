"""Grow tries from spelled words, level by level: each level in a few operations on arrays, however many words."""

from typing import NamedTuple

import numpy as np

NO_LETTER = -1
"""The letter of a root."""


class TrieLevels(NamedTuple):
    """Nodes of tries: the roots first, then those of one letter, and so on."""

    parent: np.ndarray
    """`[nodes]`, -1 for roots."""
    letter: np.ndarray
    """`[nodes]`, `NO_LETTER` for roots."""
    levels: list[int]
    """Where levels begin, and the number of all nodes."""
    node: np.ndarray
    """`[words]`, where each word ends."""


def grow_tries(
    roots: int, root: np.ndarray, first: np.ndarray, lengths: np.ndarray, letters: np.ndarray
) -> TrieLevels:
    """Grow tries together.

    Args:
        roots: the number of tries.
        root: `[words]`, the trie of each word. Words are sorted by their tries and letters, so that those which share
            a beginning are neighbours.
        first: `[words]`, where each word begins in `letters`.
        lengths: `[words]`, how many letters it has.
        letters: the letters of all words.
    """
    node = root.astype(np.int64)  # the node that each word has reached so far
    levels, parents, grown = [0, roots], [np.full(roots, -1)], [np.full(roots, NO_LETTER)]
    for depth in range(int(lengths.max(initial=0))):
        going = np.flatnonzero(lengths > depth)
        letter = letters[first[going] + depth]
        is_new = np.ones(len(going), bool)
        is_new[1:] = (np.diff(node[going]) != 0) | (np.diff(letter) != 0)
        parents.append(node[going][is_new])
        grown.append(letter[is_new])
        node[going] = levels[-1] + np.cumsum(is_new) - 1
        levels.append(levels[-1] + int(is_new.sum()))
    return TrieLevels(np.concatenate(parents), np.concatenate(grown), levels, node)
