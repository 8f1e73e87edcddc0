"""Scores of all paths of tags through a batch of sentences, and what one path is worth."""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

import torch
from torch import Tensor

from sluice_core.masks import padding_mask


class Counts(NamedTuple):
    """How often paths use each score, which is the derivative of their score by it."""

    emissions: Tensor
    """`[batch, time, tags]`, zero past the lengths."""
    transitions: Tensor
    """`[tags, tags]`, summed over the batch."""
    start: Tensor
    """`[tags]`"""
    end: Tensor
    """`[tags]`"""


@dataclass(frozen=True)
class Chain:
    """The scores of a linear chain: those along a path add up. Minus infinity forbids; all are float64."""

    emissions: Tensor
    """`[batch, time, tags]`, time > 0; what stands past the lengths is never used."""
    transitions: Tensor
    """`[tags, tags]`, from the row's tag to the column's."""
    start: Tensor
    """`[tags]`"""
    end: Tensor
    """`[tags]`"""
    lengths: Tensor
    """`[batch]` int64; an empty sentence has one path, the empty one, of score zero."""

    @property
    def tags(self) -> int:
        """Number of tags."""
        return len(self.start)

    @property
    def on_cpu(self) -> bool:
        """The compiled recursions can run on it."""
        return self.emissions.device.type == "cpu"

    @cached_property
    def mask(self) -> Tensor:
        """`[batch, time]` bool: there is a word."""
        return padding_mask(self.lengths, self.emissions.shape[1])

    @cached_property
    def last(self) -> Tensor:
        """`[batch]` int64: the step of the last word; 0 where there is none."""
        return (self.lengths - 1).clamp(min=0)

    def masked_emissions(self) -> Tensor:
        """Emissions with zeros past the lengths."""
        return self.emissions.masked_fill(~self.mask[..., None], 0.0)

    def with_hamming_cost(self, tags: Tensor, cost: float) -> "Chain":
        """Each word whose tag is not that of `tags [batch, time]` adds the cost to its path."""
        costs = torch.full_like(self.emissions, cost).scatter_(2, tags[..., None], 0.0)
        return replace(self, emissions=self.emissions + costs)

    def reverse_in_time(self, values: Tensor) -> Tensor:
        """`[batch, time, tags, ...]` with each sentence's steps backward; past the lengths, any of its steps."""
        steps = torch.arange(values.shape[1], device=values.device)
        backward = (self.last[:, None] - steps).clamp(min=0)
        return values[torch.arange(len(values), device=values.device)[:, None], backward]

    def reversed(self) -> "Chain":
        """The chain read from right to left."""
        emissions = self.reverse_in_time(self.emissions)
        return Chain(emissions, self.transitions.T, self.end, self.start, self.lengths)

    def score(self, paths: Tensor) -> Tensor:
        """Scores `[batch]` of one path each, `[batch, time]` int64, any tag past the lengths."""
        mask, words = self.mask, self.emissions.gather(2, paths[..., None])[..., 0]
        moves = self.transitions[paths[:, :-1], paths[:, 1:]]
        ends = self.start[paths[:, 0]] + self.end[paths.gather(1, self.last[:, None])[:, 0]]
        return (
            torch.where(mask, words, 0.0).sum(1)
            + torch.where(mask[:, 1:], moves, 0.0).sum(1)
            + torch.where(self.lengths > 0, ends, 0.0)
        )

    def no_counts(self, dtype: torch.dtype) -> Counts:
        """All zero."""
        parts = (self.emissions, self.transitions, self.start, self.end)
        return Counts(*(torch.zeros_like(scores, dtype=dtype) for scores in parts))

    def add_path(self, counts: Counts, paths: Tensor, weights: Tensor) -> None:
        """Add to counts, in place, those of one path each, `[batch, time]`, times the sentences' weights `[batch]`."""
        shares = torch.where(self.mask, weights[:, None], 0.0)  # [batch, time]
        counts.emissions.scatter_add_(2, paths[..., None], shares[..., None])
        moves = paths[:, :-1] * self.tags + paths[:, 1:]
        counts.transitions.view(-1).index_add_(0, moves.flatten(), shares[:, 1:].flatten())
        ends = paths.gather(1, self.last[:, None])[:, 0]
        counts.start.index_add_(0, paths[:, 0], shares[:, 0])
        counts.end.index_add_(0, ends, shares[:, 0])
