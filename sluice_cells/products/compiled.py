"""Our own products of matrices, compiled once for all cells and engines (matrix_products.cpp)."""

import ctypes
from functools import cache
from pathlib import Path

from torch import Tensor

from sluice_cells.compiler import load


def head(*, sparse: bool) -> str:
    """Return the beginning of a source; the sparse one is for cells whose units do not all update at every step."""
    return ("#define SPARSE\n" if sparse else "") + Path(__file__).with_name("kernels.h").read_text()


@cache
def compiled_products(*, sparse: bool) -> "CompiledProducts":
    """Return the library; the sparse one is for cells whose units do not all update at every step.

    Raises:
        CompilerError: there is no compiler, or it fails.
    """
    source = Path(__file__).with_name("matrix_products.cpp").read_text()
    return CompiledProducts(load(head(sparse=sparse) + source))


class CompiledProducts:
    """The library's functions: a table of them for the cells' kernels, and methods for tensors.

    The tensors are contiguous float32 matrices on the CPU; nothing here is differentiated.
    """

    def __init__(self, library: ctypes.CDLL) -> None:
        """Declare the types of the library's functions."""
        number, pointer = ctypes.c_long, ctypes.c_void_p
        library.product_of_rows.argtypes = [*[number] * 3, *[pointer] * 4, ctypes.c_int, number]
        library.product_of_columns.argtypes = [*[number] * 3, *[pointer] * 3, number]
        library.products.restype, library.panel_columns.restype = pointer, number
        self.library = library
        self.table = library.products()
        self.panel: int = library.panel_columns()

    def rows_times(self, rows: Tensor, weight: Tensor, bias: Tensor | None, threads: int) -> Tensor:
        """Multiply `[rows, inputs]` by the transpose of `[outputs, inputs]` and add a bias `[outputs]`."""
        return self._of_rows(rows, weight, bias, weight.shape[0], False, threads)

    def rows_back(self, gradient: Tensor, weight: Tensor, threads: int) -> Tensor:
        """Multiply `[rows, outputs]` by `[outputs, inputs]`."""
        return self._of_rows(gradient, weight, None, weight.shape[1], True, threads)

    def columns_times(self, left: Tensor, right: Tensor, threads: int) -> Tensor:
        """Multiply the transpose of `[rows, left]` by `[rows, right]`, which is the gradient of a matrix."""
        (count, rows), columns = left.shape, right.shape[1]
        result = left.new_empty(rows, columns)
        pointers = (left.data_ptr(), right.data_ptr(), result.data_ptr())
        self.library.product_of_columns(count, rows, columns, *pointers, threads)
        return result

    def _of_rows(
        self, rows: Tensor, weight: Tensor, bias: Tensor | None, columns: int, straight: bool, threads: int
    ) -> Tensor:
        count, depth = rows.shape
        result = rows.new_empty(count, columns)
        added = None if bias is None else bias.data_ptr()
        pointers = (rows.data_ptr(), weight.data_ptr(), added, result.data_ptr())
        self.library.product_of_rows(count, columns, depth, *pointers, straight, threads)
        return result
