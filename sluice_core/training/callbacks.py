"""What Lightning calls during training: checkpoints, the model to keep, gradients, history."""

import io
import json
import logging
import math
import pickle
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import torch
from lightning.fabric.plugins import TorchCheckpointIO
from torch.optim import Optimizer

from sluice_core.errors import TrainingError
from sluice_core.files import CheckpointError, write_atomic, write_bytes, write_text
from sluice_core.training.gradient_clipping import ClippingRecord, clip_gradients

log = logging.getLogger("sluice")

MONITOR = "dev_error"
"""The name under which a task logs the figure that chooses the best model, lower being better."""


MOST_SKIPPED = 10
"""This many gradients that are not finite, of one epoch or one after another, end the training."""


class AtomicCheckpointIO(TorchCheckpointIO):
    """Write checkpoints that are whole or not there, and that hold nothing but tensors and plain values."""

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
        """Read without unpickling objects, whatever is asked for.

        Raises:
            CheckpointError: the file is damaged.
        """
        try:
            return torch.load(path, map_location=map_location or "cpu", weights_only=True)
        except (RuntimeError, EOFError, pickle.UnpicklingError) as error:
            raise CheckpointError(
                f"{path}: damaged, so training cannot go on from it; delete it, and training begins anew"
            ) from error


class SaveBest(pl.Callback):
    """Call `save` whenever the dev error is lower than ever before, or as low with a lower dev loss."""

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
    """Call `save` after every epoch."""

    def __init__(self, save: Callable[[], None]) -> None:
        self.save = save

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if trainer.is_global_zero:
            self.save()


class GradientClipping(pl.Callback):
    """Clip the gradient of every step, and log each epoch's figures of it as `ClippingRecord` names them.

    A step whose gradient is not finite is skipped: no weight and nothing the optimizer remembers changes, and
    the learning rate's schedule goes on. `MOST_SKIPPED` of them in one epoch, or one after another where epochs are
    short, end the training. Under mixed precision the hook sees gradients without the loss's scale; where the loss
    has a scale that is searched for (16-mixed), skipped steps are part of the search and are not counted.
    """

    def __init__(self, norm: float | None, value: float | None, look_at: str = "the data") -> None:
        """Set the limits, None for none.

        Args:
            norm: of the whole gradient.
            value: of each value in it.
            look_at: what the person is advised to look at when training diverges.
        """
        self.norm, self.value, self.look_at = norm, value, look_at
        self.record = ClippingRecord(norm is not None, value is not None)
        self._skipped = 0  # in this epoch
        self._skipped_in_a_row = 0
        self._said = False

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.record.steps.clear()
        self._skipped = 0

    def on_before_optimizer_step(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, optimizer: Optimizer
    ) -> None:
        """Clip, or skip the step.

        Raises:
            TrainingError: `MOST_SKIPPED` steps of this epoch, or the last so many, were skipped.
        """
        parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
        clipped = clip_gradients(parameters, norm=self.norm, value=self.value)
        self.record.steps.append(clipped)
        if clipped.finite:
            self._skipped_in_a_row = 0
            return
        optimizer.zero_grad()  # to None, which optimizers pass over
        if getattr(trainer.precision_plugin, "scaler", None) is None:
            self._count_skipped()

    def _count_skipped(self) -> None:
        self._skipped += 1
        self._skipped_in_a_row += 1
        if not self._said:
            self._said = True
            log.warning(
                "a gradient was not finite and its step was skipped; if this goes on, lower training.learning_rate"
            )
        if max(self._skipped, self._skipped_in_a_row) >= MOST_SKIPPED:
            which = "of one epoch" if self._skipped >= MOST_SKIPPED else "one after another"
            raise TrainingError(
                f"{MOST_SKIPPED} gradients {which} were not finite: training has diverged. Lower "
                "training.learning_rate (a third of it), raise training.warmup_steps, and look at "
                f"{self.look_at}."
            )

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        pl_module.log_dict(self.record.figures())


class History(pl.Callback):
    """Keep every logged figure of every epoch in `history.json`, and seed each epoch by its number.

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
