"""Fit a Lightning module: resume, save the best, stop early, keep its history, show its progress."""

import io
import json
import logging
import math
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import torch
from lightning.fabric.plugins import TorchCheckpointIO
from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint
from lightning.pytorch.loggers import TensorBoardLogger
from torch.optim import Optimizer
from torch.utils.data import DataLoader

from sluice_core.devices import keep_memory, set_threads
from sluice_core.files import write_atomic, write_bytes, write_text
from sluice_core.training.config import TrainingConfig
from sluice_core.training.epoch_progress import TrainingProgress
from sluice_core.training.gradient_clipping import ClippingRecord, clip_gradients
from sluice_core.training.interrupts import Interrupts

MONITOR = "dev_error"
"""The name under which a task logs the figure that chooses the best model, lower being better."""


class AtomicCheckpointIO(TorchCheckpointIO):
    """Checkpoints that are whole or not there, and that hold nothing but tensors and plain values."""

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None
    ) -> None:
        """Write beside, then move into place."""
        # Through memory: torch.save tells of a full disk as a RuntimeError without its reason.
        buffer = io.BytesIO()
        torch.save(checkpoint, buffer)
        write_atomic(Path(path), lambda temporary: write_bytes(temporary, buffer.getbuffer()))

    def load_checkpoint(
        self, path: str | Path, map_location: Any = None, weights_only: bool | None = True
    ) -> dict[str, Any]:
        """Read without unpickling objects, whatever is asked."""
        return torch.load(path, map_location=map_location or "cpu", weights_only=True)


class SaveBest(pl.Callback):
    """Calls `save` whenever the dev error is lower than ever before, or as low with a lower dev loss."""

    def __init__(self, save: Callable[[], None]) -> None:
        self.save = save
        self.best = [math.inf, math.inf]
        self.best_epoch = -1

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        figures = [float(trainer.callback_metrics.get(name, 0.0)) for name in (MONITOR, "dev_loss")]
        if figures < self.best:
            self.best, self.best_epoch = figures, trainer.current_epoch
            if trainer.is_global_zero:
                self.save()

    def state_dict(self) -> dict[str, Any]:
        return {"best": self.best, "best_epoch": self.best_epoch}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.best, self.best_epoch = list(state_dict["best"]), state_dict["best_epoch"]


class SaveLast(pl.Callback):
    """Calls `save` after every epoch."""

    def __init__(self, save: Callable[[], None]) -> None:
        self.save = save

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if trainer.is_global_zero:
            self.save()


class GradientClipping(pl.Callback):
    """Clips the gradient of every step and logs each epoch's figures of it, as `ClippingRecord` names them.

    A step whose gradient is not finite is skipped: no weight and nothing the optimizer remembers changes, and
    the learning rate's schedule goes on. Under mixed precision the hook sees gradients without the loss's scale.
    """

    def __init__(self, norm: float | None, value: float | None, not_finite: Callable[[], None]) -> None:
        """Set the limits, None for none.

        Args:
            norm: of the whole gradient.
            value: of each value in it.
            not_finite: called at each skipped step, but not where the loss has a scale (16-mixed): there the
                first steps are skipped until the scale is found, and later ones to find it anew.
        """
        self.norm, self.value, self.not_finite = norm, value, not_finite
        self.record = ClippingRecord(norm is not None, value is not None)

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.record.steps.clear()

    def on_before_optimizer_step(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, optimizer: Optimizer
    ) -> None:
        parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
        clipped = clip_gradients(parameters, norm=self.norm, value=self.value)
        self.record.steps.append(clipped)
        if not clipped.finite:
            optimizer.zero_grad()  # to None, which optimizers pass over
            if getattr(trainer.precision_plugin, "scaler", None) is None:
                self.not_finite()

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        pl_module.log_dict(self.record.figures())


