"""The acoustic model: subsampling's lengths, and nothing seen past them."""

import pytest
import torch

from asr.acoustic.ctc_loss import ctc_loss
from asr.acoustic.network import AcousticModel
from asr.config import ModelConfig
from sluice_cells import CELLS


def make(subsampling: int, cell: str = "lstm", **settings: object) -> AcousticModel:
    torch.manual_seed(3)
    config = ModelConfig(subsampling=subsampling, cell=cell, hidden_size=12, layers=2, **settings)
    return AcousticModel(config, 20, 7).eval()


@pytest.mark.parametrize("subsampling", [2, 4])
@pytest.mark.parametrize("frames", [1, 2, 3, 4, 5, 8, 9, 31])
def test_steps_tells_the_length_of_the_output(subsampling: int, frames: int) -> None:
    model = make(subsampling)
    log_probs, lengths = model(torch.randn(1, frames, 20), torch.tensor([frames]))
    assert log_probs.shape == (1, int(lengths[0]), 7)
    assert int(model.steps(torch.tensor(frames))) == int(lengths[0]) == -(-frames // subsampling)
    torch.testing.assert_close(log_probs.exp().sum(2), torch.ones(1, int(lengths[0])))


@pytest.mark.parametrize("subsampling", [2, 4])
@pytest.mark.parametrize("cell", sorted(CELLS))
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
        # In float32 rounding alone comes to 1e-5 on the reference engine, for the cells that normalize.
        assert (joint - parameter.grad).norm() <= 5e-5 * parameter.grad.norm()


@pytest.mark.parametrize("cell", ["lstm", "peephole_lstm", "gru", "elman"])
def test_every_cell_learns(cell: str) -> None:
    model = make(2, cell, dropout=0).train()
    features, lengths = torch.randn(2, 40, 20), torch.tensor([40, 31])
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    losses = []
    for _ in range(5):
        log_probs, steps = model(features, lengths)
        targets, target_lengths = torch.tensor([[1, 2], [3, 0]]), torch.tensor([2, 1])
        loss = ctc_loss(log_probs, steps, targets, target_lengths).sum()
        optimizer.zero_grad()
        loss.backward()
        assert all(parameter.grad.any() for parameter in model.parameters())
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0]


def test_options_and_engine_reach_the_stack() -> None:
    model = make(4, "clockwork", cell_options={"periods": [1, 2, 4]}, engine="reference")
    assert model.stack.layers[1][0].periods == (1, 2, 4)
    assert model.stack.engine == "reference"


@pytest.mark.parametrize("bidirectional", [True, False])
def test_a_forward_only_model_hears_nothing_of_what_comes_later(bidirectional: bool) -> None:
    model = make(4, bidirectional=bidirectional)
    features, lengths = torch.randn(1, 40, 20), torch.tensor([40])
    later = features.clone()
    later[:, 30:] += 1
    first, other = model(features, lengths)[0], model(later, lengths)[0]
    assert torch.equal(first[:, :6], other[:, :6]) != bidirectional  # step 6 and later see frames from 30 on
    assert not torch.equal(first[:, 7:], other[:, 7:])
