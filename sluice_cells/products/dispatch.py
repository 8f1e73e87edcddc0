"""`functional.linear` whose large products go to the library that is fastest for them."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from sluice_cells.packing import is_transformed
from sluice_cells.products.candidates import BELOW, FORWARD, TORCH, WEIGHT, Candidate
from sluice_cells.products.choices import active
from sluice_cells.products.measuring import kind_of

LARGE = 2**22
"""From this many multiplications on, which take a tenth of a millisecond, a product is worth a choice."""


def linear(rows: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Compute `functional.linear(rows, weight, bias)`: `[..., inputs]` to `[..., outputs]`.

    Small products, other types and devices, autocast, tracing and transforms are torch's. The gradients can be
    differentiated again.
    """
    if _recorded() or _size(rows, weight) < LARGE or active().mode == TORCH or not _plain(rows, weight, bias):
        return functional.linear(rows, weight, bias)
    flat = rows.reshape(-1, rows.shape[-1])
    chosen = [_chosen(FORWARD, flat.shape[0], weight)]
    wanted = torch.is_grad_enabled() and any(
        each is not None and each.requires_grad for each in (rows, weight, bias)
    )
    if wanted:
        chosen += [_chosen(product, flat.shape[0], weight) for product in (BELOW, WEIGHT)]
    if all(name == TORCH for name, _ in chosen):
        return functional.linear(rows, weight, bias)
    forward, *backward = (compute for _, compute in chosen)
    given = flat.contiguous(), weight.contiguous(), None if bias is None else bias.contiguous()
    result = _Linear.apply(forward, backward, *given) if wanted else forward(*given)
    return result if rows.dim() == 2 else result.view(*rows.shape[:-1], -1)


def gradient_of_weight(gradient: Tensor, rows: Tensor) -> Tensor:
    """Return the transpose of `[rows, outputs]` times `[rows, inputs]`, contiguous float32, undifferentiated."""
    outputs, inputs = gradient.shape[1], rows.shape[1]
    if gradient.shape[0] * outputs * inputs < LARGE or active().mode == TORCH:
        return gradient.t() @ rows
    _, compute = active().of(kind_of(WEIGHT, gradient.shape[0], inputs, outputs))
    return compute(gradient, rows, None)


class Linear(nn.Linear):
    """torch's linear layer, with the products of `linear`."""

    def forward(self, rows: Tensor) -> Tensor:
        """Return `[..., outputs]` of `[..., inputs]`."""
        return linear(rows, self.weight, self.bias)


def _chosen(product: str, rows: int, weight: Tensor) -> tuple[str, Candidate]:
    return active().of(kind_of(product, rows, weight.shape[1], weight.shape[0]))


def _plain(rows: Tensor, weight: Tensor, bias: Tensor | None) -> bool:
    """Return whether these are float32 on a CPU and nothing but autograd watches what is done with them."""
    for each in (rows, weight) if bias is None else (rows, weight, bias):
        if each.dtype is not torch.float32 or not each.is_cpu or type(each) not in (Tensor, nn.Parameter):
            return False
    return weight.dim() == 2 and not torch.is_autocast_enabled("cpu") and not is_transformed()


def _recorded() -> bool:
    """Return whether torch records what is done, to run it elsewhere or with other sizes."""
    return torch.jit.is_tracing() or torch.compiler.is_compiling()


def _size(rows: Tensor, weight: Tensor) -> int:
    """Return the number of multiplications."""
    return weight.numel() * (rows.numel() // max(1, rows.shape[-1]))


class _Linear(torch.autograd.Function):
    """The product, and both of its gradients."""

    @staticmethod
    def forward(
        ctx: Any,
        forward: Candidate,
        backward: list[Candidate],
        rows: Tensor,
        weight: Tensor,
        bias: Tensor | None,
    ) -> Tensor:
        ctx.computed_by = backward
        ctx.save_for_backward(rows, weight)
        return forward(rows, weight, bias)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        rows, weight = ctx.saved_tensors
        _, _, wants_below, wants_weight, wants_bias = ctx.needs_input_grad
        below = of_weight = None
        if torch.is_grad_enabled():  # the gradient will itself be differentiated
            below = gradient @ weight if wants_below else None
            of_weight = gradient.t() @ rows if wants_weight else None
        else:
            gradient = gradient.contiguous()
            times_weight, times_rows = ctx.computed_by
            below = times_weight(gradient, weight, None) if wants_below else None
            of_weight = times_rows(gradient, rows, None) if wants_weight else None
        return None, None, below, of_weight, gradient.sum(0) if wants_bias else None
