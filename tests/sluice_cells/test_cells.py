"""Each cell: its equation, its gradients, how it starts, and what sizes it refuses."""

from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from sluice_cells import Cell, Stack, make_cell, register
from sluice_cells.check import disturb
from tests.sluice_cells import formulas
from tests.sluice_cells.variants import VARIANTS

FORMULAS: dict[str, formulas.Formula] = {
    "elman": formulas.elman,
    "jordan": formulas.jordan,
    "lstm": formulas.lstm,
    "peephole_lstm": formulas.peephole_lstm,
    "layer_norm_lstm": formulas.layer_norm_lstm,
    "projected_lstm": formulas.projected_lstm,
    "gru": formulas.gru,
    "gru_reset_before": formulas.gru_reset_before,
    "clockwork": partial(formulas.clockwork, periods=[1, 1, 2, 2, 4, 4, 8]),
    "scrn": partial(formulas.scrn, decay=0.95),
    "jordan_softmax": partial(formulas.jordan, softmax=True),
    "jordan_of_2": formulas.jordan,
    "jordan_of_9": formulas.jordan,
    "projected_to_2": formulas.projected_lstm,
    "clockwork_odd": partial(formulas.clockwork, periods=[1, 1, 1, 3, 3, 5, 5]),
    "scrn_learned": formulas.scrn_learned,
}
HIDDEN = 7


def make(variant: str, hidden_size: int = HIDDEN, **settings: Any) -> Stack:
    """A one-layer stack on the reference engine, in float64, none of its parameters where they start."""
    torch.manual_seed(0)
    cell, options = VARIANTS[variant]
    stack = Stack(cell, 2, hidden_size, engine="reference", **settings, **options).double()
    for each in cells_of(stack):
        disturb(each)
    return stack


def cells_of(stack: Stack) -> list[Cell]:
    return [cell for cell in stack.modules() if isinstance(cell, Cell)]


def by_formula(variant: str, cell: Cell, inputs: Tensor, start: list[np.ndarray]) -> np.ndarray:
    """The outputs `[time, output_size]` for one sequence `[time, features]`."""
    weights = {name: parameter.detach().numpy() for name, parameter in cell.named_parameters()}
    outputs, state = [], start
    for step in inputs.numpy():
        output, *state = FORMULAS[variant](weights, step, *state)
        outputs.append(output)
    return np.stack(outputs)


def test_every_cell_has_a_formula() -> None:
    assert FORMULAS.keys() == VARIANTS.keys()


@pytest.mark.parametrize("variant", VARIANTS)
def test_outputs_are_those_of_the_equation(variant: str) -> None:
    stack = make(variant)
    (cell,) = cells_of(stack)
    inputs = torch.randn(1, 20, 2, dtype=torch.float64)
    start = [torch.rand(1, size, dtype=torch.float64) for size in cell.state_sizes]
    if variant.startswith("clockwork"):
        start[1] = torch.full((1, 1), 2.0, dtype=torch.float64)  # a clock shows whole steps
    outputs, _ = stack(inputs, state=[tuple(start)])
    expected = by_formula(variant, cell, inputs[0], [part[0].numpy() for part in start])
    np.testing.assert_allclose(outputs[0].detach().numpy(), expected, rtol=1e-12, atol=1e-12)


# A number of outputs changes nothing in what torch differentiates.
@pytest.mark.parametrize("variant", [name for name in VARIANTS if "_of_" not in name and "_to_" not in name])
def test_gradients_and_their_gradients_are_those_of_differences(variant: str) -> None:
    hidden = 4 if variant == "clockwork" else 3
    stack = make(variant, hidden)
    cell = cells_of(stack)[0]
    inputs = torch.randn(2, 3, 2, dtype=torch.float64, requires_grad=True)
    state = [torch.rand(2, size, dtype=torch.float64, requires_grad=True) for size in cell.state_sizes]
    if variant.startswith("clockwork"):
        state[1] = torch.tensor([[1.0], [2.0]], dtype=torch.float64)
    leaves = (inputs, *(part for part in state if part.requires_grad), *cell.parameters())

    def function(*_: Tensor) -> tuple[Tensor, ...]:  # of the leaves, which torch changes in place
        outputs, (final,) = stack(inputs, torch.tensor([3, 2]), [tuple(state)])
        return outputs, *final

    assert torch.autograd.gradcheck(function, leaves)
    assert torch.autograd.gradgradcheck(function, leaves, fast_mode=True)


