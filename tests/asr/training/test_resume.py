"""Training that is killed, or runs out of disk, goes on where it was and ends where it would have."""

import json
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from asr import Transcriber
from sluice.cli import main
from tests.conftest import RECIPES, ROOT
from tests.tones import SETTINGS, write_corpus

pytestmark = pytest.mark.slow

EPOCHS = 6


def arguments(root: Path, name: str) -> list[str]:
    """Return what follows `sluice`, to train on the tones of `root`."""
    arguments = ["train", str(RECIPES / "manifest.yaml"), "--quiet"]
    arguments += ["--data", str(root / "train" / "manifest.csv"), "--name", name]
    arguments += ["--runs", str(root / "runs"), "--cache", str(root / "cache")]
    changes = [
        f"training.max_epochs={EPOCHS}",
        "augment.start_epoch=1",
        "augment.time_masks=1",
        "augment.exchange_probability=0.5",
        "augment.exchange_epoch=2",
        "model.dropout=0.2",
    ]
    for setting in [*SETTINGS, *changes]:
        arguments += ["--set", setting]
    return arguments


def command(root: Path, name: str) -> list[str]:
    """Return the command of a process of its own, which can be killed."""
    return [sys.executable, "-m", "sluice.cli", *arguments(root, name)]


def environment() -> dict[str, str]:
    return {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}


def epochs_done(run: Path) -> int:
    return len(json.loads((run / "history.json").read_text())) if (run / "history.json").exists() else 0


def epoch_seconds(run: Path) -> list[float]:
    return [epoch["seconds"] for epoch in json.loads((run / "history.json").read_text())]


def wait_for_epoch(process: subprocess.Popen, run: Path, count: int) -> None:
    deadline = time.monotonic() + 240
    while epochs_done(run) < count:
        assert process.poll() is None, "training ended before it could be killed"
        assert time.monotonic() < deadline, "training is too slow to be tested here"
        time.sleep(0.02)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("resume")
    write_corpus(root / "train", 60)
    return root


@pytest.fixture(scope="module")
def whole(root: Path) -> Path:
    """A run that nothing disturbed."""
    subprocess.run(command(root, "whole"), check=True, env=environment())
    return root / "runs" / "whole"


def last_weights(run: Path) -> dict[str, torch.Tensor]:
    return torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]


def test_killed_twice_ends_with_the_same_weights(root: Path, whole: Path) -> None:
    run = root / "runs" / "killed"
    seconds = []
    for epochs in (2, 4):
        process = subprocess.Popen(command(root, "killed"), env=environment())
        wait_for_epoch(process, run, epochs)
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert epochs_done(run) < EPOCHS, "killed too late to show anything"
        seconds.append(epoch_seconds(run))
        Transcriber.load(run)  # the best so far is whole and usable
    subprocess.run(command(root, "killed"), check=True, env=environment())
    # The first epoch took as long to the hundredth of a second: it was not trained again.
    assert seconds[0][0] == seconds[1][0] == epoch_seconds(run)[0]
    assert seconds[1][2] == epoch_seconds(run)[2]
    expected, resumed = last_weights(whole), last_weights(run)
    assert expected.keys() == resumed.keys()
    assert all(torch.equal(expected[name], resumed[name]) for name in expected)
    assert (run / "model.safetensors").read_bytes() == (whole / "model.safetensors").read_bytes()
    figures = [
        [
            {k: v for k, v in epoch.items() if k != "seconds"}
            for epoch in json.loads((r / "history.json").read_text())
        ]
        for r in (whole, run)
    ]
    assert figures[0] == figures[1]


def test_interrupted_from_the_keyboard_says_how_to_go_on(root: Path, whole: Path) -> None:
    endless = [*command(root, "interrupted"), "--set", "training.max_epochs=500"]  # else it may end first
    process = subprocess.Popen(
        endless,
        env=environment(),
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # shells ignore it in the background
    )
    wait_for_epoch(process, root / "runs" / "interrupted", 1)
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=240)
    assert process.returncode == 130
    assert "repeat the command to continue" in stderr and "Traceback" not in stderr


def test_a_finished_run_is_not_trained_again(
    root: Path, whole: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = (whole / "model.safetensors").stat().st_mtime_ns
    assert main(arguments(root, "whole")) == 0
    printed = capsys.readouterr()
    assert "finished already" in printed.err
    assert "words" in printed.out
    assert (whole / "model.safetensors").stat().st_mtime_ns == before


def test_other_settings_for_the_same_run_are_refused(
    root: Path, whole: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*arguments(root, "whole"), "--set", "model.layers=2"]) == 1
    error = capsys.readouterr().err
    assert "model.layers: 1 there, 2 here" in error
    assert "Traceback" not in error


def test_a_full_disk_is_an_error_and_leaves_the_last_checkpoint(root: Path, whole: Path) -> None:
    run = root / "runs" / "full"
    size = (whole / "checkpoints" / "last.ckpt").stat().st_size
    process = subprocess.Popen(command(root, "full"), env=environment(), stderr=subprocess.PIPE, text=True)
    wait_for_epoch(process, run, 2)  # the checkpoint of the first is then written
    # From now on no file may grow to the size of a checkpoint, as on a disk that is nearly full.
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (size // 2, size // 2))
    _, stderr = process.communicate(timeout=240)
    assert process.returncode == 1
    assert "cannot write" in stderr and "goes on from the last checkpoint" in stderr
    assert "Traceback" not in stderr
    last_weights(run)  # whole
    Transcriber.load(run)
    subprocess.run(command(root, "full"), check=True, env=environment())
    assert (run / "model.safetensors").read_bytes() == (whole / "model.safetensors").read_bytes()


def test_a_folder_that_cannot_be_written_to(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "runs").write_text("a file where the folder should be")
    changed = arguments(root, "nowhere")
    changed[changed.index("--runs") + 1] = str(tmp_path / "runs")
    assert main(changed) == 1
    error = capsys.readouterr().err
    assert "cannot write" in error and "Traceback" not in error
