"""What a training step costs: CTC's loss, and how far two views differ."""

from dataclasses import replace

import torch
from torch import Tensor

from asr.acoustic.ctc_loss import consistency_loss
from asr.training.dataset import UtteranceBatch
from asr.training.task import training_losses


def batch_of(lengths: list[int], targets: Tensor, target_lengths: list[int]) -> UtteranceBatch:
    return UtteranceBatch(
        items=list(range(len(lengths))),
        features=torch.zeros(len(lengths), max(lengths), 1),
        lengths=torch.tensor(lengths),
        targets=targets,
        target_lengths=torch.tensor(target_lengths),
        errors=[],
    )


def twice(batch: UtteranceBatch) -> UtteranceBatch:
    doubled = {
        name: torch.cat([value, value]) for name, value in vars(batch).items() if isinstance(value, Tensor)
    }
    return replace(batch, **doubled)


def test_two_views_that_agree_cost_what_one_costs() -> None:
    torch.manual_seed(0)
    log_probs = torch.randn(2, 6, 4).log_softmax(2)
    batch = batch_of([6, 4], torch.tensor([[1, 2, 2], [3, 0, 0]]), [3, 1])
    alone, nothing = training_losses(log_probs, batch.lengths, batch)
    both = twice(batch)
    together, divergence = training_losses(torch.cat([log_probs, log_probs]), both.lengths, both)
    torch.testing.assert_close(together, alone)
    assert nothing == divergence == 0


def test_what_two_views_differ_in_is_counted_by_token() -> None:
    torch.manual_seed(1)
    first, second = torch.randn(2, 2, 6, 4).log_softmax(3)
    batch = twice(batch_of([6, 4], torch.tensor([[1, 2, 2], [3, 0, 0]]), [3, 1]))
    _, divergence = training_losses(torch.cat([first, second]), batch.lengths, batch)
    expected = consistency_loss(first, second, torch.tensor([6, 4])).sum() / 4
    torch.testing.assert_close(divergence, expected)
    assert divergence > 0