def test_clockwork_modules_change_only_at_their_own_steps() -> None:
    stack = make("clockwork_odd")
    outputs = stack.outputs(torch.randn(1, 31, 2, dtype=torch.float64))[0]
    units = {1: slice(0, 3), 3: slice(3, 5), 5: slice(5, 7)}  # 7 units among 3 modules, fast ones first
    for step in range(1, 31):
        for period, module in units.items():
            changed = outputs[step, module] != outputs[step - 1, module]
            assert changed.all() if step % period == 0 else not changed.any(), (step, period)


def test_clockwork_recurrence_is_block_triangular() -> None:
    stack = make("clockwork_odd")
    (cell,) = cells_of(stack)
    stack.outputs(torch.randn(2, 31, 2, dtype=torch.float64)).square().sum().backward()
    gradient = cell.get_parameter("recurrent_weight").grad
    period = torch.tensor([1, 1, 1, 3, 3, 5, 5])
    heard = period[:, None] <= period[None, :]  # [to, from]: a module hears itself and the slower ones
    assert torch.equal(gradient != 0, heard)


def test_clockwork_periods_may_come_in_any_order() -> None:
    ordered, shuffled = make("clockwork_odd"), make("clockwork_odd")
    shuffled.layers[0][0] = make_cell("clockwork", 2, HIDDEN, periods=(5, 1, 3)).double()
    shuffled.load_state_dict(ordered.state_dict())
    inputs = torch.randn(1, 16, 2, dtype=torch.float64)
    assert torch.equal(ordered.outputs(inputs), shuffled.outputs(inputs))


def test_backward_clocks_start_at_each_sequences_own_end() -> None:
    stack = make("clockwork_odd", bidirectional=True)
    backward = cells_of(stack)[1]
    inputs, lengths = torch.randn(3, 16, 2, dtype=torch.float64), [16, 9, 11]
    outputs, final = stack(inputs, torch.tensor(lengths))
    for row, length in enumerate(lengths):
        from_the_end = inputs[row, :length].flip(0)
        expected = by_formula("clockwork_odd", backward, from_the_end, [np.zeros(HIDDEN), np.zeros(1)])
        found = outputs[row, :length, HIDDEN:].detach().numpy()
        np.testing.assert_allclose(found[::-1], expected, atol=1e-12)
    clock = final[1][1][:, 0].tolist()
    assert clock == [length % 15 for length in lengths]  # 15: the pattern of periods 1, 3 and 5 repeats


def test_clockwork_still_ticks_right_after_many_steps() -> None:
    stack = make("clockwork_odd")
    (cell,) = cells_of(stack)
    inputs = torch.randn(1, 1000, 2, dtype=torch.float64)
    expected = by_formula("clockwork_odd", cell, inputs[0], [np.zeros(HIDDEN), np.zeros(1)])
    np.testing.assert_allclose(stack.outputs(inputs)[0].detach().numpy(), expected, atol=1e-12)


def test_clockwork_ticks_right_in_half_precision() -> None:
    stack = Stack("clockwork", 2, 6, periods=(1, 3, 7, 16), engine="reference").bfloat16()
    _, ((_, clock),) = stack(torch.randn(1, 300, 2, dtype=torch.bfloat16))
    assert clock.tolist() == [[300.0]]  # of 336 steps after which the pattern repeats


def test_scrn_decay_is_fixed_or_learned_unit_by_unit() -> None:
    fixed = make_cell("scrn", 2, 8, context_size=3, decay=0.9)
    assert "decay_logit" not in dict(fixed.named_parameters())
    assert torch.allclose(fixed.weights().decay, torch.full((3,), 0.9))
    learned = make_cell("scrn", 2, 8, context_size=3, decay=0.9, learn_decay=True)
    assert torch.allclose(learned.weights().decay, torch.full((3,), 0.9))
    stack = make("scrn_learned")
    (cell,) = cells_of(stack)
    stack.outputs(torch.randn(1, 5, 2, dtype=torch.float64)).square().sum().backward()
    assert (cell.get_parameter("decay_logit").grad != 0).all()


