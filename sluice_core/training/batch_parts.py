"""The parts of a batch, computed at the same time by threads, with the gradient that the whole batch has.

Each part is computed from its input to its gradient by one thread, and nothing waits until gradients are added. On two
cores that takes about as long as threads inside operations, and what comes out does not depend on the number of threads
(`python -m benchmarks.batch_parts`).
"""

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any

import torch
from torch import Tensor

from sluice_cells.dropout import drawn_by

Figures = tuple[Tensor, ...]
"""Scalars of a part; the first one is differentiated."""


def add_parts(
    parts: Sequence[Callable[[], Figures]], parameters: Iterable[Tensor], threads: int = 1
) -> Figures:
    """Compute the parts of a batch at the same time and add up what they return.

    The sum does not depend on how many threads there are: each part is computed by one, parts draw their dropout from
    generators of their own, which are seeded by torch's, and are added in order.

    Args:
        parts: each returns scalars, the first of which will be differentiated with respect to `parameters` alone.
        parameters: what they all use; at least one.
        threads: how many compute; with fewer than there are parts, some parts wait for others.

    Returns:
        The sums of the scalars; the first one's gradient is known already, and `backward()` hands it on.

    Raises:
        BaseException: what the first part that failed raised.
    """
    parameters = list(parameters)
    autocast = torch.is_autocast_enabled("cpu"), torch.get_autocast_dtype("cpu")

    def compute(part: Callable[[], Figures], seed: int) -> tuple[Figures, tuple[Tensor | None, ...]]:
        enabled, dtype = autocast  # each thread has its own
        with torch.autocast("cpu", dtype, enabled), drawn_by(torch.Generator().manual_seed(seed)):
            figures = part()
        gradients = torch.autograd.grad(figures[0], parameters, allow_unused=True)
        return tuple(figure.detach() for figure in figures), gradients

    seeds = torch.randint(2**62, (len(parts),)).tolist()
    computed = list(_team(min(len(parts), threads)).map(compute, parts, seeds))
    figures = [sum(each) for each in zip(*(figures for figures, _ in computed), strict=True)]
    gradients = [_sum(each) for each in zip(*(gradients for _, gradients in computed), strict=True)]
    return _Known.apply(figures[0], gradients, *parameters), *figures[1:]


@cache
def _team(threads: int) -> ThreadPoolExecutor:
    """Return threads that stay, for which torch has no others inside an operation."""
    return ThreadPoolExecutor(threads, "batch-part", initializer=torch.set_num_threads, initargs=(1,))


def _sum(gradients: Iterable[Tensor | None]) -> Tensor | None:
    """Add up the gradients of one parameter, in place; None if no part used it."""
    found = [each for each in gradients if each is not None]
    for each in found[1:]:
        found[0].add_(each)
    return found[0] if found else None


class _Known(torch.autograd.Function):
    """A loss whose gradient has been computed."""

    @staticmethod
    def forward(ctx: Any, loss: Tensor, gradients: list[Tensor | None], *parameters: Tensor) -> Tensor:
        ctx.gradients = gradients
        return loss.clone()

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, scale: Tensor) -> tuple[Tensor | None, ...]:
        gradients, ctx.gradients = ctx.gradients, None
        return None, None, *(each if each is None else each.mul_(scale) for each in gradients)
