"""The distribution over paths that a chain's scores make: its partition, marginals, entropy and expected counts.

On a CPU by the scaled recursion, which is exact unless scores differ by some 600 nats (60 in float32); then, and on
a GPU, by the recursion in logs.
"""

from abc import ABC, abstractmethod
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from slot_filling.heads import kernels
from slot_filling.heads.chain import Chain, Counts
from slot_filling.heads.semirings import Entropy, Log, prefixes, total


class Posterior(ABC):
    """Probabilities of paths. Where no path is allowed at all, every probability is zero."""

    def __init__(self, chain: Chain) -> None:
        """Of these scores."""
        self.chain = chain

    @property
    @abstractmethod
    def log_partition(self) -> Tensor:
        """`[batch]` log of the sum of exp(score) over all paths."""

    @property
    @abstractmethod
    def marginals(self) -> Tensor:
        """`[batch, time, tags]` probability of each tag, zero past the lengths."""

    @property
    @abstractmethod
    def entropy(self) -> Tensor:
        """`[batch]` entropy of the paths in nats."""

    @abstractmethod
    def pairs(self, sentence: int, step: int, tag: int) -> np.ndarray:
        """`[tags]` probability of this tag at a step and each tag at the step after it, which must exist."""

    @abstractmethod
    def _expected_moves(self, weights: Tensor) -> Tensor:
        """`[tags, tags]` expected number of moves from tag to tag, times `weights [batch]`."""

    def expected_counts(self, weights: Tensor) -> Counts:
        """Expected counts times the weight of each sentence, `[batch]`: the gradient of the log partition.

        They are new tensors, of the weights' type.
        """
        marginals = self.marginals * weights.to(self.marginals.dtype)[:, None, None]
        ends = marginals[torch.arange(len(weights), device=weights.device), self.chain.last]
        counts = (marginals, self._expected_moves(weights), marginals[:, 0].sum(0), ends.sum(0))
        return Counts(*(count.to(weights.dtype) for count in counts))


def posterior_of(chain: Chain, dtype: torch.dtype = torch.float64) -> Posterior:
    """The posterior, by the fastest recursion that is exact for these scores on their device.

    Args:
        chain: the scores.
        dtype: what it is to be exact for; of float32, probabilities have an error of about 1e-6.
    """
    if chain.on_cpu:
        for each in dict.fromkeys((dtype, torch.float64)):
            scaled = ScaledPosterior(chain, each)
            if scaled.exact:
                return scaled
    return LogPosterior(chain)


class LogPosterior(Posterior):
    """By the recursion in the log semiring, once from each side: exact for all scores, on any device."""

    @cached_property
    def _prefixes(self) -> Tensor:
        return prefixes(Log(), self.chain)[..., 0]

    @cached_property
    def _suffixes(self) -> Tensor:
        return self.chain.reverse_in_time(prefixes(Log(), self.chain.reversed())[..., 0])

    @cached_property
    def log_partition(self) -> Tensor:
        """See `Posterior`."""
        return total(Log(), self.chain, self._prefixes[..., None])[:, 0]

    @property
    def _norms(self) -> Tensor:
        """The partition, or 0 where it is minus infinity and so is all that it is taken from."""
        return self.log_partition.masked_fill(self.log_partition == -torch.inf, 0.0)

    @cached_property
    def marginals(self) -> Tensor:
        """See `Posterior`."""
        emissions = self.chain.masked_emissions()  # in both prefix and suffix
        once = self._suffixes - emissions.masked_fill(emissions == -torch.inf, 0.0)
        logs = self._prefixes + once - self._norms[:, None, None]
        return logs.masked_fill(~self.chain.mask[..., None], -torch.inf).exp()

    @cached_property
    def entropy(self) -> Tensor:
        """See `Posterior`."""
        return total(Entropy(), self.chain, prefixes(Entropy(), self.chain))[:, 1]

    def pairs(self, sentence: int, step: int, tag: int) -> np.ndarray:
        """See `Posterior`."""
        before, after = self._prefixes[sentence, step, tag], self._suffixes[sentence, step + 1]
        return torch.exp(before + self.chain.transitions[tag] + after - self._norms[sentence]).cpu().numpy()

    def _expected_moves(self, weights: Tensor) -> Tensor:
        moves = torch.zeros_like(self.chain.transitions)
        before = (self._prefixes - self._norms[:, None, None])[:, :-1]
        before = before.masked_fill(~self.chain.mask[:, 1:, None], -torch.inf)  # where no word follows
        for step in range(before.shape[1]):
            logs = before[:, step, :, None] + self.chain.transitions + self._suffixes[:, step + 1, None, :]
            moves += torch.einsum("b,bij->ij", weights.double(), logs.exp())
        return moves


