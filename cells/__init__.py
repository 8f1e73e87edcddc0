"""Recurrent cells, the stacks that give them time and layers, and the engines that run them."""

from cells.cell import Cell, State
from cells.registry import CELLS, make_cell, register
from cells.stack import Stack

__all__ = ["CELLS", "Cell", "Stack", "State", "make_cell", "register"]
