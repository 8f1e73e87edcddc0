"""Gradients made no larger than told; steps that cannot be taken are left out and counted."""

import math
from pathlib import Path

import lightning.pytorch as pl
import pytest
import torch
from lightning.pytorch.plugins import MixedPrecision
from torch import Tensor, nn
from torch.utils.data import DataLoader

from sluice_core.errors import TrainingError
from sluice_core.files import CheckpointError
from sluice_core.reporting.learning_curves import learning_curves, read_history
from sluice_core.reporting.page import Page
from sluice_core.training.callbacks import MOST_SKIPPED, GradientClipping
from sluice_core.training.config import TrainingConfig
from sluice_core.training.epoch_progress import TrainingProgress
from sluice_core.training.fit import fit_task
from sluice_core.training.gradient_clipping import Clipped, ClippingRecord, clip_gradients
from tests.pages import check_self_contained


def parameters(*gradients: list[float] | None) -> list[nn.Parameter]:
    """Parameters with these gradients."""
    made = []
    for gradient in gradients:
        parameter = nn.Parameter(torch.zeros(len(gradient or [0.0])))
        parameter.grad = None if gradient is None else torch.tensor(gradient)
        made.append(parameter)
    return made


def values(made: list[nn.Parameter]) -> list[float]:
    return [value for parameter in made if parameter.grad is not None for value in parameter.grad.tolist()]


def test_by_norm_the_direction_stays() -> None:
    made = parameters([3.0, 0.0], None, [-4.0])
    assert clip_gradients(made, norm=1.0) == Clipped(5.0, by_norm=True, values=0, of_values=3)
    assert values(made) == pytest.approx([0.6, 0.0, -0.8])


def test_by_value_each_value_is_cut() -> None:
    made = parameters([3.0, 0.5], [-4.0, -2.0])
    assert clip_gradients(made, value=2.0) == Clipped(
        pytest.approx(math.sqrt(29.25)), False, values=2, of_values=4
    )
    assert values(made) == [2.0, 0.5, -2.0, -2.0]


def test_by_value_first_then_what_remains_by_norm() -> None:
    made = parameters([30.0], [-4.0])
    clipped = clip_gradients(made, norm=2.5, value=3.0)
    assert clipped == Clipped(pytest.approx(math.sqrt(916)), by_norm=True, values=2, of_values=2)
    assert values(made) == pytest.approx([2.5 / math.sqrt(2), -2.5 / math.sqrt(2)])
    assert not clip_gradients(parameters([30.0], [-4.0]), norm=5.0, value=3.0).by_norm


def test_below_the_limits_and_without_limits_nothing_changes() -> None:
    for limits in ({"norm": 5.0, "value": 4.0}, {}):
        made = parameters([3.0], [-4.0])
        assert clip_gradients(made, **limits) == Clipped(5.0, False, 0, 2)
        assert values(made) == [3.0, -4.0]
    assert clip_gradients(parameters(None), norm=1.0) == Clipped(0.0, False, 0, 0)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_is_told_and_left(bad: float) -> None:
    made = parameters([3.0, bad], [7.0])
    clipped = clip_gradients(made, norm=1.0, value=1.0)
    assert not clipped.finite and clipped.values == 0
    assert values(made)[0] == 3.0 and values(made)[2] == 7.0


def test_figures_of_an_epoch() -> None:
    steps = [
        Clipped(2.0, False, 1, 10),
        Clipped(9.0, True, 4, 10),
        Clipped(math.nan),
        Clipped(3.0, True, 0, 10),
    ]
    figures = ClippingRecord(True, True, steps).figures()
    assert figures == {
        "skipped_steps": 1,
        "gradient_norm": 3.0,
        "gradient_norm_max": 9.0,
        "clipped_by_norm": pytest.approx(2 / 3),
        "clipped_by_value": pytest.approx(5 / 30),
    }
    assert ClippingRecord(False, False, steps).figures().keys() == {
        "skipped_steps",
        "gradient_norm",
        "gradient_norm_max",
    }
    assert ClippingRecord(True, True, steps[2:3]).figures() == {"skipped_steps": 1}


