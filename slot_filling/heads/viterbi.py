"""The best path of each sentence, and the k best."""

import numpy as np
from numpy.typing import NDArray

from slot_filling.heads import kernels
from slot_filling.heads.chain import Chain, Floats, longest_first
from slot_filling.heads.tiles import padded

TagPath = NDArray[np.int64]
"""`[length]` tags of one sentence."""


def best_paths(chain: Chain) -> tuple[list[TagPath], Floats]:
    """Return the best path of each sentence (Viterbi 1967), and the paths' scores `[batch]`.

    Minus the log partition (`Posterior`), a score is the log of the path's probability. Where no path is allowed the
    score is minus infinity, and the path means nothing.
    """
    paths, scores = padded_best_paths(chain)
    return [path[:length] for path, length in zip(paths, chain.lengths.tolist(), strict=True)], scores


def padded_best_paths(chain: Chain) -> tuple[NDArray[np.int64], Floats]:
    """Return the best paths as `best_paths` does, but as one array `[batch, time]`, 0 past the lengths."""
    paths = np.zeros(chain.emissions.shape[:2], np.int64)
    scores, moves = np.zeros(len(paths)), (padded(chain.transitions), padded(chain.transitions.T))

    def find(some: slice) -> None:
        lengths = chain.lengths[some]
        given = (chain.emissions[some], *moves, chain.start, chain.end, lengths, longest_first(lengths))
        kernels.best_paths(*given, paths[some], scores[some])

    chain.share_sentences(find)
    return paths, scores


def k_best_paths(chain: Chain, count: int) -> list[list[tuple[float, TagPath]]]:
    """Return for each sentence its best `count` paths with their scores, best first; fewer where fewer are allowed."""
    found: list[list[tuple[float, TagPath]]] = []
    rows = padded(chain.transitions)
    for emissions, length in zip(chain.emissions, chain.lengths.tolist(), strict=True):
        if not length:
            found.append([(0.0, np.zeros(0, np.int64))])
            continue
        best, values = kernels.k_best_paths(emissions[:length], rows, chain.start, chain.end, count)
        found.append([(float(value), path) for value, path in zip(values, best, strict=True)])
    return found