class ScaledPosterior(Posterior):
    """By the recursion over weights, scaled at each step: a product with one matrix of weights a step.

    Emissions are divided by the largest of their word before, and moves by the largest of all.
    """

    def __init__(self, chain: Chain, dtype: torch.dtype = torch.float64) -> None:
        """Run the forward recursion in float32 or float64; `exact` says whether its results may be used."""
        super().__init__(chain)
        self._tops = chain.emissions.amax(2)  # [batch, time]
        self._emissions = (chain.emissions - self._tops[..., None]).to(dtype).exp_().numpy()
        self._weights, self._most = zip(
            *(_weights_of(scores, dtype) for scores in (chain.transitions, chain.start, chain.end)),
            strict=True,
        )
        self._lengths = chain.lengths.numpy()
        self._alphas = torch.zeros_like(chain.emissions, dtype=dtype)
        self._scales = np.ones((len(self._lengths), chain.emissions.shape[1] + 1))
        self.exact = self._run_forward()

    def _run_forward(self) -> bool:
        transitions, start, end = self._weights
        chain, alphas = self.chain, self._alphas.numpy()
        reachable = _reachable_tags(chain.start.numpy(), chain.transitions.numpy(), alphas.shape[1])
        least = alphas.dtype.type(kernels.LEAST[alphas.dtype])
        return kernels.scaled_forward(
            self._emissions, transitions, start, end, self._lengths, reachable, least, alphas, self._scales
        )

    @cached_property
    def log_partition(self) -> Tensor:
        """See `Posterior`."""
        moves, start, end = self._most
        ends = torch.where(
            self.chain.lengths > 0, start + end + moves * (self.chain.lengths.double() - 1), 0.0
        )
        tops = torch.where(self.chain.mask, self._tops, 0.0).sum(1)
        return torch.from_numpy(self._scales).log().sum(1) + tops + ends

    @cached_property
    def _backward(self) -> tuple[Tensor, Tensor]:
        """Marginals, and what `kernels.scaled_backward` calls onward."""
        transitions, _, end = self._weights
        transposed = np.ascontiguousarray(transitions.T)
        found = torch.zeros_like(self._alphas), torch.zeros_like(self._alphas)
        alphas, marginals, onward = (tensor.numpy() for tensor in (self._alphas, *found))
        kernels.scaled_backward(
            self._emissions, transposed, end, self._lengths, alphas, self._scales, marginals, onward
        )
        return found

    @property
    def marginals(self) -> Tensor:
        """See `Posterior`."""
        return self._backward[0]

    @cached_property
    def entropy(self) -> Tensor:
        """See `Posterior`: the log partition, less the expected score."""
        chain, onward = self.chain, self._backward[1]
        transitions, start, end = (
            scores.masked_fill(scores == -torch.inf, 0.0)
            for scores in (chain.transitions, chain.start, chain.end)
        )
        words = torch.where(self.marginals > 0.0, chain.emissions, 0.0) * self.marginals
        weighted = torch.from_numpy(self._weights[0]) * transitions
        moves = self._alphas[:, :-1] * (onward[:, 1:] @ weighted.T)
        last = self.marginals[torch.arange(len(onward)), chain.last]
        ends = self.marginals[:, 0] @ start + last @ end
        return (self.log_partition - words.sum((1, 2)) - moves.sum((1, 2)) - ends).clamp(min=0.0)

    def pairs(self, sentence: int, step: int, tag: int) -> np.ndarray:
        """See `Posterior`."""
        onward = self._backward[1][sentence, step + 1].numpy()
        return float(self._alphas[sentence, step, tag]) * self._weights[0][tag] * onward

    def _expected_moves(self, weights: Tensor) -> Tensor:
        before = self._alphas[:, :-1] * weights.to(self._alphas.dtype)[:, None, None]
        products = before.flatten(0, 1).T @ self._backward[1][:, 1:].flatten(0, 1)
        return products * torch.from_numpy(self._weights[0])


def _weights_of(scores: Tensor, dtype: torch.dtype) -> tuple[np.ndarray, float]:
    """Weights of which the largest is 1, and the score of that; all zeros where nothing is allowed."""
    most = float(scores.max())
    if most == -torch.inf:
        return torch.zeros_like(scores, dtype=dtype).numpy(), 0.0
    return (scores - most).to(dtype).exp().contiguous().numpy(), most


def _reachable_tags(start: np.ndarray, transitions: np.ndarray, steps: int) -> np.ndarray:
    """`[steps, tags]` bool: the tags that some path of finite transitions is at, at each step."""
    found, moves = np.empty((steps, len(start)), bool), transitions > -np.inf
    found[0] = start > -np.inf
    for step in range(1, steps):
        found[step] = moves[found[step - 1]].any(0)
        if (found[step] == found[step - 1]).all():
            found[step:] = found[step]
            break
    return found
