"""Files of a run: whole or not there, and never unpickled."""

import pickle
from pathlib import Path

import pytest
import torch

from sluice_core.files import CheckpointError, write_atomic, write_text
from sluice_core.weights import load_weights, save_weights


def test_weights_round_trip(tmp_path: Path) -> None:
    weights = {"a": torch.randn(3, 4), "b": torch.arange(5)}
    save_weights(tmp_path / "model.safetensors", weights, {"epoch": "3"})
    again = load_weights(tmp_path / "model.safetensors")
    assert again.keys() == weights.keys()
    assert all(torch.equal(again[name], weights[name]) for name in weights)


def test_a_failed_write_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    write_text(path, "good")

    def fill_the_disk(temporary: Path) -> None:
        temporary.write_text("half")
        raise OSError(28, "No space left on device")

    with pytest.raises(
        CheckpointError, match=r"model.safetensors: cannot write: No space left.*goes on from"
    ):
        write_atomic(path, fill_the_disk)
    assert path.read_text() == "good"
    assert list(tmp_path.iterdir()) == [path]


def test_a_really_full_disk(tmp_path: Path) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full here")
    with pytest.raises(CheckpointError, match="No space left"):
        write_atomic(tmp_path / "x", lambda _: Path("/dev/full").write_text("x" * 100_000) and None)


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CheckpointError, match="cannot write"):
        write_text(tmp_path / "file" / "x.txt", "text")


def test_pickles_and_rubbish_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    with pytest.raises(CheckpointError, match="no weights there"):
        load_weights(path)
    path.write_bytes(pickle.dumps({"a": 1}))
    with pytest.raises(CheckpointError, match="not a safetensors file"):
        load_weights(path)