class History(pl.Callback):
    """Keeps every logged figure of every epoch, in `history.json`; seeds each epoch by its number.

    An epoch's dropout depends on the seed and its number alone, so a run that was killed and goes on draws
    what it would have drawn.
    """

    def __init__(self, path: Path, seed: int) -> None:
        self.path, self.seed = path, seed
        self.epochs: list[dict[str, float]] = []
        self._started = 0.0

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        torch.manual_seed(self.seed * 100_003 + trainer.current_epoch * 101 + trainer.global_rank)
        self._started = time.monotonic()

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        figures = {name: round(float(value), 6) for name, value in trainer.callback_metrics.items()}
        seconds = round(time.monotonic() - self._started, 2)
        learning_rate = trainer.optimizers[0].param_groups[0]["lr"]
        self.epochs.append(
            {"epoch": trainer.current_epoch, **figures, "learning_rate": learning_rate, "seconds": seconds}
        )
        if trainer.is_global_zero:
            write_text(self.path, json.dumps(self.epochs, indent=1) + "\n")

    def state_dict(self) -> dict[str, Any]:
        return {"epochs": self.epochs}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.epochs = state_dict["epochs"]


def fit(
    task: pl.LightningModule,
    train: DataLoader,
    dev: DataLoader,
    run: Path,
    config: TrainingConfig,
    save: Callable[[], None],
    not_finite: Callable[[], None],
    *,
    quiet: bool = False,
) -> None:
    """Train a task, going on from the run's last checkpoint if there is one.

    Args:
        task: logs `train_loss` each epoch and `dev_error` each validation.
        train: batches; its batch sampler has `set_epoch`.
        dev: batches of the dev split.
        run: the run directory; gets `checkpoints/last.ckpt`, `history.json` and TensorBoard's events.
        config: how to train.
        save: writes the model as it stands; called after every epoch if the last is to be kept, else when the dev
            error is the lowest so far (of equal ones, when the dev loss is).
        not_finite: called when a step is skipped since its gradient is not finite; see `GradientClipping`.
        quiet: show no progress.

    Raises:
        CheckpointError: something cannot be written; the last checkpoint is intact.
    """
    _silence_lightning()
    set_threads(config.threads)
    keep_memory()
    last = run / "checkpoints" / "last.ckpt"
    keepers: list[pl.Callback] = [SaveLast(save)]
    if config.keep == "best":
        keepers = [SaveBest(save), EarlyStopping(MONITOR, patience=config.patience, check_finite=False)]
    history, interrupts = History(run / "history.json", config.seed), Interrupts()
    trainer = pl.Trainer(
        max_epochs=config.max_epochs,
        accelerator=config.accelerator,
        devices=config.devices,
        precision=_precision(config),  # type: ignore[arg-type]  # one of Lightning's own names
        callbacks=[
            GradientClipping(
                config.clip_norm, config.clip_value, not_finite
            ),  # before those that show figures
            history,
            *keepers,
            TrainingProgress(quiet),
            interrupts,
            # One file, written anew every epoch: Lightning's own `save_last` waits for another one to be saved.
            ModelCheckpoint(
                last.parent,
                filename=last.stem,
                monitor=None,
                save_top_k=1,
                save_on_train_epoch_end=True,
                enable_version_counter=False,
            ),
        ],
        plugins=[AtomicCheckpointIO()],
        logger=TensorBoardLogger(run, name="tensorboard", version=0),
        use_distributed_sampler=False,
        num_sanity_val_steps=0,
        enable_progress_bar=False,
        enable_model_summary=False,
        log_every_n_steps=10,
    )
    task.train()  # Lightning keeps a module's mode, and one that was loaded for use has its dropout off
    try:
        with interrupts.held_back():
            trainer.fit(task, train, dev, ckpt_path=last if last.exists() else None, weights_only=True)
    except SystemExit as stop:  # Lightning's answer to an interrupt; the command line has better words
        if trainer.interrupted:
            raise KeyboardInterrupt from stop
        raise


def _precision(config: TrainingConfig) -> str:
    if config.precision != "auto":
        return config.precision
    if config.accelerator == "cpu" or not torch.cuda.is_available():
        return "32-true"
    return "bf16-mixed" if torch.cuda.is_bf16_supported() else "16-mixed"


def _silence_lightning() -> None:
    """Lightning's advice and banners are for its own users; ours get TrainingProgress."""
    for name in ("lightning.pytorch", "lightning.fabric", "lightning.pytorch.utilities.rank_zero"):
        logging.getLogger(name).setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module="lightning.*")