class Task(pl.LightningModule):
    """One weight, whose gradient is each batch's number."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))
        self.seen: list[float] = []

    def training_step(self, batch: Tensor, batch_idx: int) -> Tensor:
        loss = (self.weight * batch).sum()
        self.log("train_loss", loss, on_step=False, on_epoch=True, batch_size=1)
        return loss

    def on_train_batch_end(self, *_: object) -> None:
        self.seen.append(self.weight.item())

    def validation_step(self, batch: Tensor, batch_idx: int) -> None:
        self.log_dict({"dev_loss": 1.0, "dev_error": 0.5}, batch_size=1)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=1.0, momentum=0.5)


def loader(*numbers: float) -> DataLoader:
    class Batches(list):
        def set_epoch(self, epoch: int) -> None:
            pass

    return DataLoader(torch.tensor(numbers)[:, None], batch_sampler=Batches([n] for n in range(len(numbers))))


def train(run: Path, *numbers: float, epochs: int = 1, **settings: float | None) -> Task:
    """Fit the task as a model is fitted."""
    task = Task()
    config = TrainingConfig(max_epochs=epochs, accelerator="cpu", **settings)
    fit_task(task, loader(*numbers), loader(0), run, config, lambda: None, look_at="the numbers", quiet=True)
    return task


def skips_told(caplog: pytest.LogCaptureFixture) -> int:
    return sum("its step was skipped" in message for message in caplog.messages)


def test_training_clips_and_keeps_its_figures(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    task = train(tmp_path, 2.0, -8.0, 1.0, clip_norm=4.0)
    assert task.seen == pytest.approx([-2.0, -2.0 + 4.0 - 1.0, 2.0 - 0.5])  # momentum 0.5
    (epoch,) = read_history(tmp_path)
    assert (epoch["gradient_norm"], epoch["gradient_norm_max"]) == (2.0, 8.0)
    assert epoch["clipped_by_norm"] == pytest.approx(1 / 3, abs=1e-6)
    assert epoch["skipped_steps"] == 0 and "clipped_by_value" not in epoch
    assert not skips_told(caplog)


def test_training_clips_by_value_alone(tmp_path: Path) -> None:
    task = train(tmp_path, 8.0, clip_norm=None, clip_value=3.0)
    assert task.seen == [-3.0]
    (epoch,) = read_history(tmp_path)
    assert epoch["clipped_by_value"] == 1.0 and "clipped_by_norm" not in epoch


def test_a_gradient_that_is_not_finite_changes_nothing_and_is_counted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    task = train(tmp_path, 2.0, math.nan, math.inf, 1.0)
    assert task.seen == [-2.0, -2.0, -2.0, -4.0]  # the momentum, too, is that of the finite steps alone
    assert skips_told(caplog) == 1  # of two
    (epoch,) = read_history(tmp_path)
    assert epoch["skipped_steps"] == 2 and epoch["gradient_norm_max"] == 2.0


def test_an_epoch_of_nothing_but_such_gradients(tmp_path: Path) -> None:
    train(tmp_path, math.nan)
    (epoch,) = read_history(tmp_path)
    assert epoch["skipped_steps"] == 1 and "gradient_norm" not in epoch


def test_gradients_that_are_not_finite_end_the_training_with_advice(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    numbers = [math.nan, 1.0] * MOST_SKIPPED  # in one epoch, not in a row
    with pytest.raises(TrainingError, match=r"diverged.*learning_rate.*look at the numbers"):
        train(tmp_path, *numbers)
    assert skips_told(caplog) == 1


def test_such_gradients_one_after_another_end_a_training_of_short_epochs(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"gradients one after another were not finite"):
        train(tmp_path, *[math.nan] * 3, epochs=MOST_SKIPPED, patience=99)
    assert len(read_history(tmp_path)) == MOST_SKIPPED // 3


def test_a_bad_gradient_now_and_then_does_not_end_a_long_training(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    train(tmp_path, *[math.nan] * (MOST_SKIPPED - 1), 1.0, epochs=3, patience=9)
    assert [epoch["skipped_steps"] for epoch in read_history(tmp_path)] == [MOST_SKIPPED - 1] * 3
    assert skips_told(caplog) == 1


def test_each_epoch_has_its_own_figures(tmp_path: Path) -> None:
    train(tmp_path, 9.0, math.nan, epochs=2, clip_norm=1.0)
    train(tmp_path, 0.5, 0.25, epochs=3, clip_norm=1.0)  # goes on after the second
    assert [epoch["skipped_steps"] for epoch in read_history(tmp_path)] == [1, 1, 0]
    assert [epoch["clipped_by_norm"] for epoch in read_history(tmp_path)] == [1.0, 1.0, 0.0]


@pytest.mark.parametrize("damage", ["", "garbage", "PK"])
def test_a_damaged_checkpoint_says_what_to_do(tmp_path: Path, damage: str) -> None:
    train(tmp_path, 1.0)
    (tmp_path / "checkpoints" / "last.ckpt").write_text(damage, encoding="utf-8")
    with pytest.raises(CheckpointError, match=r"last\.ckpt: damaged, .*delete it"):
        train(tmp_path, 1.0, epochs=2)


def test_a_scaled_loss_is_clipped_by_its_true_gradient(caplog: pytest.LogCaptureFixture) -> None:
    task, clipping = Task(), GradientClipping(4.0, None)
    precision = MixedPrecision("16-mixed", "cpu", torch.amp.GradScaler("cpu", init_scale=1024.0))
    quiet = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False}
    quiet |= {"enable_model_summary": False, "accelerator": "cpu", "max_epochs": 1}
    trainer = pl.Trainer(plugins=[precision], callbacks=[clipping], **quiet)
    trainer.fit(task, loader(2.0, 8.0, math.inf, 1.0), loader(0))
    # The scale's own search throws the third away; nobody needs to hear of that.
    assert task.seen == pytest.approx([-2.0, -7.0, -7.0, -10.5])
    assert [step.norm for step in clipping.record.steps] == [2.0, 8.0, math.inf, 1.0]
    assert not skips_told(caplog) and clipping.record.figures()["skipped_steps"] == 1


def test_the_report_shows_norms_limit_share_and_skipped_steps(tmp_path: Path) -> None:
    train(tmp_path, 9.0, 0.5, math.nan, epochs=2, clip_norm=1.0)
    section = learning_curves(read_history(tmp_path), {}, TrainingConfig(clip_norm=1.0))
    reader = check_self_contained(Page("t", sections=[section]).render())
    pictures = " ".join(tag.get("aria-label") or "" for tag in reader.all("div"))
    assert "Clipped to: 1 at first" in pictures and "Largest: 9 at first" in pictures
    assert "Steps, by norm: 50.0% at first" in pictures
    text = " ".join(reader.text)
    assert "2 steps were skipped" in text and "in epoch 1, 2." in text
    assert "skipped steps" in text and "clipped steps, by norm" in text


def test_a_history_without_gradients_has_no_chart_of_the_limit() -> None:
    section = learning_curves([{"train_loss": 1.0}], {}, TrainingConfig(clip_norm=5.0))
    assert "Gradient norm" not in Page("t", sections=[section]).render()


def test_the_epochs_line_says_what_was_clipped_and_skipped(capsys: pytest.CaptureFixture[str]) -> None:
    class Trainer:
        is_global_zero, max_epochs, current_epoch = True, 3, 0
        callback_metrics = {"dev_error": 0.5, "train_loss": 1.0, "dev_loss": 1.0}

    def line(**figures: float) -> str:
        Trainer.callback_metrics = {**Trainer.callback_metrics, **figures}
        TrainingProgress().on_train_epoch_end(Trainer(), None)
        return capsys.readouterr().err

    assert "clipped" not in line() and "skipped" not in line(skipped_steps=0.0)
    assert "  clipped 12% of steps  " in line(clipped_by_norm=0.123)
    assert "clipped 0.5% of values  skipped 2 (gradient not finite)  " in line(
        clipped_by_value=0.005, skipped_steps=2.0
    )
