"""One cell's compiled functions, and how tensors are given to them."""

import ctypes
from typing import Any

import torch
from torch import Tensor

from cells.cell import Cell
from cells.engines.fast.compiler import load
from cells.engines.fast.source import Pass, Source
from cells.engines.fast.trace import trace
from cells.packing import Packing


class Kernel:
    """One cell's compiled functions and how to call them."""

    def __init__(self, cell: Cell, *, fused: bool = False) -> None:
        """Read, print and compile a cell's step.

        Raises:
            CannotTrace: the step does what the engine does not know.
            CompilerError: there is no compiler, or it fails.
        """
        source = Source(trace(cell, fused=fused), fused=fused)
        self.fused = fused
        self.library = _declared(load(source.text))
        self.forward, self.backward = source.forward, source.backward
        self.step, self.gradient, self.kept = source.step, source.gradient, source.kept
        self.kept_apart = source.kept_apart
        self.products, self.row_gradients = source.products, source.row_gradients
        self.gradients = [name for kind, name in self.backward.arrays if kind == "gradient"]
        self.dimensions = (ctypes.c_long * len(source.dimensions))(*source.dimensions)
        used = [key for kind, key in self.forward.arrays + self.backward.arrays if kind == "weight"]
        self.names = sorted({str(name) for name in used})

    def call(
        self, which: Pass, arrays: dict[Any, Tensor], packing: Packing, threads: int, reverse: bool
    ) -> None:
        """Call a function with the tensors that its table of pointers names; those not given are null."""
        pointers = (ctypes.c_void_p * len(which.arrays))()
        for place, key in enumerate(which.arrays):
            pointers[place] = arrays[key].data_ptr() if key in arrays else None
        function = getattr(self.library, which.name)
        sizes, offsets = packing.batch_sizes.data_ptr(), packing.offsets.data_ptr()
        size = (packing.steps, packing.batch)
        function(self.dimensions, *size, sizes, offsets, packing.stride, threads, reverse, pointers)

    def rows_times(self, rows: Tensor, weight: Tensor, threads: int, transposed: bool = False) -> Tensor:
        """`[rows, inputs]` by a weight matrix `[outputs, inputs]`; transposed, it is `[rows, outputs]` back."""
        (count, depth), columns = rows.shape, weight.shape[1 if transposed else 0]
        result = rows.new_empty(count, columns)
        pointers = (rows.data_ptr(), weight.data_ptr(), result.data_ptr())
        self.library.product_of_rows(count, columns, depth, *pointers, transposed, threads)
        return result


def _declared(library: ctypes.CDLL) -> ctypes.CDLL:
    """The library with the types of its functions' arguments (source.py, kernels.h)."""
    number, pointer = ctypes.c_long, ctypes.c_void_p
    counts: list[Any] = [number, number, pointer, pointer, number, number, ctypes.c_int]
    library.forward.argtypes = library.backward.argtypes = [pointer, *counts, pointer]
    library.product_of_rows.argtypes = [number, number, number, pointer, pointer, pointer, ctypes.c_int, number]
    return library
