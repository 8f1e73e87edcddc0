"""The k best paths by the recursion over semirings: a readable reference beside the compiled recursion."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from slot_filling.heads.chain import Chain, Floats
from slot_filling.heads.semirings import Semiring, prefixes
from slot_filling.heads.viterbi import TagPath


@dataclass(frozen=True)
class Best(Semiring):
    """The best so many scores, best first, then minus infinity; with one, the maximum."""

    count: int = 1

    def lift(self, scores: Floats) -> Floats:
        """Return one path, and no others."""
        values = np.full((*scores.shape, self.count), -np.inf)
        values[..., 0] = scores
        return values

    def extend(self, values: Floats, scores: Floats) -> Floats:
        """Add the score of the move by which all paths go on."""
        return values + scores[..., None]

    def plus(self, values: Floats) -> Floats:
        """Return the best of all."""
        every = values.reshape(*values.shape[:-2], -1)
        return -np.sort(-every, axis=-1)[..., : self.count]


def k_best_by_semiring(chain: Chain, count: int) -> tuple[NDArray[np.int64], Floats]:
    """Return the best `count` paths `[batch, count, time]` and their scores `[batch, count]`.

    Where there are fewer paths, minus infinity. The semiring keeps values alone: the one of rank r at a tag is the
    one of rank r among all that lead there, so that ordering these again finds the path.
    """
    found = prefixes(Best(count), chain)  # [batch, time, tags, count]
    batch, time = found.shape[:2]
    paths = np.zeros((batch, count, time), np.int64)
    ranks = np.broadcast_to(np.arange(count), (batch, count))
    scores = np.full((batch, count), -np.inf)
    scores[:, 0] = 0.0  # of empty sentences
    for step in range(time - 1, -1, -1):
        ends = (chain.lengths == step + 1)[:, None]
        tags = paths[:, :, min(step + 1, time - 1)]  # what comes after
        onward = np.where(ends[..., None], chain.end, chain.transitions.T[tags])  # [batch, count, tags]
        candidates = (found[:, step, None] + onward[..., None]).reshape(batch, count, -1)
        order = np.argsort(-candidates, axis=2, kind="stable")
        places = np.take_along_axis(order, ranks[..., None], 2)
        values = np.take_along_axis(candidates, places, 2)[..., 0]
        scores = np.where(ends, values, scores)
        inside = (chain.lengths > step)[:, None]
        paths[:, :, step] = np.where(inside, places[..., 0] // count, 0)
        ranks = np.where(inside, places[..., 0] % count, ranks)
    return paths, scores


def k_best_paths(chain: Chain, count: int) -> list[list[tuple[float, TagPath]]]:
    """Return what `slot_filling.heads.viterbi.k_best_paths` does."""
    paths, scores = k_best_by_semiring(chain, count)
    return [
        [(float(score), path[:length]) for score, path in zip(*each, strict=True) if score > -np.inf]
        for *each, length in zip(scores, paths, chain.lengths.tolist(), strict=True)
    ]


def best_paths(chain: Chain) -> tuple[list[TagPath], Floats]:
    """Return what `slot_filling.heads.viterbi.best_paths` does."""
    paths, scores = k_best_by_semiring(chain, 1)
    lengths = chain.lengths.tolist()
    return [path[0, :length] for path, length in zip(paths, lengths, strict=True)], scores[:, 0]
