"""Mark functions that can be differentiated only once, so that differentiating them twice is an error."""

from collections.abc import Callable
from functools import wraps
from typing import Any

import torch
from torch import Tensor

Backward = Callable[..., tuple[Tensor | None, ...]]


def differentiable_once(reason: str) -> Callable[[Backward], Backward]:
    """Return a decorator for the `backward` of a `torch.autograd.Function` that cannot itself be differentiated.

    With `create_graph=True`, a second backward pass through the function raises RuntimeError. torch's own
    `once_differentiable` raises it only if the incoming gradient requires a gradient; otherwise it silently leaves the
    missing part out, so that a penalty on a gradient would have no effect.

    Args:
        reason: what can be differentiated only once, and what to do instead; the error's message.
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
    """Return tensors as they are; a backward pass through them raises the error."""

    @staticmethod
    def forward(ctx: Any, reason: str, *tensors: Tensor) -> tuple[Tensor, ...]:
        ctx.reason = reason
        return tuple(each.view_as(each) for each in tensors)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        raise RuntimeError(f"gradients of gradients are not available here: {ctx.reason}")
