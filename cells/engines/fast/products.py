"""Products of small matrices, compiled once for all cells (products.cpp)."""

import ctypes
from functools import cache
from pathlib import Path

from torch import Tensor

from cells.engines.fast.compiler import load
from cells.engines.fast.frame import head

SMALL_MATRIX = 2**16
"""Weights up to which a matrix's gradient is made by our own product: it takes 0.5 to 1.0 of BLAS's time, else more."""


@cache
def products(*, sparse: bool) -> "Products":
    """The library; sparse, for cells with units that rest.

    Raises:
        CompilerError: there is no compiler, or it fails.
    """
    return Products(load(head(sparse=sparse) + Path(__file__).with_name("products.cpp").read_text()))


class Products:
    """What the library does for cells' kernels, by a table of its functions, and for the engine."""

    def __init__(self, library: ctypes.CDLL) -> None:
        """Declare its functions."""
        number, pointer = ctypes.c_long, ctypes.c_void_p
        three: list[type] = [number] * 3 + [pointer] * 3
        library.product_of_rows.argtypes = [*three, ctypes.c_int, number]
        library.product_of_columns.argtypes = [*three, number]
        library.products.restype, library.panel_columns.restype = pointer, number
        self.library = library
        self.table = library.products()
        self.panel: int = library.panel_columns()

    def rows_times(self, rows: Tensor, weight: Tensor, threads: int, transposed: bool = False) -> Tensor:
        """`[rows, inputs]` by a weight matrix `[outputs, inputs]`; transposed, it is `[rows, outputs]` back."""
        (count, depth), columns = rows.shape, weight.shape[1 if transposed else 0]
        result = rows.new_empty(count, columns)
        pointers = (rows.data_ptr(), weight.data_ptr(), result.data_ptr())
        self.library.product_of_rows(count, columns, depth, *pointers, transposed, threads)
        return result

    def columns_times(self, left: Tensor, right: Tensor, threads: int) -> Tensor:
        """`[rows, left]` transposed by `[rows, right]`: the gradient of a matrix."""
        (count, rows), columns = left.shape, right.shape[1]
        if columns % self.panel or rows * columns > SMALL_MATRIX:
            return left.t() @ right
        result = left.new_empty(rows, columns)
        pointers = (left.data_ptr(), right.data_ptr(), result.data_ptr())
        self.library.product_of_columns(count, rows, columns, *pointers, threads)
        return result
