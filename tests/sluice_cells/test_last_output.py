"""A step that reads the network's last output has it, in the fused kernel, from the step before."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from sluice_cells import Cell, State, make_cell
from sluice_cells.cell import Linear
from sluice_cells.check import compare_engine, disturb
from sluice_cells.engines.fast import obstacle
from sluice_cells.engines.fast.graph import in_order
from sluice_cells.engines.fast.trace import trace
from sluice_cells.random_trial import draw_trial
from tests.sluice_cells.variants import VARIANTS, fused_kernels, needs_compiler, unoptimized

SIZE, SLOW, SAID = 9, 3, 5

Said = Callable[[Any, Tensor, Linear], Tensor]
"""What is said of both states, joined, by weights."""

WAYS: dict[str, Said] = {
    "biased": lambda own, rows, linear: linear(rows, own.said_weight, own.said_bias),
    "limited": lambda own, rows, linear: torch.tanh(linear(rows, own.said_weight) * own.said_bias),
    "chosen": lambda own, rows, linear: torch.softmax(linear(rows, own.said_weight, own.said_bias), -1),
    "normal": lambda own, rows, linear: functional.layer_norm(
        linear(rows, own.said_weight), (SAID,), own.said_bias, None, 0.1
    ),
    "of both": lambda own, rows, linear: (
        linear(rows[..., SIZE:], own.slow_weight) + linear(rows[..., :SIZE], own.quick_weight)
    ),
    "of one": lambda own, rows, linear: linear(rows[..., :SIZE], own.quick_weight, own.said_bias),
}


class Echo(Cell):
    """Hears what it said last; `late`, it says what the states before make of it, and nothing is to be had."""

    def __init__(self, way: str, *, late: bool = False) -> None:
        super().__init__(4, SIZE, state_sizes=(SIZE, SLOW), output_size=SAID)
        self.way, self.late = way, late
        self.heard_weight = nn.Parameter(torch.empty(SIZE, SAID))
        self.kept_weight = nn.Parameter(torch.empty(SLOW, SIZE))
        self.said_weight = nn.Parameter(torch.empty(SAID, SIZE + SLOW))
        self.quick_weight = nn.Parameter(torch.empty(SAID, SIZE))
        self.slow_weight = nn.Parameter(torch.empty(SAID, SLOW))
        self.said_bias = nn.Parameter(torch.empty(SAID))
        self.reset_parameters()
        disturb(self)

    def step(self, projected: Tensor, state: State, weights: SimpleNamespace) -> tuple[Tensor, State]:
        hidden, slow = state
        before = torch.cat([hidden, slow], -1)
        said = WAYS[self.way](weights, before, functional.linear)
        hidden = torch.tanh(projected + functional.linear(said, weights.heard_weight) + weights.bias)
        slow = 0.9 * slow + 0.1 * functional.linear(hidden, weights.kept_weight)
        return before if self.late else torch.cat([hidden, slow], -1), (hidden, slow)

    def read_out(self, outputs: Tensor, linear: Linear = functional.linear) -> Tensor:
        return WAYS[self.way](self, outputs, linear)


def compare(cell: Cell) -> None:
    with unoptimized():
        assert (
            obstacle(cell, torch.zeros(1, 4)) is None
        )  # this compiles the plain kernel, which nothing here runs
    for lengths, reverse, threads in (
        ([5, 3, 4], False, 1),
        ([4] * 7, True, 2),
        ([6, 0, 6], False, 2),
        ([3], True, 2),
    ):
        with fused_kernels(True):
            compare_engine(draw_trial(cell, lengths, reverse=reverse), "fast", threads=threads)


@needs_compiler
@pytest.mark.parametrize("way", WAYS)
def test_the_last_output_is_not_computed_again(way: str) -> None:
    torch.manual_seed(0)
    cell = Echo(way)
    start = trace(cell, fused=True).start
    assert start is not None
    assert start.states == (SIZE, SLOW, SAID)
    assert trace(cell).start is None
    compare(cell)


@needs_compiler
def test_an_output_of_the_old_states_is_not_what_the_next_step_reads() -> None:
    torch.manual_seed(0)
    cell = Echo("biased", late=True)
    assert trace(cell, fused=True).start is None
    compare(cell)


@pytest.mark.parametrize("variant", [name for name in VARIANTS if name.startswith("jordan")])
def test_jordans_network_has_its_last_output(variant: str) -> None:
    name, options = VARIANTS[variant]
    step = trace(make_cell(name, 3, 8, **options), fused=True)
    assert step.start is not None
    products = [node.data for node in in_order(step.roots) if node.operation == "linear"]
    assert sorted(products) == ["feedback_weight", "input_weight", "output_weight"]
