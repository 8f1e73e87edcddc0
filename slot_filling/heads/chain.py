"""The scores of a linear chain as arrays: what best paths and probabilities are computed from."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


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
