"""What the fast engine reads of a step is what torch makes of it; what it cannot read runs on the reference engine."""

from collections.abc import Callable
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from sluice_cells import Cell, State
from sluice_cells.check import compare_engine
from sluice_cells.engines.fast import obstacle
from sluice_cells.engines.fast.trace import trace
from sluice_cells.random_trial import draw_trial, results, run_cell
from tests.sluice_cells.variants import needs_compiler

Function = Callable[[Tensor, SimpleNamespace], Tensor]

READ: dict[str, Function] = {
    "range": lambda x, w: torch.cat([x[..., 3:], x[:, :3]], -1),
    "range of a vector": lambda x, w: x + w.bias[2:3],
    "range to the end": lambda x, w: x + x[..., -1:],
    "abs": lambda x, w: abs(x) * x,
    "and": lambda x, w: ((x > -0.5) & (x < 0.5)) * x,
    "or": lambda x, w: ((x < -0.5) | (x >= 0.5)) * x,
    "not": lambda x, w: torch.where(~(x > 0), x, 2 * x),
    "logical_not": lambda x, w: torch.logical_not(torch.logical_or(x > 0.5, x < -0.5)) * x,
    "not equal": lambda x, w: torch.where(torch.floor(3 * x) != 1, x, -x),
    "true and true": lambda x, w: ((x > -2) + (x < 2)) * x,
    "float": lambda x, w: 1 - (x > 0).float() + x.float(),
    "clamp": lambda x, w: x.clamp(-0.3, 0.4),
    "clamp below": lambda x, w: torch.clamp(x, min=-0.2),
    "maximum": lambda x, w: torch.maximum(x, 0.3 * x + 0.1),
    "maximum of equals": lambda x, w: torch.maximum(x, x * 1.0),
    "minimum": lambda x, w: torch.minimum(x * x, 0.3 * x + 0.1),
    "lerp": lambda x, w: torch.lerp(x, x * x, 0.3),
    "sign": lambda x, w: torch.sign(x) * x,
    "reciprocal": lambda x, w: torch.reciprocal(2 + x),
    "pow": lambda x, w: torch.pow(x, 2),
    "silu": lambda x, w: functional.silu(x),
    "leaky_relu": lambda x, w: functional.leaky_relu(x, negative_slope=0.2),
    "layer_norm": lambda x, w: functional.layer_norm(x, x.shape[1:], bias=w.bias, eps=0.1),
    "sum of a range": lambda x, w: x + torch.sum(x[..., 2:5], -1, keepdim=True),
}
NOT_READ: dict[str, Function] = {
    "matrix product": lambda x, w: x @ w.recurrent_weight,
    "transposed": lambda x, w: x @ w.recurrent_weight.t(),
    "every second": lambda x, w: torch.cat([x[..., ::2], x[..., 1::2]], -1),
    "other index": lambda x, w: x + w.bias[None],
    "keyword": lambda x, w: torch.add(x, x, alpha=2),
    "over all": lambda x, w: x + 0 * w.bias.sum(),
    "power": lambda x, w: 2**x,
    "unknown": lambda x, w: torch.cumsum(x, -1),
    "other tensor": lambda x, w: torch.where(x > 0, x, torch.zeros(1, dtype=x.dtype)),
}


def cell_of(function: Function) -> Cell:
    class Tried(Cell):
        def __init__(self) -> None:
            super().__init__(3, 8)
            self.recurrent_weight = nn.Parameter(torch.empty(8, 8))
            self.reset_parameters()

        def step(self, projected: Tensor, state: State, weights: SimpleNamespace) -> tuple[Tensor, State]:
            heard = functional.linear(state[0], weights.recurrent_weight)
            hidden = torch.tanh(function(torch.tanh(projected + heard + weights.bias), weights) + projected)
            return hidden, (hidden,)

    torch.manual_seed(0)
    return Tried()


@needs_compiler
@pytest.mark.parametrize("first", range(0, len(READ), 6))
def test_what_is_read(first: int) -> None:
    """Six in one step, the sum of which compiles sooner than each of them."""
    functions = list(READ.values())[first : first + 6]
    for function in functions:
        trace(cell_of(function))
    cell = cell_of(lambda x, w: torch.tanh(0.4 * sum(function(x, w) for function in functions)))
    compare_engine(draw_trial(cell, [5, 3]), "fast")


@needs_compiler
@pytest.mark.parametrize("function", NOT_READ.values(), ids=NOT_READ)
def test_what_is_not_read_runs_on_the_reference_engine(function: Function) -> None:
    trial = draw_trial(cell_of(function), [5, 3])
    assert "its step cannot be compiled" in (obstacle(trial.cell, trial.inputs) or "")
    assert torch.equal(results(trial, "auto")["the outputs"], results(trial)["the outputs"])


@needs_compiler
def test_a_mistake_in_a_step_is_told_as_torch_tells_it() -> None:
    cell, inputs = cell_of(lambda x, w: x + torch.cat([x, x], -1)), torch.zeros(1, 2, 3)
    with pytest.raises(RuntimeError, match="must match the size"):
        run_cell(cell, inputs, torch.tensor([2]), cell.initial_state(1, inputs), False, "auto")
