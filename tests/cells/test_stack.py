"""Stack: exact with padding, in both directions, whatever stands past a length."""

import pytest
import torch
from torch import nn

from cells import Stack

LENGTHS = torch.tensor([7, 3, 1, 5])


def make(cell: str, **settings: object) -> Stack:
    torch.manual_seed(0)
    return Stack(cell, 6, 5, layers=2, bidirectional=True, layer_norm=True, **settings).double()


@pytest.mark.parametrize("cell", ["lstm", "gru", "elman"])
def test_padded_batch_equals_each_sequence_alone(cell: str) -> None:
    stack = make(cell)
    inputs = torch.randn(4, 9, 6, dtype=torch.float64)
    together = stack(inputs, LENGTHS)
    for row, length in enumerate(LENGTHS.tolist()):
        alone = stack(inputs[row : row + 1, :length])
        torch.testing.assert_close(together[row : row + 1, :length], alone)
        assert not together[row, length:].any()


@pytest.mark.parametrize("cell", ["lstm", "gru", "elman"])
def test_gradients_add_up_over_sequences_alone(cell: str) -> None:
    stack = make(cell)
    inputs = torch.randn(4, 9, 6, dtype=torch.float64)
    weights = torch.randn(4, 9, 10, dtype=torch.float64)
    (stack(inputs, LENGTHS) * weights).sum().backward()
    together = [p.grad.clone() for p in stack.parameters()]
    stack.zero_grad()
    for row, length in enumerate(LENGTHS.tolist()):
        (stack(inputs[row : row + 1, :length]) * weights[row : row + 1, :length]).sum().backward()
    for joint, parameter in zip(together, stack.parameters(), strict=True):
        torch.testing.assert_close(joint, parameter.grad)


def test_what_stands_past_a_length_is_never_read() -> None:
    stack = make("lstm")
    inputs = torch.randn(4, 9, 6, dtype=torch.float64)
    outputs = stack(inputs, LENGTHS)
    dirty = inputs.clone()
    dirty[torch.arange(9) >= LENGTHS[:, None]] = 1e6
    torch.testing.assert_close(stack(dirty, LENGTHS), outputs)


def test_one_layer_equals_torchs_packed_bidirectional_lstm() -> None:
    stack = Stack("lstm", 6, 5, bidirectional=True).double()
    peer = nn.LSTM(6, 5, batch_first=True, bidirectional=True).double()
    for name in ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0"):
        getattr(peer, name).data = getattr(stack.forwards[0], name).data
        getattr(peer, f"{name}_reverse").data = getattr(stack.backwards[0], name).data
    inputs = torch.randn(4, 7, 6, dtype=torch.float64)
    packed = nn.utils.rnn.pack_padded_sequence(inputs, LENGTHS, batch_first=True, enforce_sorted=False)
    expected, _ = nn.utils.rnn.pad_packed_sequence(peer(packed)[0], batch_first=True)
    torch.testing.assert_close(stack(inputs, LENGTHS), expected)


def test_unknown_cell_and_wrong_shape_are_named() -> None:
    with pytest.raises(ValueError, match="unknown cell 'lstn'; there are lstm, gru, elman"):
        Stack("lstn", 6, 5)
    with pytest.raises(ValueError, match=r"\[batch, time, features\]"):
        Stack("lstm", 6, 5)(torch.zeros(3, 6))


def test_forget_gate_starts_open_and_recurrence_orthogonal() -> None:
    lstm = Stack("lstm", 6, 5).forwards[0]
    assert lstm.bias_ih_l0[5:10].tolist() == [1.0] * 5
    gate = lstm.weight_hh_l0[:5]
    torch.testing.assert_close(gate @ gate.T, torch.eye(5))
