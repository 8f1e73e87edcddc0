"""Semirings, and the one recursion that sums over all paths of a chain in any of them (Goodman 1999).

What is computed is decided by what "sum" and "product" mean: in logs the sum of all paths' weights, with maxima the
best path, with k values the k best, with pairs the entropy. A path's weight is a product of moves, so all that a
product has to do is to extend a value by the score of one move.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor

from slot_filling.heads.chain import Chain


class Semiring(ABC):
    """Values are tensors `[..., size]`; scores are natural logs of weights, `[...]`."""

    @abstractmethod
    def lift(self, scores: Tensor) -> Tensor:
        """Scores `[...]` as values `[..., size]`."""

    @abstractmethod
    def extend(self, values: Tensor, scores: Tensor) -> Tensor:
        """The product of values `[..., size]` and lifted scores `[...]`."""

    @abstractmethod
    def plus(self, values: Tensor) -> Tensor:
        """The sum of values `[..., n, size]` over n, `[..., size]`."""


class Log(Semiring):
    """The log of a sum of weights."""

    def lift(self, scores: Tensor) -> Tensor:
        """One component, the score."""
        return scores[..., None]

    def extend(self, values: Tensor, scores: Tensor) -> Tensor:
        """Logs add."""
        return values + scores[..., None]

    def plus(self, values: Tensor) -> Tensor:
        """Log of the sum; minus infinity where there is nothing."""
        return values.logsumexp(-2)


@dataclass(frozen=True)
class Best(Semiring):
    """The best so many scores, best first, then minus infinity; of one, the maximum."""

    count: int = 1

    def lift(self, scores: Tensor) -> Tensor:
        """One path, and no others."""
        return torch.nn.functional.pad(scores[..., None], (0, self.count - 1), value=-torch.inf)

    def extend(self, values: Tensor, scores: Tensor) -> Tensor:
        """All paths go on by the same move."""
        return values + scores[..., None]

    def plus(self, values: Tensor) -> Tensor:
        """The best of all."""
        return values.flatten(-2).topk(self.count).values


class Entropy(Semiring):
    """The log of a sum of weights, and the entropy of the distribution that they make (Hwa 2000)."""

    def lift(self, scores: Tensor) -> Tensor:
        """One path has no entropy."""
        return torch.stack((scores, torch.zeros_like(scores)), -1)

    def extend(self, values: Tensor, scores: Tensor) -> Tensor:
        """A move that all share leaves the entropy as it is."""
        return torch.stack((values[..., 0] + scores, values[..., 1].expand_as(scores + values[..., 0])), -1)

    def plus(self, values: Tensor) -> Tensor:
        """The entropy of the choice, and the mean of those that were there."""
        logs, entropies = values.unbind(-1)
        shares = logs.softmax(-1).where(logs > -torch.inf, torch.zeros_like(logs))
        mixed = (shares * entropies + torch.special.entr(shares)).sum(-1)
        return torch.stack((logs.logsumexp(-1), mixed), -1)


def prefixes(semiring: Semiring, chain: Chain) -> Tensor:
    """Sums over all beginnings of paths that are at a tag at a step, its emission included.

    Returns:
        `[batch, time, tags, size]`; without meaning past the lengths, and finite there.
    """
    emissions = chain.masked_emissions()
    values = semiring.extend(semiring.lift(chain.start)[None], emissions[:, 0])
    found = [values]
    for step in range(1, emissions.shape[1]):
        moves = semiring.extend(values[:, None], chain.transitions.T[None])  # [batch, to, from, size]
        values = semiring.extend(semiring.plus(moves), emissions[:, step])
        found.append(values)
    return torch.stack(found, 1)


def total(semiring: Semiring, chain: Chain, found: Tensor) -> Tensor:
    """The sum over all whole paths, `[batch, size]`, from `prefixes`; of an empty sentence its one empty path."""
    last = found[torch.arange(len(found), device=found.device), (chain.lengths - 1).clamp(min=0)]
    whole = semiring.plus(semiring.extend(last, chain.end[None]))
    return torch.where(chain.lengths[:, None] > 0, whole, semiring.lift(whole.new_zeros(len(whole))))
