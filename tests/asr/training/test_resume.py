"""Training that is killed, or runs out of disk, goes on where it was and ends where it would have."""

import json
import os
import resource
import signal
import time
from itertools import pairwise
from pathlib import Path

import pytest
import torch

from asr import Transcriber
from sluice.cli import main
from tests.conftest import RECIPES, once_for_all_workers
from tests.processes import start
from tests.tones import SETTINGS, write_corpus

pytestmark = pytest.mark.slow

EPOCHS = 8


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


def epochs_done(run: Path) -> int:
    return len(json.loads((run / "history.json").read_text())) if (run / "history.json").exists() else 0


def epoch_seconds(run: Path) -> list[float]:
    return [epoch["seconds"] for epoch in json.loads((run / "history.json").read_text())]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A corpus of tones, and the run `whole` that nothing disturbed."""

    def train(root: Path) -> None:
        write_corpus(root / "train", 60)
        assert main(arguments(root, "whole")) == 0

    return once_for_all_workers(tmp_path_factory, "resume", train)


@pytest.fixture(scope="module")
def whole(root: Path) -> Path:
    return root / "runs" / "whole"


def train(*arguments: str) -> int:
    signal.signal(signal.SIGINT, signal.default_int_handler)  # shells ignore it in the background
    return main([*arguments])


class Training:
    """The training of a run in a process of its own."""

    def __init__(self, root: Path, name: str) -> None:
        self.run, self.said = root / "runs" / name, root / f"{name}.txt"
        self.said.unlink(missing_ok=True)
        self.process = start(train, *arguments(root, name), output=self.said)
        assert self.process.pid is not None
        self.id = self.process.pid

    def wait_for_epoch(self, count: int) -> None:
        deadline = time.monotonic() + 240
        while epochs_done(self.run) < count:
            assert self.process.is_alive(), (
                f"training ended before it could be disturbed: {self.said.read_text()}"
            )
            assert time.monotonic() < deadline, "training is too slow to be tested here"
            time.sleep(0.02)

    def end(self) -> tuple[int | None, str]:
        """Wait for its end; returns the exit status, and what it said."""
        self.process.join(240)
        return self.process.exitcode, self.said.read_text()


def last_weights(run: Path) -> dict[str, torch.Tensor]:
    return torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]


def test_killed_interrupted_and_out_of_disk_it_ends_with_the_same_weights(root: Path, whole: Path) -> None:
    """One run is disturbed in all three ways, each time two epochs later, and goes on each time."""
    run = root / "runs" / "disturbed"
    seconds = []

    def check_what_is_left(epochs: int) -> None:
        assert epochs <= epochs_done(run) < EPOCHS, "disturbed too late to show anything"
        seconds.append(epoch_seconds(run))
        last_weights(run)  # the last checkpoint is whole,
        Transcriber.load(run)  # and so is the best so far, which can be used

    training = Training(root, "disturbed")
    training.wait_for_epoch(2)
    os.kill(training.id, signal.SIGKILL)
    assert training.end()[0] == -signal.SIGKILL
    check_what_is_left(2)

    training = Training(root, "disturbed")
    training.wait_for_epoch(4)
    os.kill(training.id, signal.SIGINT)
    status, said = training.end()
    assert status == 130
    assert "repeat the command to continue" in said and "Traceback" not in said
    check_what_is_left(4)

    training = Training(root, "disturbed")
    training.wait_for_epoch(6)
    # From now on no file may grow to the size of a checkpoint, as on a disk that is nearly full.
    size = (whole / "checkpoints" / "last.ckpt").stat().st_size
    resource.prlimit(training.id, resource.RLIMIT_FSIZE, (size // 2, size // 2))
    status, said = training.end()
    assert status == 1
    assert "cannot write" in said and "goes on from the last checkpoint" in said
    assert "Traceback" not in said
    check_what_is_left(6)

    assert Training(root, "disturbed").end()[0] == 0
    # Epochs took as long to the hundredth of a second: they were not trained again.
    seconds.append(epoch_seconds(run))
    for before, after in pairwise(seconds):
        assert after[: len(before) - 1] == before[:-1]
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


def test_a_folder_that_cannot_be_written_to(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "runs").write_text("a file where the folder should be")
    changed = arguments(root, "nowhere")
    changed[changed.index("--runs") + 1] = str(tmp_path / "runs")
    assert main(changed) == 1
    error = capsys.readouterr().err
    assert "cannot write" in error and "Traceback" not in error
