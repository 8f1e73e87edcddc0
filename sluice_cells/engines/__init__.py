"""Engines run a cell over time. They compute the same and differ in speed and in which cells they can run."""

import logging
from collections.abc import Callable
from functools import cache

import torch
from torch import Tensor

from sluice_cells.cell import Cell, State
from sluice_cells.engines import fast
from sluice_cells.engines.native import native_obstacle, run_native
from sluice_cells.engines.reference import run_reference
from sluice_cells.packing import Packing, is_transformed

logger = logging.getLogger(__name__)

Engine = Callable[[Cell, Tensor, Packing, State, bool, bool], tuple[Tensor, State | None]]
"""`engine(cell, inputs, packing, state, reverse, want_state) -> (outputs, final state)`.

`inputs` are packed rows `[rows, input_size]`, `state` is `[batch, size]`, longest sequence first; outputs are rows
`[rows, output_size]`. With `reverse` each sequence is read from its own end to its start. Without `want_state` the
final state may be None. The result of a sequence does not depend on the others.
"""

ENGINES: dict[str, Engine] = {"reference": run_reference, "native": run_native, "fast": fast.run_fast}
"""All engines by name; the name "auto" chooses among them."""


def choose_engine(name: str, cell: Cell, inputs: Tensor) -> Engine:
    """Return the engine to run a cell on these inputs.

    "auto" takes the fast engine on a CPU in float32, if there is a compiler and the engine can read the cell's step;
    otherwise torch's own kernel, if torch has the cell; otherwise the reference. On CUDA, in other types, and while
    torch traces the model, the fast engine is not available. Under transforms of torch.func only the reference is
    available. Each choice is logged once.

    Args:
        name: a name in `ENGINES`, or "auto".
        cell: the cell to run.
        inputs: its inputs, whose device and type matter.

    Raises:
        ValueError: there is no such engine, or it cannot run the cell on these inputs; the message says why.
    """
    if name == "auto":
        if inputs.dtype == torch.float16 and not inputs.is_cuda:
            raise ValueError("half precision (float16) has no engine on a CPU; use float32 or bfloat16")
        name = _automatic(cell, inputs)
    elif name not in ENGINES:
        raise ValueError(f"unknown engine {name!r}; there are auto, {', '.join(ENGINES)}")
    else:
        reason = _obstacle(name, cell, inputs)
        if reason:
            raise ValueError(f"the {name} engine cannot run {type(cell).__name__} here: {reason}")
    _log_once(type(cell).__name__, name, inputs.device.type, inputs.dtype)
    return ENGINES[name] if inputs.shape[0] else _run_nothing


def _run_nothing(
    cell: Cell, inputs: Tensor, packing: Packing, state: State, reverse: bool, want_state: bool
) -> tuple[Tensor, State]:
    """Return the result for a batch without a single step: no rows, and the initial state."""
    return inputs.new_zeros(0, cell.output_size) + cell.project(inputs).sum(), state


def _automatic(cell: Cell, inputs: Tensor) -> str:
    for name in ("fast", "native"):
        if not _obstacle(name, cell, inputs):
            return name
    return "reference"


def _obstacle(name: str, cell: Cell, inputs: Tensor) -> str | None:
    """Return why an engine cannot run a cell on these inputs; None if it can."""
    if name == "reference":
        return None
    if is_transformed():
        return "torch.func transforms it"
    return native_obstacle(cell) if name == "native" else fast.obstacle(cell, inputs)


@cache
def _log_once(cell: str, engine: str, device: str, dtype: torch.dtype) -> None:
    kind = str(dtype).removeprefix("torch.")
    logger.info("%s runs on the %s engine (%s, %s)", cell, engine, device, kind)
