"""The memory of a prefix beam search: the trie of prefixes, the beam, and what a step fills anew.

Prefixes are nodes of a trie in one growing table.
"""

from typing import NamedTuple

import numpy as np

from asr.decoding.language_score import advance, finish, new_cache, settle
from sluice_core.jit import compiled, compiled_part

NODE = np.dtype(
    [
        ("parent", np.int32),
        ("token", np.int32),
        ("child", np.int32),
        ("sibling", np.int32),
        ("slot", np.int32),
        ("context", np.int32),
        ("place", np.int32),
        ("hot", np.int32),
        ("language", np.float64),
        ("factor", np.float64),
        ("ahead", np.float64),
    ]
)
"""A prefix; -1 stands for none. `child` is its youngest child, `sibling` the next older child of its parent. `slot` is
its place in the beam. `context`, `place`, `hot` and `ahead` are its language state (see `asr.decoding.language_score`).
`language` is its language score so far. `factor` is the factor by which its last token changed its probability, besides
the posteriors; the product over all tokens is e to the sum of language score and loans (`lent_score`)."""

ENTRY = np.dtype(
    [
        ("node", np.int32),
        ("child", np.int32),
        ("sibling", np.int32),
        ("unused", np.int32),
        ("blank", np.float64),
        ("label", np.float64),
    ]
)
"""A prefix in the beam. `blank` and `label` are the probabilities of its paths that end in a blank, and in its last
token. `child` is a slot of the beam whose prefix is one token longer, `sibling` the next such slot with the same
parent."""

REACH = np.dtype(
    [("total", np.float64), ("growing", np.float64), ("ending", np.float64), ("leaving", np.float64)]
)
"""A prefix's probability, and the highest that it can reach by a token with a posterior of 1: one that grows a word,
one that begins with a space, or one that leads out of the trie."""

CANDIDATE = np.dtype([("score", np.float64), ("slot", np.int32), ("token", np.int32)])
"""A prefix that may enter the beam: the prefix at a slot of the beam, and one more token."""

ROOT = 0
FIRST_NODES = 1024
"""The number of rows that the table of prefixes has at first."""


class Scratch(NamedTuple):
    """Arrays that are filled anew in each step."""

    emitted: np.ndarray
    """float64 `[tokens]`: probabilities of the tokens that may extend prefixes; 0 for others."""
    order: np.ndarray
    """The tokens that may extend prefixes: those that grow a word, then those that begin with a space; each likeliest
    first."""
    marks: np.ndarray
    """int64 `[tokens]`: the number of the last prefix that the token need not extend."""
    tried: np.ndarray
    """The tokens to extend a prefix by."""
    factors: np.ndarray
    """float64: the language factor of each token to try; -1 where `advance` must compute it."""
    reach: np.ndarray
    """REACH: one entry for each slot of the beam."""
    candidates: np.ndarray
    """CANDIDATE."""
    ranks: np.ndarray
    """float64: probabilities of the beam's prefixes, then of the candidates; `kth_largest` reorders them."""


class Workspace(NamedTuple):
    """All memory that a search writes to."""

    tree: np.ndarray
    """NODE: the prefixes."""
    beam: np.ndarray
    """ENTRY."""
    after: np.ndarray
    """ENTRY: the beam of the next step."""
    cache: np.ndarray
    """SCORE, see `asr.decoding.language_score`."""
    scratch: Scratch


@compiled
def new_scratch(size, width):  # type: ignore[no-untyped-def]
    """Return arrays for `size` tokens and a beam of `width` prefixes."""
    most = width * (size - 1)
    return Scratch(
        np.empty(size),
        np.empty(size, np.int32),
        np.full(size, -1, np.int64),
        np.empty(size, np.int32),
        np.empty(size),
        np.empty(width, REACH),
        np.empty(most, CANDIDATE),
        np.empty(width + most),
    )


@compiled
def new_workspace(fusion, size, width):  # type: ignore[no-untyped-def]
    """Return the memory of searches for `size` tokens and a beam of `width` prefixes.

    One search after another may use it as long as the fusion is the same: allocating it costs a third of a short
    utterance's time, and the cached scores of one utterance serve the next.
    """
    return Workspace(
        np.empty(FIRST_NODES + width, NODE),
        np.empty(width, ENTRY),
        np.empty(width, ENTRY),
        new_cache(fusion),
        new_scratch(size, width),
    )


@compiled_part
def plant(tree, fusion):  # type: ignore[no-untyped-def]
    """Start the trie of prefixes with the empty prefix."""
    root = tree[ROOT]
    root.parent = root.token = root.child = root.sibling = root.slot = -1
    root.context, root.place, root.hot = fusion.model.start, 0, fusion.hot.start
    root.language, root.factor, root.ahead = 0.0, 1.0, 1.0


@compiled
def grown(tree):  # type: ignore[no-untyped-def]
    """Return the table with room for twice as many nodes."""
    larger = np.empty(2 * len(tree), NODE)
    for number in range(len(tree)):
        larger[number] = tree[number]
    return larger


@compiled_part
def child_of(number, token, tree, used, fusion, cache):  # type: ignore[no-untyped-def]
    """Return the prefix that is one token longer, made if there is none yet, and the number of nodes used."""
    node = tree[number]
    found = node.child
    while found >= 0 and tree[found].token != token:
        found = tree[found].sibling
    if found >= 0:
        return found, used
    child = tree[used]
    factor, context, place, hot, settled, score = 1.0, node.context, node.place, node.hot, 1.0, 0.0
    if not fusion.plain:
        factor, context, place, hot, ahead, score = advance(
            fusion, cache, node.context, node.place, node.hot, node.ahead, token
        )
        settled = settle(fusion, cache, context, place, node.place, ahead)
        factor *= settled / ahead
    child.parent, child.token, child.child, child.sibling, child.slot = number, token, -1, node.child, -1
    child.context, child.place, child.hot, child.ahead = context, place, hot, settled
    child.language, child.factor = node.language + score, factor
    node.child = used
    return used, used + 1


@compiled
def labelling(tree, node):  # type: ignore[no-untyped-def]
    """Return the tokens of a prefix, in order."""
    length, above = 0, node
    while above != ROOT:
        length, above = length + 1, tree[above].parent
    tokens = np.empty(length, np.int64)
    while node != ROOT:
        length -= 1
        tokens[length], node = tree[node].token, tree[node].parent
    return tokens


@compiled
def complete_part(tree, node, fusion):  # type: ignore[no-untyped-def]
    """Return the longest beginning of a prefix at which a text may end: after a space or a whole word."""
    cache = new_cache(fusion)
    while not finish(fusion, cache, tree[node].context, tree[node].place, tree[node].hot, 0.0)[0]:
        node = tree[node].parent
    return node
