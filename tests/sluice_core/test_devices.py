"""Devices by their names."""

import pytest
import torch

from sluice_core.devices import DeviceError, find_device


def test_devices() -> None:
    assert find_device("cpu") == find_device(torch.device("cpu")) == torch.device("cpu")


@pytest.mark.parametrize("name", ["foo", "cpu:x", "xpu:9", "cuda:99", ""])
def test_a_device_that_is_not_there_is_named(name: str) -> None:
    with pytest.raises(DeviceError, match=f"device '{name}' is not available here: .*; use cpu"):
        find_device(name)
