"""A cell of your own: what `check_cell` asks of it, and that it trains on the fast engine."""

import re
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from sluice_cells import Cell, CellError, Stack, State, check_cell, make_cell
from sluice_cells.cell import Linear
from sluice_cells.elman import Elman
from sluice_cells.engines import choose_engine
from tests.sluice_cells.variants import VARIANTS, needs_compiler


class MinimalGatedUnit(Cell):
    """One gate that forgets and resets (Zhou et al. 2016).

    f = sigmoid(W x + R h + b), n = tanh(W x + b + U (f h)), h' = (1 - f) h + f n
    """

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__(input_size, hidden_size, gates=2)
        self.recurrent_weight = nn.Parameter(torch.empty(hidden_size, hidden_size))
        self.recurrent_candidate = nn.Parameter(torch.empty(hidden_size, hidden_size))
        self.reset_parameters()

    def step(self, projected: Tensor, state: State, weights: SimpleNamespace) -> tuple[Tensor, State]:
        (hidden,) = state
        forget_x, new_x = projected.chunk(2, -1)
        forget = torch.sigmoid(forget_x + functional.linear(hidden, weights.recurrent_weight))
        new = torch.tanh(new_x + functional.linear(forget * hidden, weights.recurrent_candidate))
        hidden = hidden + forget * (new - hidden)
        return hidden, (hidden,)


class CoupledLSTM(Cell):
    """LSTM that forgets as much as it takes in (Greff et al. 2017): c' = (1 - i) c + i g."""

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__(input_size, hidden_size, gates=3, state_sizes=(hidden_size, hidden_size))
        self.recurrent_weight = nn.Parameter(torch.empty(3 * hidden_size, hidden_size))
        self.reset_parameters()

    def step(self, projected: Tensor, state: State, weights: SimpleNamespace) -> tuple[Tensor, State]:
        hidden, memory = state
        i, g, o = (projected + functional.linear(hidden, weights.recurrent_weight)).chunk(3, -1)
        take = torch.sigmoid(i)
        memory = (1 - take) * memory + take * torch.tanh(g)
        hidden = torch.sigmoid(o) * torch.tanh(memory)
        return hidden, (hidden, memory)


class AllInTheStep(Cell):
    """Multiplies the input itself, step by step, and gives out a product: h' = tanh(W x + R h + b), y = V h'."""

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__(input_size, hidden_size, output_size=hidden_size + 1)
        self.recurrent_weight = nn.Parameter(torch.empty(hidden_size, hidden_size))
        self.output_weight = nn.Parameter(torch.empty(hidden_size + 1, hidden_size))
        self.reset_parameters()

    def project(self, inputs: Tensor, linear: Linear = functional.linear) -> Tensor:
        return inputs

    def step(self, projected: Tensor, state: State, weights: SimpleNamespace) -> tuple[Tensor, State]:
        (hidden,) = state
        heard = functional.linear(projected, weights.input_weight)
        hidden = torch.tanh(heard + functional.linear(hidden, weights.recurrent_weight) + weights.bias)
        return functional.linear(hidden, weights.output_weight), (hidden,)


class NormalizedGates(MinimalGatedUnit):
    """Each gate's part of the input normalized by itself: a sum over a slice, whose gradient is spread over it."""

    def step(self, projected: Tensor, state: State, weights: SimpleNamespace) -> tuple[Tensor, State]:
        parts = [functional.layer_norm(part, part.shape[-1:], eps=0.1) for part in projected.chunk(2, -1)]
        return super().step(torch.cat(parts, -1), state, weights)


@needs_compiler
@pytest.mark.parametrize("cell", [CoupledLSTM, AllInTheStep, NormalizedGates])
def test_a_cell_of_ones_own_passes_with_the_fast_engine(cell: type[Cell]) -> None:
    assert "fast" in check_cell(cell, hidden_sizes=(4, 17))


@needs_compiler
def test_a_cell_of_ones_own_passes_without_saying_anything_more() -> None:
    assert "fast" in check_cell(MinimalGatedUnit)


@needs_compiler
@pytest.mark.parametrize("cell", [MinimalGatedUnit, CoupledLSTM])
def test_a_cell_of_ones_own_learns_in_a_stack_on_the_fast_engine(cell: type[Cell]) -> None:
    """To say at every step whether the last mark, some steps back, was positive."""
    torch.manual_seed(0)
    stack, head = Stack(cell, 2, 24, layers=2, engine="fast"), nn.Linear(24, 1)
    optimizer = torch.optim.Adam([*stack.parameters(), *head.parameters()], 0.01)
    shares = []
    for _ in range(120):
        marked = torch.rand(32, 20) < 0.15
        marked[:, 0] = True
        values = torch.randn(32, 20)
        steps = torch.where(marked, torch.arange(20), 0).cummax(1).values  # of the last mark
        positive = values.gather(1, steps) > 0
        lengths = torch.randint(5, 21, (32,))
        there = torch.arange(20) < lengths[:, None]
        scores = head(stack.outputs(torch.stack([values, marked.float()], -1), lengths))[..., 0]
        loss = functional.binary_cross_entropy_with_logits(scores[there], positive[there].float())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        shares.append(((scores > 0) == positive)[there].float().mean().item())
    assert sum(shares[:5]) / 5 < 0.7
    assert sum(shares[-10:]) / 10 > 0.95


@pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN")
@pytest.mark.parametrize("variant", VARIANTS)
def test_the_librarys_cells_pass(variant: str) -> None:
    name, options = VARIANTS[variant]
    engines = check_cell(name, hidden_sizes=(4,), **options)  # test_engines.py has many other sizes
    fast_engine = (
        choose_engine("auto", make_cell(name, 3, 8, **options), torch.zeros(1, 3)).__name__ == "run_fast"
    )
    assert ("fast" in engines) == fast_engine


class MixesRows(Elman):
    def step(self, projected: Tensor, state: State, weights: SimpleNamespace) -> tuple[Tensor, State]:
        output, (hidden,) = super().step(projected, state, weights)
        return output, (hidden - 0.1 * hidden.mean(0),)


class WrongOutputSize(Elman):
    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__(input_size, hidden_size)
        self.output_size = hidden_size + 1


class WrongStateSize(Elman):
    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__(input_size, hidden_size)
        self.state_sizes = (hidden_size, 1)

    def step(self, projected: Tensor, state: State, weights: SimpleNamespace) -> tuple[Tensor, State]:
        return super().step(projected, state[:1], weights)


class Cube(Elman):
    def weights(self) -> SimpleNamespace:
        return SimpleNamespace(**vars(super().weights()), cube=torch.zeros(2, 2, 2))


class CountsOnItself(Elman):
    """Keeps the time in an attribute, which no stream carries on."""

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__(input_size, hidden_size)
        self.steps = 0

    def weights(self) -> SimpleNamespace:
        self.steps = 0
        return super().weights()

    def step(self, projected: Tensor, state: State, weights: SimpleNamespace) -> tuple[Tensor, State]:
        self.steps += 1
        return super().step(projected if self.steps < 3 else 2 * projected, state, weights)


class ForgetsToDraw(Elman):
    def reset_parameters(self) -> None:
        nn.init.zeros_(self.bias)


class Detaches(Elman):
    def step(self, projected: Tensor, state: State, weights: SimpleNamespace) -> tuple[Tensor, State]:
        return super().step(projected, tuple(part.detach() for part in state), weights)


class _OnceOnly(torch.autograd.Function):
    """tanh, whose gradient has none."""

    @staticmethod
    def forward(ctx: Any, values: Tensor) -> Tensor:
        ctx.save_for_backward(values)
        return values.tanh()

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return gradient * (1 - ctx.saved_tensors[0].tanh() ** 2)


class DifferentiableOnce(Elman):
    def step(self, projected: Tensor, state: State, weights: SimpleNamespace) -> tuple[Tensor, State]:
        hidden = _OnceOnly.apply(projected + functional.linear(state[0], weights.recurrent_weight))
        return hidden, (hidden,)


class ChangesType(Elman):
    def step(self, projected: Tensor, state: State, weights: SimpleNamespace) -> tuple[Tensor, State]:
        output, new = super().step(projected, state, weights)
        return output.float(), new


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        (MixesRows, "a sequence in a batch equals the sequence alone (forward): the largest difference, of "),
        (WrongOutputSize, "sizes are as declared: the output is [4, 4], but output_size says [4, 5]"),
        (WrongStateSize, "sizes are as declared: step gives a state of 1 tensors, state_sizes 2"),
        (Cube, "sizes are as declared: weight cube is no vector and no matrix, but [2, 2, 2]"),
        (
            CountsOnItself,
            "a sequence fed in chunks equals the whole: the largest difference, of the outputs, is",
        ),
        (ForgetsToDraw, "reset_parameters draws every parameter: input_weight is not finite after it"),
        (
            Detaches,
            "gradients equal finite differences (inputs are inputs, input_weight, bias, recurrent_weight)",
        ),
        (DifferentiableOnce, "gradients of gradients equal finite differences"),
        (ChangesType, "sizes are as declared: the output is torch.float32 for inputs in torch.float64"),
    ],
)
def test_what_is_wrong_with_a_cell_is_named(cell: type[Cell], message: str) -> None:
    with pytest.raises(CellError, match=re.escape(f"{cell.__name__}(3, 4): {message}")):
        check_cell(cell, engines=())


def test_an_engine_that_computes_something_else_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    from sluice_cells import engines
    from sluice_cells.engines.reference import run_reference

    def careless(cell, inputs, packing, state, reverse, want_state):  # type: ignore[no-untyped-def]
        outputs, final = run_reference(cell, inputs, packing, state, reverse, want_state)
        return outputs, tuple(part * (1 + 1e-4) for part in final)

    monkeypatch.setitem(engines.ENGINES, "native", careless)
    with pytest.raises(
        CellError, match=r"the native engine agrees.* of final state 0, is 1\.0e-04 .*at most 1e-05"
    ):
        check_cell("elman", engines=["native"])


def test_a_cell_of_given_sizes_is_checked_and_not_changed() -> None:
    cell = MinimalGatedUnit(5, 9)
    before = {name: parameter.clone() for name, parameter in cell.named_parameters()}
    state = torch.get_rng_state()
    check_cell(cell, engines=())
    assert torch.equal(torch.get_rng_state(), state)
    for name, parameter in cell.named_parameters():
        assert torch.equal(parameter, before[name])
    broken = MixesRows(5, 9)
    with pytest.raises(CellError, match=re.escape("MixesRows(5, 9): ")):
        check_cell(broken, engines=())


def test_an_engine_that_was_asked_for_must_run_the_cell() -> None:
    with pytest.raises(ValueError, match="the native engine cannot run MinimalGatedUnit here"):
        check_cell(MinimalGatedUnit, engines=["native"])
