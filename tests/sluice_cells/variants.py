"""Every cell of the library with the options that change what it computes, for tests to go through."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import pytest

from sluice_cells import CELLS
from sluice_cells import compiler as cells_compiler
from sluice_cells.compiler import compiler
from sluice_cells.engines.fast import engine as fast_engine
from sluice_cells.products.compiled import compiled_products

needs_compiler = pytest.mark.skipif(compiler() is None, reason="no C++ compiler, so no fast engine")

VARIANTS: dict[str, tuple[str, dict[str, Any]]] = {
    **{name: (name, {}) for name in CELLS},
    "jordan_softmax": ("jordan", {"output": "softmax", "output_size": 5}),
    "jordan_of_2": ("jordan", {"output_size": 2}),
    "jordan_of_9": ("jordan", {"output_size": 9}),
    "projected_to_2": ("projected_lstm", {"projection_size": 2}),
    "clockwork_odd": ("clockwork", {"periods": (1, 3, 5)}),
    "scrn_learned": ("scrn", {"learn_decay": True, "context_size": 3}),
}
"""By a name for the test: the cell's name and its options."""

ENGINES_OF_VARIANTS = [
    pytest.param(
        engine, variant, marks=[needs_compiler] if engine == "fast" else [], id=f"{engine}-{variant}"
    )
    for variant in VARIANTS
    for engine in ("native", "fast")
    if engine == "fast" or VARIANTS[variant][0] in ("elman", "lstm", "projected_lstm", "gru")
]
"""Every engine but the reference with every cell it must run."""


@contextmanager
def fused_kernels(always: bool) -> Iterator[None]:
    """The fast engine takes a cell's fused kernel for any batch, or for none."""
    with patch.object(fast_engine, "FUSED_ROWS", 0 if always else 10**9):
        yield


@contextmanager
def unoptimized() -> Iterator[None]:
    """Cells are compiled without optimization, in a third of the time; products of matrices are with it, as ever."""
    for sparse in (False, True):
        compiled_products(sparse=sparse)
    with patch.object(cells_compiler, "FLAGS", (*cells_compiler.FLAGS, "-O0")):  # the last one counts
        yield
