"""bfloat16 on a CPU: refused where the processor would imitate it, and cells that compute in float32."""

import logging
from pathlib import Path

import pytest
import torch

from sluice_cells.stack import Stack
from sluice_core import devices
from sluice_core.config import ConfigError
from sluice_core.training import experiment
from sluice_core.training.config import TrainingConfig
from sluice_core.training.experiment import check_devices
from sluice_core.training.fit import _precision

BF16 = TrainingConfig(precision="bf16", accelerator="cpu")


def test_it_is_refused_where_the_processor_cannot(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(experiment, "multiplies_bfloat16", lambda: False)
    with pytest.raises(ConfigError, match=r"does not multiply bfloat16 .*training\.precision=auto"):
        check_devices(BF16)
    check_devices(TrainingConfig(precision="bf16-mixed", accelerator="cpu"))
    check_devices(TrainingConfig(accelerator="cpu"))


def test_where_nothing_is_known_it_is_said(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(experiment, "multiplies_bfloat16", lambda: None)
    with caplog.at_level(logging.WARNING, logger="sluice"):
        check_devices(BF16)
    assert "not known whether this processor" in caplog.text


@pytest.mark.parametrize(
    ("text", "able"),
    [
        ("flags\t\t: fpu avx512f avx512_bf16 sse\n", True),
        ("flags\t\t: fpu amx_bf16\n", True),
        ("Features\t: fp asimd bf16\n", True),
        ("flags\t\t: fpu avx512f avx2\nmodel name: bf16\n", False),
    ],
)
def test_processors_flags(text: str, able: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text(text, encoding="utf-8")
    monkeypatch.setattr(devices, "Path", lambda _: cpuinfo)
    assert devices.multiplies_bfloat16() is able
    cpuinfo.unlink()
    assert devices.multiplies_bfloat16() is None


def test_the_short_name_is_lightnings() -> None:
    assert _precision(BF16) == "bf16-mixed"
    assert _precision(TrainingConfig(accelerator="cpu")) == "32-true"


def test_under_autocast_states_stay_float32_and_padding_changes_nothing() -> None:
    torch.manual_seed(0)
    stack, inputs = Stack("lstm", 24, 16, layers=2, bidirectional=True), torch.randn(3, 30, 24)
    lengths = torch.tensor([30, 17, 5])
    exact = stack.outputs(inputs, lengths)
    with torch.autocast("cpu", torch.bfloat16):
        outputs = stack.outputs(inputs.bfloat16(), lengths)
        alone = [
            stack.outputs(inputs[row : row + 1, :length].bfloat16()) for row, length in enumerate([30, 17, 5])
        ]
    assert outputs.dtype == torch.float32
    torch.testing.assert_close(outputs, exact, atol=0.02, rtol=0)
    assert not torch.equal(outputs, exact)
    for row, single in enumerate(alone):
        torch.testing.assert_close(outputs[row, : single.shape[1]], single[0], atol=1e-5, rtol=0)
    outputs.square().mean().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in stack.parameters())
