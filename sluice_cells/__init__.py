"""Recurrent cells, stacks that run them over layers and time, and the engines that compute them.

A name is imported when it is first asked for, so that `sluice_cells.user_cache` can be used without importing torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sluice_cells.cell import Cell, State
    from sluice_cells.check import CellError, check_cell
    from sluice_cells.registry import CELLS, make_cell, register
    from sluice_cells.stack import Stack
    from sluice_cells.torch_weights import from_torch, to_torch
    from sluice_cells.truncated import Chunk, chunks

__all__ = [
    "CELLS",
    "Cell",
    "CellError",
    "Chunk",
    "Stack",
    "State",
    "check_cell",
    "chunks",
    "from_torch",
    "make_cell",
    "register",
    "to_torch",
]

_MODULES = {
    "cell": ("Cell", "State"),
    "check": ("CellError", "check_cell"),
    "registry": ("CELLS", "make_cell", "register"),
    "stack": ("Stack",),
    "torch_weights": ("from_torch", "to_torch"),
    "truncated": ("Chunk", "chunks"),
}


def __getattr__(name: str) -> Any:
    """Import a name of `__all__` from its module."""
    for module, names in _MODULES.items():
        if name in names:
            return getattr(import_module(f"{__name__}.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    """Return the names for people at a prompt, whether imported yet or not."""
    return sorted({*globals(), *__all__})
