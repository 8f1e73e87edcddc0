"""Recurrent cells and the stacks that run them over time."""

from cells.stack import Stack

__all__ = ["Stack"]
