"""The libraries that can compute a product, and what each needs in order to be there."""

import logging
from collections.abc import Callable
from functools import cache
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from sluice_cells.compiler import CompilerError
from sluice_cells.products.compiled import CompiledProducts, compiled_products

logger = logging.getLogger(__name__)

FORWARD = "rows times weight"
"""`[rows, inputs]` times the transpose of `[outputs, inputs]`, plus a bias if there is one."""
BELOW = "gradient of rows"
"""`[rows, outputs]` times `[outputs, inputs]`."""
WEIGHT = "gradient of weight"
"""The transpose of `[rows, outputs]` times `[rows, inputs]`."""

TORCH = "torch"
Candidate = Callable[[Tensor, Tensor, Tensor | None], Tensor]
"""Computes a product of two contiguous matrices; the bias is None in all but `FORWARD`."""


def candidates(product: str) -> dict[str, Candidate]:
    """Return what can compute a product here, by name; torch, which always can, is the first."""
    found: dict[str, Candidate] = {TORCH: _TORCH[product]}
    if product == WEIGHT:
        # MKL is slow where a result's rows begin at odd places, and those of the transpose may not.
        found["torch-transposed"] = lambda gradient, rows, _: (rows.t() @ gradient).t().contiguous()
    for name, library in (("onednn", _onednn()), ("own", _own())):
        if library is not None:
            found[name] = library[product]
    return found


_TORCH: dict[str, Candidate] = {
    FORWARD: functional.linear,
    BELOW: lambda gradient, weight, _: gradient @ weight,
    WEIGHT: lambda gradient, rows, _: gradient.t() @ rows,
}


@cache
def _onednn() -> dict[str, Candidate] | None:
    """Return oneDNN's products, or None where torch has none, or not in the form that is known here."""
    try:
        if not torch.backends.mkldnn.is_available():
            raise RuntimeError("this torch was built without it")
        linear = _onednn_linear()
        found: dict[str, Candidate] = {
            FORWARD: lambda rows, weight, bias: linear(rows, weight, bias, "none", [], ""),
            BELOW: lambda gradient, weight, _: linear(gradient, weight.t(), None, "none", [], ""),
            WEIGHT: lambda gradient, rows, _: (
                linear(rows.t(), gradient.t(), None, "none", [], "").t().contiguous()
            ),
        }
        _try(found)
    except (
        Exception
    ) as error:  # the operation is torch's private one: whatever goes wrong with it, it is not used
        logger.info("matrix products do without oneDNN: %s", str(error).partition("\n")[0])
        return None
    return found


def _onednn_linear() -> Any:
    return torch.ops.mkldnn._linear_pointwise


@cache
def _own() -> dict[str, Candidate] | None:
    """Return our own products, or None where they cannot be compiled."""
    try:
        own: CompiledProducts = compiled_products(sparse=False)
    except CompilerError as error:
        logger.info("matrix products do without our own: %s", error)
        return None
    threads = torch.get_num_threads
    return {
        FORWARD: lambda rows, weight, bias: own.rows_times(rows, weight, bias, threads()),
        BELOW: lambda gradient, weight, _: own.rows_back(gradient, weight, threads()),
        WEIGHT: lambda gradient, rows, _: own.columns_times(gradient, rows, threads()),
    }


def _try(found: dict[str, Candidate]) -> None:
    """Compute a small product of each kind and compare it with torch's.

    Raises:
        RuntimeError: a result is wrong.
    """
    rows, weight = torch.linspace(-1, 1, 35).reshape(5, 7), torch.linspace(-2, 1, 21).reshape(3, 7)
    gradient, bias = torch.linspace(2, -1, 15).reshape(5, 3), torch.linspace(0, 1, 3)
    given = {FORWARD: (rows, weight, bias), BELOW: (gradient, weight, None), WEIGHT: (gradient, rows, None)}
    for product, (left, right, added) in given.items():
        if not torch.allclose(
            found[product](left, right, added), _TORCH[product](left, right, added), atol=1e-5
        ):
            raise RuntimeError(f"its {product} is wrong")
