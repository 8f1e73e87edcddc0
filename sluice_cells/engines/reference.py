"""The reference engine, a loop in plain torch for any cell, device and type; others are checked against it."""

import torch
from torch import Tensor
from torch.nn import functional

from sluice_cells.cell import Cell, State
from sluice_cells.packing import Packing


def run_reference(
    cell: Cell, inputs: Tensor, packing: Packing, state: State, reverse: bool, want_state: bool
) -> tuple[Tensor, State]:
    """Run a cell over time; see `sluice_cells.engines.Engine`. It can be differentiated any number of times."""
    weights = cell.weights()
    projected = packing.split(cell.project(inputs, functional.linear))
    outputs = list(projected)
    for step in reversed(range(packing.steps)) if reverse else range(packing.steps):
        size = projected[step].shape[0]
        outputs[step], new = cell.step(projected[step], tuple(part[:size] for part in state), weights)
        # Sequences that have no such step keep the state they have.
        state = tuple(
            fresh if size == packing.batch else torch.cat([fresh, old[size:]])
            for fresh, old in zip(new, state, strict=True)
        )
    return cell.read_out(packing.join(outputs), functional.linear), state
