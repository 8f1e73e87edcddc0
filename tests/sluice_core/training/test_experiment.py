"""What both experiments check before anything long begins."""

import pytest
import torch

from sluice_core.config import ConfigError
from sluice_core.devices import DeviceError
from sluice_core.training.config import TrainingConfig
from sluice_core.training.experiment import check_devices


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


def _no_device(name: str) -> torch.device:
    raise DeviceError(f"no {name} here")
