"""CTC's collapse, lengths and loss, against sums over every path."""

import itertools
import math

import pytest
import torch

from asr.acoustic.ctc import collapse, required_steps
from asr.acoustic.ctc_loss import consistency_loss, ctc_loss


def test_a_blank_tells_a_doubled_letter_from_a_held_one() -> None:
    好, 棒 = 1, 2
    assert collapse([好, 棒, 棒]) == [好, 棒]
    assert collapse([好, 棒, 0, 棒]) == [好, 棒, 棒]
    assert collapse([0, 好, 好, 0, 0, 棒, 0, 棒, 棒]) == [好, 棒, 棒]
    assert collapse([0, 0]) == collapse([]) == []


def test_required_steps_is_the_shortest_path_that_collapses_to_the_target() -> None:
    for length in range(5):
        for target in itertools.product([1, 2], repeat=length):
            shortest = next(
                steps
                for steps in range(10)
                if any(collapse(path) == list(target) for path in itertools.product(range(3), repeat=steps))
            )
            assert required_steps(target) == shortest


@pytest.mark.parametrize("target", [[], [1], [1, 1], [2, 1], [1, 2, 1]])
def test_loss_is_the_sum_over_all_paths(target: list[int]) -> None:
    torch.manual_seed(len(target))
    log_probs = torch.randn(1, 5, 3).log_softmax(2)
    total = sum(
        math.exp(sum(float(log_probs[0, step, token]) for step, token in enumerate(path)))
        for path in itertools.product(range(3), repeat=5)
        if collapse(path) == target
    )
    loss = ctc_loss(log_probs, torch.tensor([5]), torch.tensor([target]), torch.tensor([len(target)]))
    assert float(loss[0]) == pytest.approx(-math.log(total), rel=1e-5)


def test_padding_changes_neither_loss_nor_gradient() -> None:
    torch.manual_seed(1)
    logits = torch.randn(3, 8, 4)
    lengths, targets = torch.tensor([8, 3, 5]), torch.tensor([[1, 2, 3], [1, 0, 0], [2, 2, 0]])
    target_lengths = torch.tensor([3, 1, 2])
    together = logits.clone().requires_grad_()
    losses = ctc_loss(together.log_softmax(2), lengths, targets, target_lengths)
    losses.sum().backward()
    for row in range(3):
        alone = logits[row : row + 1, : lengths[row]].clone().requires_grad_()
        loss = ctc_loss(
            alone.log_softmax(2),
            lengths[row : row + 1],
            targets[row : row + 1, : target_lengths[row]],
            target_lengths[row : row + 1],
        )
        loss.sum().backward()
        torch.testing.assert_close(loss[0], losses[row])
        torch.testing.assert_close(together.grad[row, : lengths[row]], alone.grad[0])
        assert not together.grad[row, lengths[row] :].any()


def test_consistency_pulls_each_view_half_way_to_the_other() -> None:
    torch.manual_seed(2)
    first, second = torch.randn(2, 1, 4, 3).requires_grad_().unbind()
    first.retain_grad()
    second.retain_grad()
    p, q = first.softmax(2), second.softmax(2)
    loss = consistency_loss(first.log_softmax(2), second.log_softmax(2), torch.tensor([4]))
    loss.sum().backward()
    torch.testing.assert_close(loss[0], 0.5 * ((p - q) * (p.log() - q.log())).sum())
    torch.testing.assert_close(first.grad, 0.5 * (p - q).detach())  # of KL(q || p) with q fixed
    torch.testing.assert_close(second.grad, 0.5 * (q - p).detach())
    same = first.log_softmax(2)
    assert consistency_loss(same, same, torch.tensor([4])).item() == 0


def test_padding_does_not_change_consistency() -> None:
    torch.manual_seed(3)
    first, second = torch.randn(2, 3, 8, 4).log_softmax(3)
    lengths = torch.tensor([8, 0, 5])
    together = first.clone().requires_grad_()
    losses = consistency_loss(together, second, lengths)
    losses.sum().backward()
    for row, length in enumerate(lengths):
        alone = first[row : row + 1, :length].clone().requires_grad_()
        loss = consistency_loss(alone, second[row : row + 1, :length], length[None])
        loss.sum().backward()
        torch.testing.assert_close(loss[0], losses[row])
        torch.testing.assert_close(together.grad[row, :length], alone.grad[0])
        assert not together.grad[row, length:].any()
