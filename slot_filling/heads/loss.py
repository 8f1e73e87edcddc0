"""The loss of all structured heads: the score of all paths, or of the best, less the score of the true path."""

from typing import Any

import torch
from torch import Tensor

from slot_filling.heads import tensor_recursions
from slot_filling.heads.posterior import posterior_of
from slot_filling.heads.tensor_chain import PathCounts, TensorChain
from slot_filling.heads.viterbi import padded_best_paths
from sluice_cells.double_backward import differentiable_once


class PathLoss(torch.autograd.Function):
    """`sum over paths, in the log or the max semiring, of score + cost` minus the score of the true path.

    Its gradient is exact and costs no graph: how often paths use a score, expected (log) or on the best path (max, a
    subgradient), less how often the true path uses it.
    """

    @staticmethod
    def forward(
        ctx: Any,
        emissions: Tensor,
        transitions: Tensor,
        start: Tensor,
        end: Tensor,
        tags: Tensor,
        lengths: Tensor,
        cost: float,
        best_only: bool,
    ) -> Tensor:
        """See `slot_filling.heads.head.StructuredHead.loss`; `tags` are in range past the lengths too."""
        chain = TensorChain.detached(emissions, transitions, start, end, lengths)
        precision = torch.promote_types(emissions.dtype, torch.float32)
        true_scores = chain.score(tags)
        dearer = chain.with_hamming_cost(tags, cost) if cost else chain
        if best_only:
            ctx.best, totals = _best_paths(dearer)
        else:
            ctx.all_paths = _all_paths(dearer, precision)
            totals = ctx.all_paths.log_partition
        ctx.chain, ctx.tags, ctx.best_only = chain, tags, best_only
        ctx.dtypes = [tensor.dtype for tensor in (emissions, transitions, start, end)]
        losses = torch.where(true_scores == -torch.inf, torch.inf, totals - true_scores)
        return losses.to(precision)

    @staticmethod
    @differentiable_once("a structured loss is differentiated once")
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        """Return weighted counts, less those of the true path, each in the type of its scores."""
        chain: TensorChain = ctx.chain
        if ctx.best_only:
            counts = chain.no_counts(gradient.dtype)
            chain.add_path(counts, ctx.best, gradient)
        else:
            counts = ctx.all_paths.expected_counts(gradient)
        chain.add_path(counts, ctx.tags, -gradient)
        pairs = zip(counts, ctx.dtypes, strict=True)
        return *(count.to(dtype) for count, dtype in pairs), None, None, None, None


class CompiledRecursions:
    """The sum over all paths and the expected counts, by the compiled recursions on a CPU."""

    def __init__(self, chain: TensorChain, precision: torch.dtype) -> None:
        """Run the forward recursion; results are exact for numbers of this precision."""
        self.chain = chain
        self.posterior = posterior_of(chain.arrays(), torch.empty(0, dtype=precision).numpy().dtype)

    @property
    def log_partition(self) -> Tensor:
        """`[batch]`: the log of the sum of exp(score) over all paths."""
        return torch.from_numpy(self.posterior.log_partition)

    def expected_counts(self, weights: Tensor) -> PathCounts:
        """Return the expected counts times the weight of each sentence, `[batch]`: the log partition's gradient."""
        moves = torch.from_numpy(self.posterior.expected_moves(weights.numpy()))
        return self.chain.counts_of(torch.from_numpy(self.posterior.marginals), moves, weights)


def _all_paths(
    chain: TensorChain, precision: torch.dtype
) -> CompiledRecursions | tensor_recursions.LogRecursions:
    if chain.on_cpu:
        return CompiledRecursions(chain, precision)
    return tensor_recursions.LogRecursions(chain)


def _best_paths(chain: TensorChain) -> tuple[Tensor, Tensor]:
    """Return the best paths `[batch, time]`, 0 past the lengths, and their scores."""
    if not chain.on_cpu:
        return tensor_recursions.best_paths(chain)
    paths, scores = padded_best_paths(chain.arrays())
    return torch.from_numpy(paths), torch.from_numpy(scores)
