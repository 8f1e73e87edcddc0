"""Compile the functions of one cell, and call them with tensors."""

import ctypes
from typing import Any

from torch import Tensor

from sluice_cells.cell import Cell
from sluice_cells.compiler import load
from sluice_cells.engines.fast.codegen import Pass, Source
from sluice_cells.engines.fast.trace import trace
from sluice_cells.packing import Packing
from sluice_cells.products.compiled import compiled_products


class Kernel:
    """The compiled functions of one cell."""

    def __init__(self, cell: Cell, *, fused: bool = False) -> None:
        """Read, print and compile a cell's step; a fused kernel includes what the engine otherwise computes outside.

        Raises:
            CannotTrace: the step uses an operation that the engine does not know.
            CompilerError: there is no compiler, or it fails.
        """
        source = Source(trace(cell, fused=fused), fused=fused)
        self.fused = fused
        self.library = _declared(load(source.text))
        multiply = compiled_products(sparse=bool(source.sparse))
        self.library.share(multiply.table)
        self.forward, self.backward = source.forward, source.backward
        self.step, self.kept = source.step, source.kept
        self.states = len(self.step.states) - (self.step.start is not None)
        self.kept_apart, self.record = source.kept_apart, source.record.width
        self.first_states = [place for kind, place in self.backward.arrays if kind == "first"]
        self.first_kept = [place for kind, place in self.forward.arrays if kind == "first"]
        self.products, self.row_gradients = source.products, source.row_gradients
        self.gradients = [name for kind, name in self.backward.arrays if kind == "gradient"]
        self.small = _small(cell, multiply.panel)
        self.dimensions = (ctypes.c_long * len(source.dimensions))(*source.dimensions)
        # ctypes forgets a type of array that nobody holds, and making one takes as long as ten calls of a function.
        self.tables = {
            each.name: ctypes.c_void_p * len(each.arrays) for each in (self.forward, self.backward)
        }
        used = [key for kind, key in self.forward.arrays + self.backward.arrays if kind == "weight"]
        self.names = sorted({str(name) for name in used})

    def call(
        self, which: Pass, arrays: dict[Any, Tensor], packing: Packing, threads: int, reverse: bool
    ) -> None:
        """Call a function with the tensors that its table of pointers names; pointers to missing ones are null."""
        pointers = [arrays[key].data_ptr() if key in arrays else None for key in which.arrays]
        table = self.tables[which.name](*pointers)
        function = self.library.forward if which is self.forward else self.library.backward
        sizes, offsets = packing.batch_sizes.data_ptr(), packing.offsets.data_ptr()
        size = (packing.steps, packing.batch)
        function(self.dimensions, *size, sizes, offsets, packing.stride, threads, reverse, table)


def _small(cell: Cell, panel: int) -> bool:
    """Return whether the fused kernel is faster, because it fits into the cache with the gradients of all matrices.

    The limits were measured with batches of 4 to 32 sequences and 16 to 320 units. A panel that is half empty takes as
    long as a full one, which matters unless everything is so small that other costs dominate.
    """
    matrices = [parameter.shape for parameter in cell.parameters() if parameter.dim() == 2]
    floats = sum(rows * columns for rows, columns in matrices)
    packed = sum(_up(rows, panel) * columns + rows * _up(columns, panel) for rows, columns in matrices) / 2
    return packed <= 16_000 or packed <= min(50_000, 1.3 * floats)


def _up(size: int, panel: int) -> int:
    return -(-size // panel) * panel


def _declared(library: ctypes.CDLL) -> ctypes.CDLL:
    """Declare the argument types of a library's functions (templates.py)."""
    number, pointer = ctypes.c_long, ctypes.c_void_p
    counts: list[Any] = [number, number, pointer, pointer, number, number, ctypes.c_int]
    library.forward.argtypes = library.backward.argtypes = [pointer, *counts, pointer]
    library.share.argtypes = [pointer]
    return library
