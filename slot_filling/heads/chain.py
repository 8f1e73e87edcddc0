"""The scores of a linear chain as arrays: what best paths and probabilities are computed from."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sluice_core.threads import share, thread_count

Floats = NDArray[np.float64]

LEAST_SHARE = 1 << 20
"""The least work that is worth a thread, in words times moves between tags: a tenth of a millisecond or less."""


@dataclass(frozen=True)
class Chain:
    """The scores of a batch of sentences; those along a path add up, and minus infinity forbids. All are float64."""

    emissions: Floats
    """`[batch, time, tags]`, time > 0; what stands past the lengths is never used."""
    transitions: Floats
    """`[tags, tags]`, from the row's tag to the column's."""
    start: Floats
    """`[tags]`: the score of each tag for being the first."""
    end: Floats
    """`[tags]`: the score of each tag for being the last."""
    lengths: NDArray[np.int64]
    """`[batch]` words; an empty sentence has one path, the empty one, of score zero."""

    @cached_property
    def mask(self) -> NDArray[np.bool_]:
        """`[batch, time]`: whether there is a word."""
        return np.arange(self.emissions.shape[1]) < self.lengths[:, None]

    @cached_property
    def last(self) -> NDArray[np.int64]:
        """`[batch]`: the step of the last word; 0 where there is none."""
        return np.maximum(self.lengths - 1, 0)

    @property
    def threads(self) -> int:
        """How many threads are worth their while for a recursion."""
        work = int(self.lengths.sum()) * len(self.start) ** 2
        return max(1, min(thread_count(), work // LEAST_SHARE))

    def share_sentences(self, work: Callable[[slice], object]) -> None:
        """Call `work` with slices of the batch, which together are all of it, on several threads where that pays.

        What it computes of a sentence must not depend on the slice that it is in.
        """
        words, count = self.lengths.cumsum(), self.threads
        # Each slice ends with the sentence in which its share of the words does.
        inner = 1 + np.searchsorted(words, self.lengths.sum() * np.arange(1, count) / count)
        borders = [0, *np.minimum(inner, len(words)).tolist(), len(words)]
        share(work, [slice(*both) for both in pairwise(borders) if both[0] < both[1]])

    def masked_emissions(self) -> Floats:
        """Return the emissions with zeros past the lengths."""
        return np.where(self.mask[..., None], self.emissions, 0.0)

    def reverse_in_time(self, values: Floats) -> Floats:
        """Return `[batch, time, tags, ...]` with each sentence's steps backward; past the lengths, any of its steps."""
        backward = np.maximum(self.last[:, None] - np.arange(values.shape[1]), 0)
        return values[np.arange(len(values))[:, None], backward]

    def reversed(self) -> "Chain":
        """Return the chain read from right to left."""
        emissions = self.reverse_in_time(self.emissions)
        return Chain(emissions, self.transitions.T, self.end, self.start, self.lengths)


def longest_first(lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the numbers of sentences by their lengths, the longest first."""
    return np.argsort(-lengths, kind="stable")


class TransitionScores(NamedTuple):
    """The scores that a head adds to the emissions along a path; minus infinity forbids."""

    transitions: Floats
    """`[tags, tags]`, from the row's tag to the column's."""
    start: Floats
    """`[tags]`"""
    end: Floats
    """`[tags]`"""

    def chain(self, emissions: NDArray[Any], lengths: NDArray[Any], temperature: float = 1.0) -> Chain:
        """Return the chain that these scores make with the emissions of a batch.

        Args:
            emissions: `[batch, time, tags]` of any floating type.
            lengths: `[batch]` words of each sentence.
            temperature: what all scores are divided by: above 1 the same paths are best, and less sure to be.

        Raises:
            ValueError: shapes or ranges do not fit.

        >>> from slot_filling.heads.viterbi import best_paths
        >>> free = TransitionScores(np.array([[0.0, -np.inf], [0.0, 0.0]]), np.zeros(2), np.zeros(2))
        >>> chain = free.chain(np.array([[[2.0, 0.0], [0.0, 1.0]]]), np.array([2]))
        >>> paths, scores = best_paths(chain)  # tag 1 may not follow tag 0
        >>> paths[0].tolist(), scores.tolist()
        ([0, 0], [2.0])
        """
        check_shapes(emissions.shape, np.asarray(lengths), len(self.start))
        if emissions.shape[1] == 0:
            emissions = np.zeros((len(emissions), 1, len(self.start)))
        scores = [np.ascontiguousarray(each, np.float64) for each in (emissions, *self)]
        if temperature != 1.0:
            scores = [each / temperature for each in scores]
        emissions, transitions, start, end = scores
        return Chain(emissions, transitions, start, end, np.ascontiguousarray(lengths, np.int64))


def check_shapes(emissions: tuple[int, ...], lengths: NDArray[Any], tags: int) -> None:
    """Check that the shape of emissions is `[batch, time, tags]`, and that lengths `[batch]` lie within it.

    Raises:
        ValueError: they do not.
    """
    if len(emissions) != 3 or emissions[2] != tags or lengths.shape != emissions[:1]:
        raise ValueError(
            f"emissions must be [batch, time, {tags}] and lengths [batch]; "
            f"they are {list(emissions)} and {list(lengths.shape)}"
        )
    if len(lengths) and not 0 <= int(lengths.min()) <= int(lengths.max()) <= emissions[1]:
        raise ValueError(f"lengths must lie between 0 and the {emissions[1]} steps: {lengths.tolist()}")
