"""Truncated back-propagation: the whole's outputs, and gradients that end where a chunk begins."""

import pytest
import torch
from torch import Tensor

from sluice_cells import CELLS, Stack, chunks

LENGTHS = torch.tensor([7, 11, 3, 0, 4])
TIME = 12  # more than the longest


def make(cell: str = "elman", layers: int = 2, **settings: object) -> Stack:
    torch.manual_seed(1)
    return Stack(cell, 3, 8, layers=layers, **settings).double()


def batch() -> Tensor:
    return torch.randn(5, TIME, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(2))


def gradients(stack: Stack, loss: Tensor) -> list[Tensor]:
    return list(torch.autograd.grad(loss, list(stack.parameters())))


@pytest.mark.parametrize("size", [1, 4, 11, 50])
@pytest.mark.parametrize("cell", sorted(CELLS))
def test_outputs_and_states_are_those_of_the_whole(cell: str, size: int) -> None:
    stack = make(cell)
    expected, final = stack(batch(), LENGTHS)
    parts = list(chunks(stack, batch(), LENGTHS, size=size))
    assert [part.steps.start for part in parts] == list(range(0, 11, size))
    torch.testing.assert_close(torch.cat([part.outputs for part in parts], 1), expected[:, :11])
    torch.testing.assert_close(parts[-1].state, final)
    assert sum(part.lengths for part in parts).tolist() == LENGTHS.tolist()


def test_an_ended_sequence_has_length_0_and_keeps_its_state() -> None:
    first, second, third = chunks(make(), batch(), LENGTHS, size=4)
    assert [part.lengths.tolist() for part in (first, second, third)] == [
        [4, 4, 3, 0, 4],
        [3, 4, 0, 0, 0],
        [0, 3, 0, 0, 0],
    ]
    assert (second.steps, third.steps) == (slice(4, 8), slice(8, 11))
    assert third.state[0][0][2].equal(first.state[0][0][2])
    assert not third.outputs[2].any()


def test_without_lengths_all_steps_run() -> None:
    stack = make()
    parts = list(chunks(stack, batch(), size=5))
    torch.testing.assert_close(torch.cat([part.outputs for part in parts], 1), stack(batch())[0])
    assert parts[-1].lengths.tolist() == [2] * 5


@pytest.mark.parametrize("size", [11, 50])
@pytest.mark.parametrize("cell", ["elman", "lstm", "clockwork"])
def test_one_chunk_has_the_full_gradients(cell: str, size: int) -> None:
    stack = make(cell)
    (part,) = chunks(stack, batch(), LENGTHS, size=size)
    expected = gradients(stack, stack.outputs(batch(), LENGTHS).square().sum())
    torch.testing.assert_close(gradients(stack, part.outputs.square().sum()), expected)


def truncated_by_hand(stack: Stack, size: int) -> Tensor:
    """Loss of one Elman layer, sequence by sequence and step by step, forgetting the past every `size` steps."""
    (cell,) = stack.layers[0]
    loss = torch.zeros((), dtype=torch.float64)
    for sequence, length in zip(batch(), LENGTHS.tolist(), strict=True):
        hidden = torch.zeros(8, dtype=torch.float64)
        for step in range(length):
            if step % size == 0:
                hidden = hidden.detach()
            summed = cell.input_weight @ sequence[step] + cell.recurrent_weight @ hidden + cell.bias
            hidden = torch.tanh(summed)
            loss = loss + hidden.square().sum()
    return loss


@pytest.mark.parametrize("size", [1, 3, 4])
def test_gradients_are_those_truncated_by_hand(size: int) -> None:
    stack = make(layers=1)
    expected = gradients(stack, truncated_by_hand(stack, size))
    for part in chunks(stack, batch(), LENGTHS, size=size):
        part.outputs.square().sum().backward()  # one by one: no graph reaches into an earlier chunk
    torch.testing.assert_close([p.grad for p in stack.parameters()], expected)
    full = gradients(stack, stack.outputs(batch(), LENGTHS).square().sum())
    assert (full[1] - expected[1]).norm() > 1e-2 * full[1].norm()  # the truncation is seen at all


def test_a_gradient_stops_at_its_chunks_first_step() -> None:
    inputs = batch().requires_grad_()
    last = list(chunks(make(), inputs, LENGTHS, size=4))[-1]
    (gradient,) = torch.autograd.grad(last.outputs.sum(), inputs)
    assert gradient.abs().sum(2).nonzero().tolist() == [[1, 8], [1, 9], [1, 10]]


def test_a_state_is_taken_up_and_the_first_chunk_differentiates_it() -> None:
    stack = make(layers=1)
    start = torch.randn(5, 8, dtype=torch.float64, requires_grad=True)
    first, second, _ = chunks(stack, batch(), LENGTHS, size=4, state=[(start,)])
    assert torch.autograd.grad(second.outputs.sum(), start, allow_unused=True) == (None,)
    (gradient,) = torch.autograd.grad(first.outputs.sum(), start)
    assert gradient.abs().sum(1).bool().tolist() == [True, True, True, False, True]
    longer = next(chunks(stack, batch(), LENGTHS, size=4, state=first.state))
    assert not longer.state[0][0].requires_grad and not longer.outputs.equal(first.outputs)


def test_what_cannot_run_in_chunks_is_told_at_once() -> None:
    with pytest.raises(ValueError, match="bidirectional stack cannot run in chunks"):
        chunks(make(bidirectional=True), batch(), LENGTHS, size=4)
    with pytest.raises(ValueError, match="at least 1 step, not 0"):
        chunks(make(), batch(), LENGTHS, size=0)
    with pytest.raises(ValueError, match="lengths must lie in 0 to 12"):
        chunks(make(), batch(), LENGTHS + 2, size=4)
    with pytest.raises(ValueError, match="the state must have the shapes"):
        next(chunks(make(), batch(), LENGTHS, size=4, state=[(torch.zeros(4, 8),)]))


def test_nothing_to_read_gives_no_chunk() -> None:
    assert list(chunks(make(), batch(), torch.zeros(5, dtype=torch.int64), size=4)) == []
