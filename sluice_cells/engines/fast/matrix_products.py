"""Products of small matrices, compiled once for all cells (matrix_products.cpp)."""

import ctypes
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from sluice_cells.double_backward import differentiable_once
from sluice_cells.engines.fast.compiler import load
from sluice_cells.engines.fast.templates import head

ONCE = "the fast engine differentiates once; set the stack's engine to 'reference'"
"""The message of the error when a gradient is differentiated again."""

SMALL_MATRIX = 2**16
"""Up to this many weights our own product computes a matrix's gradient, in 0.5 to 1.0 of the time of BLAS."""

ALIGNED = 8
"""If a result's width is not a multiple of this, BLAS is slow: our own product takes two thirds of its time."""

MUCH = 2**26
"""From this many multiplications on, our own product saves more than its call costs, for a small matrix's gradient."""


FILLED = 1.05
"""Our own product is used up to this ratio of columns including the last panel's padding to columns without it."""


@cache
def products(*, sparse: bool) -> "Products":
    """Return the library; the sparse one is for cells whose units do not all update at every step.

    Raises:
        CompilerError: there is no compiler, or it fails.
    """
    return Products(load(head(sparse=sparse) + Path(__file__).with_name("matrix_products.cpp").read_text()))


class Products:
    """The library's functions: a table of them for the cells' kernels, and methods for the engine."""

    def __init__(self, library: ctypes.CDLL) -> None:
        """Declare the types of the library's functions."""
        number, pointer = ctypes.c_long, ctypes.c_void_p
        library.product_of_rows.argtypes = [*[number] * 3, *[pointer] * 5, ctypes.c_int, number]
        library.product_of_columns.argtypes = [*[number] * 3, *[pointer] * 3, number]
        library.products.restype, library.panel_columns.restype = pointer, number
        self.library = library
        self.table = library.products()
        self.panel: int = library.panel_columns()

    def rows_times(self, rows: Tensor, weight: Tensor, threads: int, *, bias: Tensor | None = None) -> Tensor:
        """Multiply `[rows, inputs]` by a weight matrix `[outputs, inputs]` and add a bias `[outputs]`."""
        (count, depth), columns = rows.shape, weight.shape[0]
        result = rows.new_empty(count, columns)
        pointers = (rows.data_ptr(), weight.data_ptr(), _address(bias), result.data_ptr(), None)
        self.library.product_of_rows(count, columns, depth, *pointers, False, threads)
        return result

    def rows_back(
        self, gradient: Tensor, weight: Tensor, threads: int, *, want_sums: bool
    ) -> tuple[Tensor, Tensor | None]:
        """Multiply `[rows, outputs]` by a matrix `[outputs, inputs]`; also sum over rows, `[outputs]`, if wanted."""
        count, depth, columns = gradient.shape[0], *weight.shape
        result = gradient.new_empty(count, columns)
        sums = gradient.new_empty(depth) if want_sums else None
        pointers = (gradient.data_ptr(), weight.data_ptr(), None, result.data_ptr(), _address(sums))
        self.library.product_of_rows(count, columns, depth, *pointers, True, threads)
        return result, sums

    def columns_times(self, left: Tensor, right: Tensor, threads: int) -> Tensor:
        """Multiply the transpose of `[rows, left]` by `[rows, right]`, which is the gradient of a matrix."""
        (count, rows), columns = left.shape, right.shape[1]
        panels = -(-columns // self.panel)
        if rows * columns > SMALL_MATRIX or panels * self.panel > FILLED * columns:
            return left.t() @ right
        result = left.new_empty(rows, columns)
        pointers = (left.data_ptr(), right.data_ptr(), result.data_ptr())
        self.library.product_of_columns(count, rows, columns, *pointers, threads)
        return result

    def linear(self, rows: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
        """Compute `functional.linear` at full speed for every width."""
        if torch.is_autocast_enabled("cpu"):
            return functional.linear(rows, weight, bias)
        much = rows.shape[0] * weight.numel() >= MUCH
        pays = much and weight.numel() <= SMALL_MATRIX and weight.requires_grad
        if pays or any(size % ALIGNED for size in weight.shape):
            bias = bias.contiguous() if bias is not None else None
            return _Product.apply(self, rows.contiguous(), weight.contiguous(), bias)
        return _by_blas(rows, weight, bias)


class _Product(torch.autograd.Function):
    """`functional.linear` whose result and gradient are computed at full speed for every width."""

    @staticmethod
    def forward(ctx: Any, multiply: Products, rows: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        ctx.multiply = multiply
        ctx.save_for_backward(rows, weight)
        if weight.shape[0] % ALIGNED:
            return multiply.rows_times(rows, weight, torch.get_num_threads(), bias=bias)
        return _by_blas(rows, weight, bias)

    @staticmethod
    @differentiable_once(ONCE)
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        rows, weight = ctx.saved_tensors
        _, wants_below, wants_matrix, wants_sums = ctx.needs_input_grad
        gradient, threads = gradient.contiguous(), torch.get_num_threads()
        below = matrix = sums = None
        if wants_below and weight.shape[1] % ALIGNED:
            below, sums = ctx.multiply.rows_back(gradient, weight, threads, want_sums=wants_sums)
        elif wants_below:
            below = gradient @ weight
        if wants_sums and sums is None:
            sums = gradient.sum(0)
        if wants_matrix:
            matrix = ctx.multiply.columns_times(gradient, rows, threads)
        return None, below, matrix, sums


def _by_blas(rows: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    # BLAS given a bias writes it to every row first, which takes as long as the product of a small matrix.
    product = rows @ weight.t()
    return product if bias is None else product.add_(bias)


def _address(tensor: Tensor | None) -> int | None:
    return None if tensor is None else tensor.data_ptr()
