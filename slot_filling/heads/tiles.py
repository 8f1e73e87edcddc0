"""The inner loop of a chain's recursions, for some sentences at once: products with, or maxima over, a matrix of moves.

A matrix of moves between 127 tags is larger than a processor's first cache, so a recursion that goes through it for
each sentence waits for memory. Here each piece of a row serves `SENTENCES` sentences while it is in a register. Their
sums are in registers too, and each is added up in the order of the rows, by itself: a sentence has the same result,
to the last bit, whatever stands beside it.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from llvmlite.binding import get_host_cpu_features
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic
from numpy.typing import NDArray

from sluice_core.jit import compiled

SENTENCES = 4
_VECTORS = 2  # of each sentence: with fewer, a processor would wait for the last addition
_VECTOR_BYTES = 64 if get_host_cpu_features().get("avx512f") else 32
_WORD, _FIRST = ir.IntType(64), ir.IntType(32)(0)

Step = Callable[[Any, Any, Any, Any], Any]
"""Writes, with a builder, what becomes of a total with the value of a row's tag and a piece of the row."""


def padded(moves: NDArray[Any], rows: int = 1) -> NDArray[Any]:
    """Return a matrix `[tags, tags]` with columns of zeros added, as the functions below need it.

    Args:
        moves: the matrix.
        rows: zeros are added below until there is a multiple of so many rows.
    """
    tags, block = len(moves), _VECTORS * _VECTOR_BYTES // moves.itemsize
    found = np.zeros((-(-tags // rows) * rows, -(-tags // block) * block), moves.dtype)
    found[:tags, :tags] = moves
    return found


@compiled
def add_products(totals, values, rows):  # type: ignore[no-untyped-def]
    """Compute `totals [SENTENCES, columns] += values [SENTENCES, tags] @ rows [tags, columns]`.

    The columns of `totals` and `rows` are as many as `padded` makes, and lie side by side.
    """
    _sum_over_rows(totals, values, rows)


@compiled
def raise_to_best(totals, values, rows):  # type: ignore[no-untyped-def]
    """Compute `totals = max(totals, max over i of values [:, i] + rows [i])`, shapes as in `add_products`."""
    _best_over_rows(totals, values, rows)


def _over_rows(step: Step) -> Any:
    """Return a function for compiled code that goes through the rows with the totals in registers."""

    def over_rows(
        typing: Any, totals: types.Array, values: types.Array, rows: types.Array
    ) -> tuple[Any, Any]:
        element: Any = rows.dtype
        size = element.bitwidth // 8
        width = _VECTOR_BYTES // size

        def generate(context: Any, builder: Any, signature: Any, given: Any) -> Any:
            vector = ir.VectorType(context.get_data_type(element), width)
            arrays = zip(signature.args, given, strict=True)
            total, value, row = (context.make_array(kind)(context, builder, array) for kind, array in arrays)
            tags, columns = cgutils.unpack_tuple(builder, row.shape, 2)
            block = _WORD(_VECTORS * width)
            with cgutils.for_range_slice(builder, _WORD(0), columns, block, _WORD) as (column, _):
                at = [builder.add(column, _WORD(number * width)) for number in range(_VECTORS)]
                cells = [(_WORD(line), each) for line in range(SENTENCES) for each in at]
                places = [_place(builder, total, *cell, vector) for cell in cells]
                starts = [builder.load(place, align=size) for place in places]
                kept = [cgutils.alloca_once_value(builder, start) for start in starts]
                with cgutils.for_range(builder, tags, intp=_WORD) as loop:
                    tag = loop.index
                    pieces = [
                        builder.load(_place(builder, row, tag, each, vector), align=size) for each in at
                    ]
                    for line in range(SENTENCES):
                        one = builder.load(_place(builder, value, _WORD(line), tag, vector.element))
                        spread = _spread(builder, one, vector)
                        for cell, piece in zip(kept[line * _VECTORS :], pieces, strict=False):
                            builder.store(step(builder, builder.load(cell), spread, piece), cell)
                for place, cell in zip(places, kept, strict=True):
                    builder.store(builder.load(cell), place, align=size)
            return context.get_dummy_value()

        return types.void(totals, values, rows), generate

    return intrinsic(over_rows)


def _place(builder: Any, array: Any, line: Any, column: Any, kind: Any) -> Any:
    """Return a pointer to what begins at a line and a column of an array, whatever its strides."""
    steps = zip((line, column), cgutils.unpack_tuple(builder, array.strides, 2), strict=True)
    by_line, by_column = (builder.mul(number, stride) for number, stride in steps)
    begin = builder.bitcast(array.data, ir.IntType(8).as_pointer())
    return builder.bitcast(builder.gep(begin, [builder.add(by_line, by_column)]), kind.as_pointer())


def _spread(builder: Any, number: Any, vector: Any) -> Any:
    nothing = ir.Constant(vector, ir.Undefined)
    first = builder.insert_element(nothing, number, _FIRST)
    return builder.shuffle_vector(
        first, nothing, ir.Constant(ir.VectorType(ir.IntType(32), vector.count), None)
    )


def _plus_product(builder: Any, total: Any, value: Any, piece: Any) -> Any:
    vector = total.type
    bits = 64 if isinstance(vector.element, ir.DoubleType) else 32
    kind = ir.FunctionType(vector, [vector] * 3)
    fused = cgutils.get_or_insert_function(builder.module, kind, f"llvm.fmuladd.v{vector.count}f{bits}")
    return builder.call(fused, [value, piece, total])


def _or_sum(builder: Any, total: Any, value: Any, piece: Any) -> Any:
    found = builder.fadd(value, piece)
    return builder.select(builder.fcmp_ordered(">", found, total), found, total)


_sum_over_rows = _over_rows(_plus_product)
_best_over_rows = _over_rows(_or_sum)
