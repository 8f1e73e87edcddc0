"""What a training step costs: CTC's loss, and how far two views differ."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from asr.acoustic.ctc_loss import consistency_loss
from asr.acoustic.network import AcousticModel
from asr.config import RecognizerConfig
from asr.tokens import Tokens
from asr.training.dataset import UtteranceBatch
from asr.training.task import CTCTask, training_losses


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


def test_parts_of_a_batch_are_padded_no_more_than_they_need() -> None:
    targets = torch.tensor([[1, 2, 2], [3, 0, 0], [2, 1, 0]])
    batch = twice(batch_of([6, 4, 5], targets, [3, 1, 2]))
    first, second = batch.parts(2)
    assert (first.items, second.items) == ([0, 2], [1])
    assert first.lengths.tolist() == [6, 5, 6, 5]
    assert second.features.shape == (2, 4, 1)
    assert second.targets.tolist() == [[3], [3]]
    assert [part.items for part in batch.parts(9)] == [[0], [1], [2]]


@pytest.mark.parametrize("views", [1, 2])
def test_a_batch_in_parts_has_the_loss_and_the_gradient_of_the_whole(views: int) -> None:
    config = RecognizerConfig.model_validate(
        {
            "name": "parts",
            "corpus": {"kind": "manifest"},
            "augment": {"consistency": 0.2 if views == 2 else 0},
            "model": {"hidden_size": 5, "channels": 4, "dropout": 0.0},
        }
    )
    tokens = Tokens.learn(["abc"])
    torch.manual_seed(3)
    model = AcousticModel(config.model, 12, len(tokens))
    targets = torch.tensor([[1, 2, 2], [3, 0, 0], [2, 1, 0]])
    batch = batch_of([60, 40, 50], targets, [3, 1, 2])
    batch = replace(batch, features=torch.randn(3, 60, 12))
    if views == 2:
        batch = twice(batch)
        batch = replace(batch, features=torch.randn(6, 60, 12))

    def losses_and_gradients(parts: int) -> tuple[list[Tensor], list[Tensor]]:
        training = config.training.model_copy(update={"parts": parts})
        task = CTCTask(config.model_copy(update={"training": training}), model, tokens, [], steps=1)
        model.zero_grad()
        losses = task._losses(batch)
        losses[0].backward()
        return [each.detach() for each in losses], [
            p.grad.clone() for p in model.parameters() if p.grad is not None
        ]

    whole, in_parts = losses_and_gradients(1), losses_and_gradients(2)
    torch.testing.assert_close(in_parts, whole)
    assert len(whole[1]) == len(list(model.parameters()))
