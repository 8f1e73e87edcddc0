"""Weights to and from torch's own modules."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from sluice_cells import Cell, Stack
from sluice_cells.check import disturb
from sluice_cells.torch_weights import from_torch, to_torch

INPUT, HIDDEN = 4, 6
MODULES = [
    pytest.param(kind, settings, id=f"{kind.__name__}-{'-'.join(settings) or 'plain'}")
    for kind, settings in [
        (nn.LSTM, {}),
        (nn.LSTM, {"num_layers": 3, "bidirectional": True}),
        (nn.LSTM, {"num_layers": 2, "bidirectional": True, "proj_size": 3}),
        (nn.LSTM, {"bias": False, "num_layers": 2}),
        (nn.LSTM, {"bias": False, "proj_size": 2}),
        (nn.GRU, {"num_layers": 2, "bidirectional": True}),
        (nn.GRU, {"bias": False}),
        (nn.RNN, {"num_layers": 2, "bidirectional": True}),
        (nn.RNN, {"bias": False}),
    ]
]
STACKS = [
    ("lstm", {}),
    ("lstm", {"layers": 3, "bidirectional": True}),
    ("projected_lstm", {"projection_size": 3, "layers": 2, "bidirectional": True}),
    ("gru", {"layers": 2, "bidirectional": True}),
    ("elman", {"layers": 2, "bidirectional": True}),
]


def inputs() -> Tensor:
    return torch.randn(3, 7, INPUT, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


@pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN")
@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize(("kind", "settings"), MODULES)
def test_a_stack_from_torch_computes_the_same(
    kind: type[nn.RNNBase], settings: dict[str, Any], batch_first: bool
) -> None:
    torch.manual_seed(0)
    module = kind(INPUT, HIDDEN, batch_first=batch_first, **settings).double()
    stack = from_torch(module)
    stack.engine = "reference"
    outputs, state = stack(inputs())
    expected, end = module(inputs() if batch_first else inputs().transpose(0, 1))
    torch.testing.assert_close(outputs, expected if batch_first else expected.transpose(0, 1))
    ends = end if isinstance(end, tuple) else (end,)
    for number, parts in enumerate(state):
        torch.testing.assert_close(parts, tuple(part[number] for part in ends))


@pytest.mark.parametrize(("cell", "settings"), STACKS)
def test_there_and_back_every_weight_is_the_same(cell: str, settings: dict[str, Any]) -> None:
    torch.manual_seed(0)
    stack = Stack(cell, INPUT, HIDDEN, **settings)
    for each in stack.modules():
        if isinstance(each, Cell):
            disturb(each)
    module = to_torch(stack)
    back = from_torch(module)
    assert back.state_dict().keys() == stack.state_dict().keys()
    for name, weight in stack.state_dict().items():
        assert torch.equal(back.state_dict()[name], weight), name
    module.double()(inputs())[0].sum().backward()
    assert all(parameter.grad is None for parameter in stack.parameters())  # weights of its own


@pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN")
@pytest.mark.parametrize(("cell", "settings"), STACKS)
def test_a_module_from_a_stack_computes_the_same(cell: str, settings: dict[str, Any]) -> None:
    torch.manual_seed(0)
    stack = Stack(cell, INPUT, HIDDEN, engine="reference", **settings).double()
    module = to_torch(stack)
    assert module.batch_first
    torch.testing.assert_close(module(inputs())[0], stack.outputs(inputs()))


def test_type_mode_and_dropout_are_taken_over() -> None:
    module = nn.GRU(INPUT, HIDDEN, num_layers=2, dropout=0.25).double().eval()
    stack = from_torch(module)
    assert stack.drop_share == 0.25
    assert not stack.training
    assert {parameter.dtype for parameter in stack.parameters()} == {torch.float64}
    again = to_torch(stack)
    assert (again.dropout, again.training, again.weight_ih_l0.dtype) == (0.25, False, torch.float64)


@pytest.mark.parametrize(
    ("module", "message"),
    [
        (nn.RNN(INPUT, HIDDEN, nonlinearity="relu"), "no cell has the nonlinearity relu"),
        (nn.LSTMCell(INPUT, HIDDEN), "LSTMCell is none of nn.LSTM, nn.GRU and nn.RNN"),
        (nn.Linear(INPUT, HIDDEN), "Linear is none of"),
    ],
)
def test_what_no_cell_computes_is_refused(module: nn.Module, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        from_torch(module)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("cell", "settings", "message"),
    [
        ("peephole_lstm", {}, "its cells are PeepholeLSTM; torch has LSTM, ProjectedLSTM, GRU, Elman"),
        ("layer_norm_lstm", {}, "its cells are LayerNormLSTM"),
        ("gru_reset_before", {}, "its cells are GRUResetBefore"),
        ("lstm", {"layer_norm": True}, "it has layer normalization"),
        ("lstm", {"residual": True, "layers": 2}, "it has residual connections"),
        ("gru", {"layers": 2, "dropout": 0.5, "variational": True}, "it has variational dropout"),
        (
            "projected_lstm",
            {"projection_size": HIDDEN},
            "its projection is not narrower than its hidden units",
        ),
    ],
)
def test_what_torch_does_not_compute_is_refused(cell: str, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=f"torch has no module for this stack: {message}"):
        to_torch(Stack(cell, INPUT, HIDDEN, **settings))


def test_a_cell_derived_from_torchs_is_not_torchs() -> None:
    class Mine(type(Stack("lstm", INPUT, HIDDEN).layers[0][0])):  # type: ignore[misc]
        pass

    with pytest.raises(ValueError, match="its cells are Mine"):
        to_torch(Stack(Mine, INPUT, HIDDEN))
