"""Which epochs are kept, and when training ends."""

import json
from collections.abc import Callable
from pathlib import Path

import lightning.pytorch as pl
import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from sluice_cells import compiler
from sluice_cells.products import Linear, choices
from sluice_cells.products.candidates import BELOW, FORWARD, WEIGHT
from sluice_cells.products.measuring import Measured
from sluice_core.reporting.learning_curves import kept_epoch, read_history
from sluice_core.training.config import TrainingConfig
from sluice_core.training.fit import fit_task

DEV = [(0.5, 3.0), (0.2, 2.0), (0.3, 1.0), (0.2, 2.5), (0.2, 1.0), (0.25, 1.0), (0.4, 4.0), (0.4, 4.0)]
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
    fit_task(task, loader(), loader(), run, config, save, quiet=True)
    history = read_history(run)
    assert saved[-1:] == [kept_epoch(history, config)] or epochs < len(DEV)
    return saved, len(history)


@pytest.mark.parametrize(("keep", "epochs"), [("best", [0, 1, 4]), ("last", list(range(len(DEV))))])
def test_the_kept_epoch_is_kept_or_the_last(tmp_path: Path, keep: str, epochs: list[int]) -> None:
    assert kept(tmp_path, keep=keep) == (epochs, len(DEV))


def test_of_epochs_with_equal_errors_that_of_the_lower_loss_is_kept(tmp_path: Path) -> None:
    assert kept(tmp_path, 4) == ([0, 1], 4)
    assert kept(tmp_path, len(DEV)) == ([4], len(DEV))  # goes on, and knows what was best


@pytest.mark.parametrize(("keep", "trained"), [("best", 4), ("last", len(DEV))])
def test_patience_ends_only_the_search_for_the_best(tmp_path: Path, keep: str, trained: int) -> None:
    assert kept(tmp_path, keep=keep, patience=2)[1] == trained


class Multiplies(Task):
    """Learns a matrix by products that are large enough for a choice of library."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(5)
        self.layer = Linear(64, 64)
        self.rows = torch.randn(1024, 64)

    def training_step(self, batch: Tensor, batch_idx: int) -> Tensor:
        loss = self.layer(self.rows).tanh().square().mean()
        self.log("train_loss", loss, on_step=False, on_epoch=True, batch_size=1)
        return loss


def trained(run: Path, epochs: int, products: str = "auto") -> Tensor:
    task = Multiplies()
    config = TrainingConfig(max_epochs=epochs, accelerator="cpu", threads=1, keep="last", products=products)
    fit_task(task, loader(), loader(), run, config, lambda: None, quiet=True)
    return task.layer.weight.detach()


def test_a_resumed_training_keeps_its_products_and_ends_with_the_same_bits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLUICE_CACHE", str(tmp_path / "cache"))
    for remembered in (compiler.cache_directory, choices._kept):
        remembered.cache_clear()
    taken = {FORWARD: "torch", BELOW: "torch", WEIGHT: "torch-transposed"}
    monkeypatch.setattr(choices, "measure", lambda kind: Measured(taken[kind.product], {}))
    whole = trained(tmp_path / "whole", 4)
    trained(tmp_path / "resumed", 2)
    kept = json.loads((tmp_path / "resumed" / "products.json").read_text())
    assert sorted(entry["taken"] for entry in kept["products"].values()) == sorted(taken.values())
    choices._kept.cache_clear()  # what was kept elsewhere is lost, and would be measured otherwise today
    for table in (tmp_path / "cache").glob("products-*.json"):
        table.unlink()
    monkeypatch.setattr(choices, "measure", pytest.fail)
    assert torch.equal(trained(tmp_path / "resumed", 4), whole)
    choices._kept.cache_clear()
    compiler.cache_directory.cache_clear()


def test_the_setting_of_products_is_kept_in_the_run(tmp_path: Path) -> None:
    trained(tmp_path, 1, "torch")
    kept = json.loads((tmp_path / "products.json").read_text())
    assert (kept["mode"], kept["products"]) == ("torch", {})
