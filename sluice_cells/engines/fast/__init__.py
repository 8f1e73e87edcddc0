"""The fast engine reads a cell's step once, compiles it to C++ loops over all time steps, and runs them on a CPU."""

from sluice_cells.engines.fast.engine import obstacle, run_fast

__all__ = ["obstacle", "run_fast"]
