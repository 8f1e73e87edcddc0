"""Show the progress of a training: a bar on a terminal, plain lines in a log, nothing if quiet."""

import sys
import time
from collections.abc import Mapping
from typing import Any

import lightning.pytorch as pl
from tqdm import tqdm


class TrainingProgress(pl.Callback):
    """Show one bar over all batches of all epochs with the time left, and print a line for each epoch."""

    def __init__(self, quiet: bool = False) -> None:
        self.quiet = quiet
        self._bar: tqdm | None = None
        self._epoch_started = 0.0
        self._best = float("inf")

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if not self.quiet and trainer.is_global_zero and sys.stderr.isatty():
            total = int(trainer.num_training_batches) * (trainer.max_epochs or 1)
            self._bar = tqdm(total=total, initial=trainer.global_step, unit="batch", dynamic_ncols=True)

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._epoch_started = time.monotonic()

    def on_train_batch_end(self, trainer: pl.Trainer, *_: Any) -> None:
        if self._bar:
            self._bar.update()

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if self.quiet or not trainer.is_global_zero:
            return
        figures = trainer.callback_metrics
        seconds = time.monotonic() - self._epoch_started
        left = ((trainer.max_epochs or 1) - trainer.current_epoch - 1) * seconds / 60
        self._best = min(self._best, float(figures["dev_error"]))
        tqdm.write(
            f"epoch {trainer.current_epoch + 1}/{trainer.max_epochs}"
            f"  loss {float(figures['train_loss']):.3f}  dev loss {float(figures['dev_loss']):.3f}"
            f"  dev error {float(figures['dev_error']):.1%} (best {self._best:.1%})"
            f"{_gradients(figures)}  {seconds:.1f} s, at most {left:.1f} min left",
            file=sys.stderr,
        )

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if self._bar:
            self._bar.close()

    def state_dict(self) -> dict[str, Any]:
        return {"best": self._best}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self._best = state_dict["best"]


def _gradients(figures: Mapping[str, Any]) -> str:
    """Return which shares of an epoch's gradients were clipped or skipped, for its line."""
    parts = []
    if figures.get("clipped_by_norm") is not None:
        parts.append(f"clipped {float(figures['clipped_by_norm']):.0%} of steps")
    if figures.get("clipped_by_value") is not None:
        parts.append(f"clipped {float(figures['clipped_by_value']):.1%} of values")
    if figures.get("skipped_steps"):
        parts.append(f"skipped {int(figures['skipped_steps'])} (gradient not finite)")
    return "".join(f"  {part}" for part in parts)
