"""The acoustic model: subsampling's lengths, and nothing seen past them."""

import pytest
import torch

from asr.acoustic_model import AcousticModel
from asr.config import ModelConfig
from asr.ctc import ctc_loss


def make(subsampling: int, cell: str = "lstm") -> AcousticModel:
    torch.manual_seed(3)
    return AcousticModel(
        ModelConfig(subsampling=subsampling, cell=cell, hidden_size=12, layers=2), 20, 7
    ).eval()


@pytest.mark.parametrize("subsampling", [2, 4])
@pytest.mark.parametrize("frames", [1, 2, 3, 4, 5, 8, 9, 31])
def test_steps_tells_the_length_of_the_output(subsampling: int, frames: int) -> None:
    model = make(subsampling)
    log_probs, lengths = model(torch.randn(1, frames, 20), torch.tensor([frames]))
    assert log_probs.shape == (1, int(lengths[0]), 7)
    assert int(model.steps(torch.tensor(frames))) == int(lengths[0]) == -(-frames // subsampling)
    torch.testing.assert_close(log_probs.exp().sum(2), torch.ones(1, int(lengths[0])))


@pytest.mark.parametrize("subsampling", [2, 4])
@pytest.mark.parametrize("cell", ["lstm", "gru", "elman"])
def test_an_utterance_alone_and_in_any_batch(subsampling: int, cell: str) -> None:
    model = make(subsampling, cell)
    lengths = torch.tensor([57, 12, 33, 1])
    features = torch.randn(4, 57, 20)
    features[torch.arange(57) >= lengths[:, None]] = 0
    together, steps = model(features, lengths)
    targets = torch.tensor([[1, 2, 3], [2, 0, 0], [4, 5, 0], [1, 0, 0]])
    target_lengths = torch.tensor([3, 1, 2, 1])
    ctc_loss(together, steps, targets, target_lengths).sum().backward()
    gradients = [p.grad.clone() for p in model.parameters()]
    model.zero_grad()
    for row, length in enumerate(lengths.tolist()):
        alone, one = model(features[row : row + 1, :length], lengths[row : row + 1])
        torch.testing.assert_close(together[row, : steps[row]], alone[0], atol=1e-5, rtol=0)
        ctc_loss(alone, one, targets[row : row + 1], target_lengths[row : row + 1]).sum().backward()
    for joint, parameter in zip(gradients, model.parameters(), strict=True):
        assert (joint - parameter.grad).norm() <= 1e-5 * parameter.grad.norm()
