"""Random runs of a cell over a batch of sequences, with which engines and orders of computation are compared."""

import copy
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from sluice_cells.cell import Cell, State
from sluice_cells.engines import choose_engine
from sluice_cells.packing import Packing

Results = dict[str, Tensor]
"""Outputs, final states and gradients of a run, by readable names."""


@dataclass
class RandomTrial:
    """The inputs of one run of a cell over a batch, and the weights of the sum that is differentiated."""

    cell: Cell
    inputs: Tensor
    """`[batch, time, input_size]`; NaN past each length."""
    lengths: Tensor
    state: State
    reverse: bool
    output_weights: Tensor
    """`[batch, time, output_size]`: the weight of each output in the sum that is differentiated."""
    state_weights: State

    def select(self, sequence: int) -> "RandomTrial":
        """Return the trial of one sequence alone."""
        row = slice(sequence, sequence + 1)
        return replace(
            self,
            inputs=self.inputs[row],
            lengths=self.lengths[row],
            state=tuple(part[row] for part in self.state),
            output_weights=self.output_weights[row],
            state_weights=tuple(part[row] for part in self.state_weights),
        )

    def to(self, dtype: torch.dtype) -> "RandomTrial":
        """Return the trial in another floating-point type, with a copy of the cell."""
        return replace(
            self,
            cell=copy.deepcopy(self.cell).to(dtype),
            inputs=self.inputs.to(dtype),
            state=tuple(part.to(dtype) for part in self.state),
            output_weights=self.output_weights.to(dtype),
            state_weights=tuple(part.to(dtype) for part in self.state_weights),
        )


def draw_trial(cell: Cell, lengths: Sequence[int], *, reverse: bool = False) -> RandomTrial:
    """Draw a random batch for a cell, in its type and on its device.

    The initial states are ones that the cell itself reaches, after a different number of steps in each sequence,
    because not every random number is a valid state, such as the time of a clock.
    """
    weight = next(cell.parameters())
    batch, time = len(lengths), max(lengths) + 1

    def draw(*sizes: int) -> Tensor:
        return torch.randn(sizes, dtype=weight.dtype, device=weight.device)

    inputs, ends = draw(batch, time, cell.input_size), torch.tensor(lengths, device=weight.device)
    inputs[torch.arange(time, device=weight.device) >= ends[:, None]] = math.nan
    before = draw(batch, 5, cell.input_size)
    with torch.no_grad():
        state = run_cell(
            cell, before, torch.randint(0, 6, (batch,)), cell.initial_state(batch, before), False
        )[1]
    state_weights = tuple(torch.randn_like(part) for part in state)
    output_weights = draw(batch, time, cell.output_size)
    return RandomTrial(cell, inputs, torch.tensor(lengths), state, reverse, output_weights, state_weights)


def results(trial: RandomTrial, engine: str = "reference", *, want_state: bool = True) -> Results:
    """Run a trial on an engine; return outputs, final states (if wanted) and the gradients of all inputs and weights.

    Raises:
        ValueError: the engine cannot run the cell.
    """
    inputs = trial.inputs.detach().requires_grad_()
    state = tuple(part.detach().requires_grad_() for part in trial.state)
    outputs, final = run_cell(trial.cell, inputs, trial.lengths, state, trial.reverse, engine, want_state)
    found = {"the outputs": outputs}
    loss = (outputs * trial.output_weights).sum()
    if want_state:
        found |= {f"final state {number}": part for number, part in enumerate(final)}
        loss = loss + sum(
            (part * weight).sum() for part, weight in zip(final, trial.state_weights, strict=True)
        )
    leaves = {"the inputs": inputs, **{f"initial state {number}": part for number, part in enumerate(state)}}
    leaves |= dict(trial.cell.named_parameters())
    gradients = torch.autograd.grad(loss, list(leaves.values()), allow_unused=True, materialize_grads=True)
    found |= {f"the gradient of {name}": each for name, each in zip(leaves, gradients, strict=True)}
    return {name: tensor.detach() for name, tensor in found.items()}


def run_cell(
    cell: Cell,
    inputs: Tensor,
    lengths: Tensor,
    state: State,
    reverse: bool,
    engine: str = "reference",
    want_state: bool = True,
) -> tuple[Tensor, State]:
    """Run one direction of one layer as a `Stack` does, from and to `[batch, time, features]`."""
    packing = Packing.of(lengths)
    rows = packing.pack(inputs)
    run = choose_engine(engine, cell, rows)
    outputs, final = run(cell, rows, packing, packing.sort(state), reverse, want_state)
    return packing.unpack(outputs, inputs.shape[1]), packing.unsort(final) if final is not None else ()
