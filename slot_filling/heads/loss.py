"""One loss for all structured heads: what all paths are worth, or the best, less what the true path is worth."""

from typing import Any

import torch
from torch import Tensor

from slot_filling.heads.chain import Chain
from slot_filling.heads.posterior import posterior_of
from slot_filling.heads.viterbi import best_paths
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
        chain = make_chain(emissions, transitions, start, end, lengths)
        true_scores = chain.score(tags)
        dearer = chain.with_hamming_cost(tags, cost) if cost else chain
        if best_only:
            ctx.best, totals = best_paths(dearer)
        else:
            ctx.posterior = posterior_of(dearer, torch.promote_types(emissions.dtype, torch.float32))
            totals = ctx.posterior.log_partition
        ctx.chain, ctx.tags, ctx.best_only = chain, tags, best_only
        ctx.dtypes = [tensor.dtype for tensor in (emissions, transitions, start, end)]
        precision = torch.promote_types(emissions.dtype, torch.float32)
        losses = torch.where(true_scores == -torch.inf, torch.inf, totals - true_scores)
        return losses.to(precision)

    @staticmethod
    @differentiable_once("a structured loss is differentiated once")
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        """Weighted counts, less those of the true path, each in the type of its scores."""
        chain: Chain = ctx.chain
        if ctx.best_only:
            counts = chain.no_counts(gradient.dtype)
            chain.add_path(counts, ctx.best, gradient)
        else:
            counts = ctx.posterior.expected_counts(gradient)
        chain.add_path(counts, ctx.tags, -gradient)
        parts = zip(counts, ctx.dtypes, strict=True)
        return *(count.to(dtype) for count, dtype in parts), None, None, None, None


def make_chain(emissions: Tensor, transitions: Tensor, start: Tensor, end: Tensor, lengths: Tensor) -> Chain:
    """The chain of these scores, in float64 and apart from any graph."""

    def exact(scores: Tensor) -> Tensor:
        return scores.detach().double().contiguous()

    return Chain(exact(emissions), exact(transitions), exact(start), exact(end), lengths)
