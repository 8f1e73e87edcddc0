"""Weights are kept before they are replaced, and come back to the byte."""

from pathlib import Path

import pytest
import torch

from sluice_core.errors import UserError
from sluice_core.previous_weights import keep_previous_weights, previous_weights, restore_previous_weights
from sluice_core.weights import save_weights


def write(run: Path, value: float) -> bytes:
    save_weights(run / "model.safetensors", {"weight": torch.full((3,), value)}, {"epoch": str(value)})
    return (run / "model.safetensors").read_bytes()


def test_they_come_back_in_reverse_order(tmp_path: Path) -> None:
    versions = [write(tmp_path, 0)]
    for value in range(1, 12):  # more than nine, so that names do not sort as numbers do
        keep_previous_weights(tmp_path)
        versions.append(write(tmp_path, value))
    for left in reversed(range(11)):
        assert restore_previous_weights(tmp_path) == left
        assert (tmp_path / "model.safetensors").read_bytes() == versions[left]
    with pytest.raises(UserError, match="nothing to undo"):
        restore_previous_weights(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["model.safetensors"]


def test_a_copy_whose_successor_never_came_is_no_version(tmp_path: Path) -> None:
    first = write(tmp_path, 0)
    keep_previous_weights(tmp_path)
    write(tmp_path, 1)
    keep_previous_weights(tmp_path)  # killed here
    assert restore_previous_weights(tmp_path) == 0
    assert (tmp_path / "model.safetensors").read_bytes() == first


def test_other_files_are_not_versions(tmp_path: Path) -> None:
    write(tmp_path, 0)
    (tmp_path / "model.previous-x.safetensors").touch()
    (tmp_path / "model.previous-1.safetensors.part").touch()
    assert previous_weights(tmp_path) == []


def test_a_folder_without_weights(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="Is it a run directory"):
        restore_previous_weights(tmp_path)