def test_a_learned_decay_drawn_anew_is_the_one_asked_for() -> None:
    cell = make_cell("scrn", 2, 8, decay=0.9, learn_decay=True)
    cell.reset_parameters()
    assert torch.allclose(cell.weights().decay, torch.tensor(0.9))


def test_jordans_softmax_gives_probabilities_of_its_own_size() -> None:
    outputs = make("jordan_softmax").outputs(torch.randn(2, 4, 2, dtype=torch.float64))
    assert outputs.shape == (2, 4, 5)
    assert (outputs > 0).all()
    assert torch.allclose(outputs.sum(-1), torch.ones(2, 4, dtype=torch.float64))


@pytest.mark.parametrize("variant", VARIANTS)
def test_parameters_start_as_documented(variant: str) -> None:
    name, options = VARIANTS[variant]
    cell = make_cell(name, 6, 16, **options)
    for name, parameter in cell.named_parameters():
        if parameter.dim() == 2:
            for gate in parameter.detach().split(16):
                if name.startswith("recurrent"):
                    product = gate @ gate.T if gate.shape[0] <= gate.shape[1] else gate.T @ gate
                    torch.testing.assert_close(
                        product, torch.eye(len(product)), msg=f"{name} is not orthogonal"
                    )
                else:
                    bound = (6 / sum(gate.shape)) ** 0.5  # Glorot and Bengio's
                    assert 0.5 * bound < gate.abs().max() <= bound, name
        elif name == "decay_logit":
            assert torch.allclose(parameter.sigmoid(), torch.tensor(0.95))
        elif name == "bias" and cell.forget_gate is not None:
            assert parameter.tolist() == [0.0] * 16 + [1.0] * 16 + [0.0] * 32  # i, f, g, o
        else:
            assert (parameter == float(name.endswith("scale"))).all(), name


@pytest.mark.parametrize(
    ("cell", "sizes", "options", "message"),
    [
        ("elman", (0, 4), {}, "at least 1, not 0"),
        ("lstm", (3, -1), {}, "at least 1, not -1"),
        ("clockwork", (3, 2), {"periods": (1, 2, 4)}, "3 modules need at least as many units, not 2"),
        ("clockwork", (3, 8), {"periods": (1, 2.5)}, "whole numbers of steps"),
        ("clockwork", (3, 8), {"periods": (0, 1)}, "whole numbers of steps"),
        ("clockwork", (3, 8), {"periods": ()}, "whole numbers of steps"),
        ("jordan", (3, 8), {"output": "sigmoid"}, "linear or softmax, not 'sigmoid'"),
        ("scrn", (3, 8), {"decay": 1.0}, "between 0 and 1, not 1.0"),
        ("gru", (3, 8), {"projection_size": 2}, "GRU does not take these options"),
    ],
)
def test_sizes_and_options_that_make_no_sense_are_refused(
    cell: str, sizes: tuple[int, int], options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        make_cell(cell, *sizes, **options)


@pytest.mark.parametrize(
    ("cell", "options"),
    [
        ("projected_lstm", {"projection_size": -1}),
        ("scrn", {"context_size": -1}),
        ("jordan", {"output_size": -1}),
    ],
)
def test_negative_sizes_of_a_cells_own_are_refused(cell: str, options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="at least 1, not -1"):
        make_cell(cell, 3, 8, **options)


def test_a_name_is_registered_once() -> None:
    with pytest.raises(ValueError, match="there is a cell 'lstm' already: LSTM"):
        register("lstm", type("Mine", (Cell,), {}))


def test_a_cell_without_a_step_says_so() -> None:
    with pytest.raises(NotImplementedError, match="Cell has no step"):
        Stack(Cell, 2, 3, engine="reference")(torch.zeros(1, 2, 2))
