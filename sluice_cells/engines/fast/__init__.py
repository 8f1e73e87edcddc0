"""The fast engine: a cell's step, read once, runs on a CPU as compiled loops over all time steps."""

from sluice_cells.engines.fast.engine import obstacle, run_fast

__all__ = ["obstacle", "run_fast"]
