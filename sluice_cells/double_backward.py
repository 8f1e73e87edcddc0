"""Functions that can be differentiated once, and say so when they are asked for more."""

from collections.abc import Callable
from functools import wraps
from typing import Any

import torch
from torch import Tensor

Backward = Callable[..., tuple[Tensor | None, ...]]


def differentiable_once(reason: str) -> Callable[[Backward], Backward]:
    """Decorates the `backward` of a `torch.autograd.Function` that has no gradient of its own.

    Where gradients are to be differentiated in turn (`create_graph=True`), a backward pass through them raises
    RuntimeError. torch's `once_differentiable` does so only where the gradient that comes in is differentiated
    itself, and otherwise leaves out the part that is missing: the penalty on a gradient has then no effect.

    Args:
        reason: who differentiates once, and what to do, for the message.
    """

    def decorate(backward: Backward) -> Backward:
        @wraps(backward)
        def once(ctx: Any, *gradients: Tensor | None) -> tuple[Tensor | None, ...]:
            with torch.no_grad():
                found = backward(ctx, *gradients)
            if not torch.is_grad_enabled():
                return found
            given = [each.detach().requires_grad_() for each in found if each is not None]
            marked = iter(_NoFurther.apply(reason, *given))
            return tuple(each if each is None else next(marked) for each in found)

        return once

    return decorate


class _NoFurther(torch.autograd.Function):
    """The same tensors, through which no gradient passes."""

    @staticmethod
    def forward(ctx: Any, reason: str, *tensors: Tensor) -> tuple[Tensor, ...]:
        ctx.reason = reason
        return tuple(each.view_as(each) for each in tensors)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        raise RuntimeError(f"gradients of gradients are not to be had here: {ctx.reason}")
