"""Which epochs are kept, and when training ends."""

from collections.abc import Callable
from pathlib import Path

import lightning.pytorch as pl
import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from training.config import TrainingConfig
from training.fit import fit
from training.learning_curves import best_epoch, read_history

DEV = [(0.5, 3.0), (0.2, 2.0), (0.3, 1.0), (0.2, 2.5), (0.3, 1.0), (0.25, 1.0), (0.4, 4.0), (0.4, 4.0)]
"""Error and loss of dev, epoch by epoch."""


class Task(pl.LightningModule):
    """Learns nothing; dev is as told."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))

    def training_step(self, batch: Tensor, batch_idx: int) -> Tensor:
        loss = (self.weight * batch).sum()
        self.log("train_loss", loss, on_step=False, on_epoch=True, batch_size=1)
        return loss

    def validation_step(self, batch: Tensor, batch_idx: int) -> None:
        error, loss = DEV[self.current_epoch]
        self.log_dict({"dev_loss": loss, "dev_error": error}, batch_size=1)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.1)


def loader() -> DataLoader:
    class Batches(list):
        def set_epoch(self, epoch: int) -> None:
            pass

    return DataLoader(torch.ones(1, 1), batch_sampler=Batches([[0]]))


def kept(run: Path, epochs: int = len(DEV), **settings: str | int) -> tuple[list[int], int]:
    """The epochs whose models were saved, and how many were trained."""
    task, saved = Task(), []
    save: Callable[[], None] = lambda: saved.append(task.current_epoch)  # noqa: E731
    config = TrainingConfig(max_epochs=epochs, accelerator="cpu", **settings)
    fit(task, loader(), loader(), run, config, save, lambda: None, quiet=True)
    history = read_history(run)
    assert saved[-1:] == [best_epoch(history, config)] or epochs < len(DEV)
    return saved, len(history)


@pytest.mark.parametrize(("by", "epochs"), [("error", [0, 1]), ("loss", [0, 1, 2, 5])])
def test_the_best_is_kept_by_error_or_by_loss_and_the_other_decides_between_equals(
    tmp_path: Path, by: str, epochs: list[int]
) -> None:
    assert kept(tmp_path, best_by=by) == (epochs, len(DEV))


def test_training_that_goes_on_knows_what_was_best(tmp_path: Path) -> None:
    assert kept(tmp_path, 4, best_by="loss") == ([0, 1, 2], 4)
    assert kept(tmp_path, best_by="loss") == ([5], len(DEV))


@pytest.mark.parametrize(("by", "trained"), [("error", 4), ("loss", 5)])
def test_patience_counts_from_the_best_of_that_figure(tmp_path: Path, by: str, trained: int) -> None:
    assert kept(tmp_path, best_by=by, patience=2)[1] == trained


def test_an_epochs_line_repeats_the_lowest_of_the_figure_that_chooses(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for by, part in (
        ("error", "dev loss 1.000  dev error 30.0% (best 20.0%)"),
        ("loss", "dev loss 2.500 (best 1.000)"),
    ):
        config = TrainingConfig(max_epochs=4, accelerator="cpu", best_by=by)
        fit(Task(), loader(), loader(), tmp_path / by, config, lambda: None, lambda: None)
        assert part in capsys.readouterr().err
