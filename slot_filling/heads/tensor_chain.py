"""The scores of a linear chain as tensors on any device, for training: scores of single paths, and their counts."""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

import torch
from torch import Tensor

from slot_filling.heads.chain import Chain
from sluice_core.masks import padding_mask


class PathCounts(NamedTuple):
    """How often paths use each score, which is the derivative of their score with respect to it."""

    emissions: Tensor
    """`[batch, time, tags]`, zero past the lengths."""
    transitions: Tensor
    """`[tags, tags]`, summed over the batch."""
    start: Tensor
    """`[tags]`"""
    end: Tensor
    """`[tags]`"""


@dataclass(frozen=True)
class TensorChain:
    """The same scores as in a `Chain`, as float64 tensors on one device, apart from any graph."""

    emissions: Tensor
    transitions: Tensor
    start: Tensor
    end: Tensor
    lengths: Tensor

    @classmethod
    def detached(
        cls, emissions: Tensor, transitions: Tensor, start: Tensor, end: Tensor, lengths: Tensor
    ) -> "TensorChain":
        """Make a chain of scores of any floating type that may need gradients."""

        def exact(scores: Tensor) -> Tensor:
            return scores.detach().double().contiguous()

        return cls(exact(emissions), exact(transitions), exact(start), exact(end), lengths)

    @property
    def on_cpu(self) -> bool:
        """Whether the compiled recursions can run on it."""
        return self.emissions.device.type == "cpu"

    def arrays(self) -> Chain:
        """Return the chain as arrays, which share the memory of the tensors where these are on a CPU."""
        scores = (self.emissions, self.transitions, self.start, self.end, self.lengths)
        return Chain(*(each.cpu().numpy() for each in scores))

    @cached_property
    def mask(self) -> Tensor:
        """`[batch, time]` bool: whether there is a word."""
        return padding_mask(self.lengths, self.emissions.shape[1])

    @cached_property
    def last(self) -> Tensor:
        """`[batch]` int64: the step of the last word; 0 where there is none."""
        return (self.lengths - 1).clamp(min=0)

    def masked_emissions(self) -> Tensor:
        """Return the emissions with zeros past the lengths."""
        return self.emissions.masked_fill(~self.mask[..., None], 0.0)

    def with_hamming_cost(self, tags: Tensor, cost: float) -> "TensorChain":
        """Return the chain in which each word whose tag differs from `tags [batch, time]` adds the cost."""
        costs = torch.full_like(self.emissions, cost).scatter_(2, tags[..., None], 0.0)
        return replace(self, emissions=self.emissions + costs)

    def reverse_in_time(self, values: Tensor) -> Tensor:
        """Return `[batch, time, tags, ...]` with each sentence's steps backward; past the lengths, any of its steps."""
        steps = torch.arange(values.shape[1], device=values.device)
        backward = (self.last[:, None] - steps).clamp(min=0)
        return values[torch.arange(len(values), device=values.device)[:, None], backward]

    def reversed(self) -> "TensorChain":
        """Return the chain read from right to left."""
        emissions = self.reverse_in_time(self.emissions)
        return TensorChain(emissions, self.transitions.T, self.end, self.start, self.lengths)

    def score(self, paths: Tensor) -> Tensor:
        """Return the scores `[batch]` of one path a sentence, `[batch, time]` int64 with any tag past the lengths."""
        mask, words = self.mask, self.emissions.gather(2, paths[..., None])[..., 0]
        moves = self.transitions[paths[:, :-1], paths[:, 1:]]
        ends = self.start[paths[:, 0]] + self.end[paths.gather(1, self.last[:, None])[:, 0]]
        return (
            _sum_in_order(torch.where(mask, words, 0.0))
            + _sum_in_order(torch.where(mask[:, 1:], moves, 0.0))
            + torch.where(self.lengths > 0, ends, 0.0)
        )

    def no_counts(self, dtype: torch.dtype) -> PathCounts:
        """Return counts that are all zero."""
        scores = (self.emissions, self.transitions, self.start, self.end)
        return PathCounts(*(torch.zeros_like(each, dtype=dtype) for each in scores))

    def add_path(self, counts: PathCounts, paths: Tensor, weights: Tensor) -> None:
        """Add to counts, in place, those of one path for each sentence, `[batch, time]`, times weights `[batch]`."""
        shares = torch.where(self.mask, weights[:, None], 0.0)  # [batch, time]
        counts.emissions.scatter_add_(2, paths[..., None], shares[..., None])
        moves = paths[:, :-1] * len(self.start) + paths[:, 1:]
        counts.transitions.view(-1).index_add_(0, moves.flatten(), shares[:, 1:].flatten())
        ends = paths.gather(1, self.last[:, None])[:, 0]
        counts.start.index_add_(0, paths[:, 0], shares[:, 0])
        counts.end.index_add_(0, ends, shares[:, 0])

    def counts_of(self, marginals: Tensor, moves: Tensor, weights: Tensor) -> PathCounts:
        """Return expected counts from marginals `[batch, time, tags]` and weighted moves, in the weights' type."""
        weighted = marginals * weights.to(marginals.dtype)[:, None, None]
        ends = weighted[torch.arange(len(weights), device=weights.device), self.last]
        counts = (weighted, moves, weighted[:, 0].sum(0), ends.sum(0))
        return PathCounts(*(count.to(weights.dtype) for count in counts))


def _sum_in_order(values: Tensor) -> Tensor:
    """Return the sums `[batch]` of values `[batch, time]`, which zeros at their ends do not change by a bit."""
    return values.cumsum(1)[:, -1] if values.shape[1] else values.sum(1)
