"""What both experiments check before anything long begins."""

from pathlib import Path

import pytest
import torch

from sluice_core.config import ConfigError
from sluice_core.devices import DeviceError
from sluice_core.files import CheckpointError
from sluice_core.training.config import TrainingConfig
from sluice_core.training.experiment import Clock, check_devices, finished_metrics


@pytest.mark.parametrize("accelerator", ["auto", "cpu"])
def test_processes_on_the_cpu_are_as_many_as_one_likes(accelerator: str) -> None:
    check_devices(TrainingConfig(accelerator=accelerator, devices=1))
    check_devices(TrainingConfig(accelerator="cpu", devices=64))


@pytest.mark.parametrize("accelerator", ["cuda", "gpu", "abacus"])
def test_an_accelerator_that_is_missing_is_named(accelerator: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sluice_core.training.experiment.find_device", _no_device)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    with pytest.raises(ConfigError, match=r"training.accelerator: no .* here"):
        check_devices(TrainingConfig(accelerator=accelerator))


def test_more_gpus_than_there_are_cannot_train_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    check_devices(TrainingConfig(devices=2))
    with pytest.raises(ConfigError, match=r"training.devices: 3 GPUs are asked for, and this machine has 2"):
        check_devices(TrainingConfig(devices=3))


@pytest.mark.parametrize("damage", ["[{", "{}]", '{"a": 1}', '[{"epoch": 0}]', '[{"seconds": "x"}]', "3"])
def test_a_damaged_history_or_metrics_say_what_to_do(tmp_path: Path, damage: str) -> None:
    assert Clock(tmp_path).minutes() < 1 and finished_metrics(tmp_path) is None
    for name in ("history.json", "metrics.json"):
        (tmp_path / name).write_text(damage, encoding="utf-8")
    with pytest.raises(CheckpointError, match=r"history\.json: damaged: .*delete it"):
        Clock(tmp_path)
    with pytest.raises(CheckpointError, match=r"metrics\.json: damaged: .*delete it"):
        finished_metrics(tmp_path)


def _no_device(name: str) -> torch.device:
    raise DeviceError(f"no {name} here")
