"""The settings of recurrent layers, which both halves build their networks from."""

import subprocess
import sys

import pytest
import torch

from asr.acoustic.network import AcousticModel
from asr.config import ModelConfig
from slot_filling.config import EncoderConfig
from sluice_core.config import ConfigError
from sluice_core.stack_config import StackConfig
from tests.conftest import ROOT


@pytest.mark.parametrize("bidirectional", [True, False])
def test_layers_are_as_the_settings_say(bidirectional: bool) -> None:
    config = StackConfig(
        cell="gru", layers=2, hidden_size=5, bidirectional=bidirectional, dropout=0.25, engine="reference"
    )
    stack = config.make_stack(3, variational=True)
    assert len(stack.layers) == 2 and len(stack.cells[0]) == 1 + bidirectional
    assert (stack.engine, stack.drop_share, stack.variational) == ("reference", 0.25, True)
    assert stack.eval().outputs(torch.zeros(1, 4, 3)).shape == (1, 4, 5 * (1 + bidirectional))


@pytest.mark.parametrize("kind", [ModelConfig, EncoderConfig])
def test_wrong_layers_are_named(kind: type[StackConfig]) -> None:
    with pytest.raises(ConfigError, match="cell: unknown cell 'lstn'"):
        kind.check({"cell": "lstn"}, "x.yaml")
    with pytest.raises(ConfigError, match="cell_options: the cell clockwork has no option 'period'"):
        kind.check({"cell": "clockwork", "cell_options": {"period": 2}}, "x.yaml")


def test_a_recognizer_may_read_forward_only() -> None:
    config = ModelConfig(bidirectional=False, layers=1, hidden_size=6, channels=2, subsampling=2)
    model = AcousticModel(config, feature_size=8, token_count=4).eval()
    features = torch.randn(1, 20, 8)
    changed = features.clone()
    changed[:, 16:] += 1
    lengths = torch.tensor([20])
    first, other = model(features, lengths)[0], model(changed, lengths)[0]
    assert torch.allclose(first[:, :6], other[:, :6]) and not torch.allclose(first[:, 8:], other[:, 8:])


def test_settings_are_read_without_torch() -> None:
    command = "import sys, asr.config, slot_filling.config; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", command], cwd=ROOT).returncode == 0
