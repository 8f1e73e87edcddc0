"""Recurrent cells, the stacks that run them over layers and time, and the engines that compute them."""

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
