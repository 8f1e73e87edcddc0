"""The recursions that a loss needs, by operations on tensors: what an accelerator runs.

On a CPU the compiled recursions of `kernels.py` are many times faster.
"""

from functools import cached_property

import torch
from torch import Tensor

from slot_filling.heads.tensor_chain import PathCounts, TensorChain


class LogRecursions:
    """The sum over all paths and the expected counts, by the forward and the backward recursion in logs."""

    def __init__(self, chain: TensorChain) -> None:
        """Keep the scores."""
        self.chain = chain

    @cached_property
    def _prefixes(self) -> Tensor:
        return _log_prefixes(self.chain)

    @cached_property
    def log_partition(self) -> Tensor:
        """`[batch]`: the log of the sum of exp(score) over all paths."""
        chain = self.chain
        last = self._prefixes[torch.arange(len(chain.last), device=chain.last.device), chain.last]
        return (last + chain.end).logsumexp(1).where(chain.lengths > 0, 0.0)

    def expected_counts(self, weights: Tensor) -> PathCounts:
        """Return the expected counts times the weight of each sentence, `[batch]`: the log partition's gradient."""
        chain = self.chain
        suffixes = chain.reverse_in_time(_log_prefixes(chain.reversed()))
        # Where no path is allowed all that this is taken from is minus infinity too.
        norms = self.log_partition.masked_fill(self.log_partition == -torch.inf, 0.0)
        before = self._prefixes - norms[:, None, None]
        emissions = chain.masked_emissions()  # in both prefix and suffix
        logs = before + suffixes - emissions.masked_fill(emissions == -torch.inf, 0.0)
        marginals = logs.masked_fill(~chain.mask[..., None], -torch.inf).exp()
        return chain.counts_of(marginals, self._expected_moves(before, suffixes, weights), weights)

    def _expected_moves(self, before: Tensor, suffixes: Tensor, weights: Tensor) -> Tensor:
        moves = torch.zeros_like(self.chain.transitions)
        before = before[:, :-1].masked_fill(~self.chain.mask[:, 1:, None], -torch.inf)  # no word follows
        for step in range(before.shape[1]):
            logs = before[:, step, :, None] + self.chain.transitions + suffixes[:, step + 1, None, :]
            moves += torch.einsum("b,bij->ij", weights.double(), logs.exp())
        return moves


def _log_prefixes(chain: TensorChain) -> Tensor:
    """Return the log of the sum over all beginnings of paths that are at a tag at a step, `[batch, time, tags]`."""
    emissions = chain.masked_emissions()
    found = [chain.start + emissions[:, 0]]
    for step in range(1, emissions.shape[1]):
        moves = found[-1][:, None] + chain.transitions.T  # [batch, to, from]
        found.append(moves.logsumexp(2) + emissions[:, step])
    return torch.stack(found, 1)


def best_paths(chain: TensorChain) -> tuple[Tensor, Tensor]:
    """Return the best paths `[batch, time]` int64 (Viterbi 1967), 0 past the lengths, and their scores `[batch]`."""
    emissions = chain.masked_emissions()
    values, time = [chain.start + emissions[:, 0]], emissions.shape[1]
    for step in range(1, time):
        values.append((values[-1][:, None] + chain.transitions.T).amax(2) + emissions[:, step])
    paths = torch.zeros(emissions.shape[:2], dtype=torch.int64, device=emissions.device)
    scores = emissions.new_zeros(len(paths))
    for step in range(time - 1, -1, -1):
        ends = chain.lengths == step + 1
        after = paths[:, min(step + 1, time - 1)]
        onward = torch.where(ends[:, None], chain.end, chain.transitions.T[after])  # [batch, tags]
        most, tags = (values[step] + onward).max(1)
        scores = torch.where(ends, most, scores)
        paths[:, step] = torch.where(chain.lengths > step, tags, 0)
    return paths, scores
