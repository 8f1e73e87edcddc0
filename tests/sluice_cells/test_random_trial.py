"""The fast engine reads any step of what it knows: random ones, against the reference."""

import random
from collections.abc import Callable
from contextlib import nullcontext
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from sluice_cells import Cell, State
from sluice_cells.cell import Linear
from sluice_cells.check import compare_engine
from sluice_cells.random_trial import draw_trial
from tests.sluice_cells.variants import fused_kernels, needs_compiler, unoptimized

SAME_WIDTH: dict[str, Callable[[Tensor], Tensor]] = {
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
    "relu": torch.relu,
    "exp": lambda one: torch.exp(torch.tanh(one)),
    "square": lambda one: torch.square(one) * 0.3,
    "sqrt": lambda one: torch.sqrt(torch.square(one) + 1.0),
    "abs": torch.abs,
    "constants": lambda one: 3 / (2 + torch.abs(one)) - (1 - one),
    "floor": lambda one: one + 0.4 * torch.floor(1.7 * one + 0.3),
    "remainder": lambda one: (2.3 * one) % 1.5,
    "softmax": lambda one: torch.softmax(one, -1),
}
TO_ONE: dict[str, Callable[[Tensor], Tensor]] = {
    "sum": lambda one: 0.2 * torch.sum(one, -1, keepdim=True),
    "mean": lambda one: torch.mean(one, -1, keepdim=True),
}
OF_TWO: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "add": torch.add,
    "subtract": torch.sub,
    "multiply": torch.mul,
    "divide": lambda one, other: one / (1.5 + torch.square(other)),
    "where": lambda one, other: torch.where(other <= 0.1, one, 0.3),
    "compare": lambda one, other: (one >= other) * one,
}
WITH_WEIGHTS = {
    "linear": lambda one, matrix: functional.linear(one, matrix),
    "biased": lambda one, matrix, bias: functional.linear(one, matrix, bias),
    "scaled": lambda one, vector: one * vector,
    "moved": lambda one, vector: one + torch.split(vector, [2, one.shape[-1]], -1)[1],
    "layer_norm": lambda one, vector: functional.layer_norm(one, (one.shape[-1],), vector, None, 0.1),
}


class RandomStep(Cell):
    """Some operations drawn at random on the projected input, the states and each other's results."""

    def __init__(self, seed: int) -> None:
        self.draw = random.Random(seed)
        states = tuple(self.draw.choice([1, 3, 8, 17]) for _ in range(self.draw.randint(1, 3)))
        super().__init__(3, 4, state_sizes=states, output_size=self.draw.choice([1, 8, 17]))
        self.width = self.draw.choice([3, 8, 34])  # 3: the step has the input itself
        self.input_weight = nn.Parameter(torch.empty(self.width, 3))
        self.widths = [self.width, *states]  # of the values that a step has so far
        self.program = [self._operation() for _ in range(self.draw.randint(4, 14))]
        self.results = [self._result(width) for width in (*states, self.output_size)]
        self.reset_parameters()

    def _weight(self, *shape: int) -> str:
        self.register_parameter(f"weight{len(self._parameters)}", nn.Parameter(torch.empty(*shape)))
        return f"weight{len(self._parameters) - 1}"

    def _operation(self) -> tuple:
        """One operation's name, the place of its value, and what else it takes."""
        place = self.draw.randrange(len(self.widths))
        width = self.widths[place]
        name = self.draw.choice(
            [*SAME_WIDTH, *TO_ONE, *OF_TWO, *WITH_WEIGHTS, "linear", "linear", "split", "cat"]
        )
        if name in OF_TWO:
            fitting = [other for other, each in enumerate(self.widths) if each in (width, 1)]
            extra, new = (self.draw.choice(fitting),), [width]
        elif name in ("linear", "biased"):
            new = [self.draw.choice([1, 3, 8, 17])]
            extra = (self._weight(*new, width), *([self._weight(*new)] if name == "biased" else []))
        elif name in WITH_WEIGHTS:
            extra, new = (self._weight(width + (2 if name == "moved" else 0)),), [width]
        elif name == "split":
            first = self.draw.randint(1, max(1, width - 1))
            extra, new = (first,), [first, max(width - first, 1)]
        elif name == "cat":
            other = self.draw.randrange(len(self.widths))
            extra, new = (other,), [width + self.widths[other]]
        else:
            extra, new = (), [1 if name in TO_ONE else width]
        self.widths += new
        return name, place, *extra

    def _result(self, width: int) -> tuple:
        """What becomes a state or the output: a value of that width, as it is or by tanh, or a product."""
        fitting = [place for place, each in enumerate(self.widths) if each == width and place]
        if fitting and self.draw.random() < 0.7:
            return self.draw.random() < 0.5, self.draw.choice(fitting[-3:]), None
        place = self.draw.randrange(len(self.widths))
        return self.draw.random() < 0.5, place, self._weight(width, self.widths[place])

    def reset_parameters(self) -> None:
        for parameter in self.parameters():
            nn.init.normal_(parameter, 0, 0.6 / parameter.shape[-1] ** 0.5 if parameter.dim() == 2 else 0.5)

    def project(self, inputs: Tensor, linear: Linear = functional.linear) -> Tensor:
        return inputs if self.width == 3 else linear(inputs, self.input_weight)

    def step(self, projected: Tensor, state: State, weights: SimpleNamespace) -> tuple[Tensor, State]:
        values, given = [projected, *state], vars(weights)
        for name, place, *extra in self.program:
            one = values[place]
            if name == "split":
                rest = one.shape[-1] - extra[0]
                values += torch.split(one, [extra[0], rest], -1) if rest else [one, one]
            elif name == "cat":
                values.append(torch.cat([one, values[extra[0]]], -1))
            elif name in OF_TWO:
                values.append(OF_TWO[name](one, values[extra[0]]))
            elif name in WITH_WEIGHTS:
                values.append(WITH_WEIGHTS[name](one, *(given[each] for each in extra)))
            else:
                values.append((SAME_WIDTH | TO_ONE)[name](one))
        results = []
        for limited, place, matrix in self.results:
            value = values[place] if matrix is None else functional.linear(values[place], given[matrix])
            results.append(torch.tanh(value) if limited else value)
        return results[-1], tuple(results[:-1])


@needs_compiler
@pytest.mark.parametrize("seed", range(28))
def test_a_random_step_gives_what_the_reference_gives(seed: int) -> None:
    """Every third is compiled with the flags that people have, the others without optimization, which takes a third."""
    torch.manual_seed(seed)
    cell = RandomStep(seed)
    with nullcontext() if seed % 3 == 0 else unoptimized():
        for lengths, reverse, threads in (([5, 3, 4], False, 1), ([4, 4], True, 1), ([6], False, 2)):
            trial = draw_trial(cell, lengths, reverse=reverse)
            for fused in (False, True):
                with fused_kernels(fused):
                    compare_engine(trial, "fast", threads=threads)
