"""Recurrent cells, the stacks that give them time and layers, and the engines that run them."""

from cells.cell import Cell, State
from cells.check import CellError, check_cell
from cells.interchange import from_torch, to_torch
from cells.registry import CELLS, make_cell, register
from cells.stack import Stack
from cells.truncated import Chunk, chunks

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
