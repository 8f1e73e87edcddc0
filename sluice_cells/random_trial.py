"""One random run of a cell over a batch of sequences, from which engines and orders of computing are compared."""

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
"""What a run gave, by names a person understands: outputs, final states, gradients."""


@dataclass
class Trial:
    """One run of a cell over a batch, from a state on, and what its gradients are taken of."""

    cell: Cell
    inputs: Tensor
    """`[batch, time, input_size]`, not a number past each length."""
    lengths: Tensor
    state: State
    reverse: bool
    output_weights: Tensor
    """`[batch, time, output_size]`: gradients are those of the sum of outputs and final states times these."""
    state_weights: State

    def select(self, sequence: int) -> "Trial":
        """The same for one sequence alone."""
        row = slice(sequence, sequence + 1)
        return replace(
            self,
            inputs=self.inputs[row],
            lengths=self.lengths[row],
            state=tuple(part[row] for part in self.state),
            output_weights=self.output_weights[row],
            state_weights=tuple(part[row] for part in self.state_weights),
        )

    def to(self, dtype: torch.dtype) -> "Trial":
        """The same in another floating type, with a cell of its own."""
        return replace(
            self,
            cell=copy.deepcopy(self.cell).to(dtype),
            inputs=self.inputs.to(dtype),
            state=tuple(part.to(dtype) for part in self.state),
            output_weights=self.output_weights.to(dtype),
            state_weights=tuple(part.to(dtype) for part in self.state_weights),
        )


def draw_trial(cell: Cell, lengths: Sequence[int], *, reverse: bool = False) -> Trial:
    """A random batch for a cell, in its type and on its device.

    It starts from states that the cell itself reaches, after a different number of steps in each sequence, since
    a state may hold what no random number is, such as the time of a clock.
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
    return Trial(cell, inputs, torch.tensor(lengths), state, reverse, output_weights, state_weights)


def results(trial: Trial, engine: str = "reference", *, want_state: bool = True) -> Results:
    """What an engine gives: outputs, final states (if wanted), and the gradients of everything.

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
    """One direction of one layer, as a `Stack` runs it: `[batch, time, features]` in and out."""
    packing = Packing.of(lengths)
    rows = packing.pack(inputs)
    run = choose_engine(engine, cell, rows)
    outputs, final = run(cell, rows, packing, packing.sort(state), reverse, want_state)
    return packing.unpack(outputs, inputs.shape[1]), packing.unsort(final) if final is not None else ()
