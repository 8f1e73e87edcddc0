"""Fit a Lightning module: resume, save the best, stop early, keep its history, show its progress."""

import logging
import warnings
from collections.abc import Callable
from pathlib import Path

import lightning.pytorch as pl
import torch
from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint
from lightning.pytorch.loggers import TensorBoardLogger
from torch.utils.data import DataLoader

from sluice_cells.products import fixed_in
from sluice_core.devices import keep_memory, set_threads
from sluice_core.run_directory import HISTORY_FILE, PRODUCTS_FILE
from sluice_core.training.callbacks import (
    MONITOR,
    AtomicCheckpointIO,
    GradientClipping,
    History,
    SaveBest,
    SaveLast,
)
from sluice_core.training.config import TrainingConfig
from sluice_core.training.epoch_progress import TrainingProgress
from sluice_core.training.interrupts import Interrupts
from sluice_core.wording import plural

log = logging.getLogger("sluice")
FEW_STEPS = 300
"""Shorter trainings are remarked on: 55 sentences taught a tagger nothing in 60 steps, and all there was in 220."""


def fit_task(
    task: pl.LightningModule,
    train: DataLoader,
    dev: DataLoader,
    run: Path,
    config: TrainingConfig,
    save: Callable[[], None],
    *,
    look_at: str = "the data",
    quiet: bool = False,
) -> None:
    """Train a task, going on from the run's last checkpoint if there is one.

    Args:
        task: logs `train_loss` each epoch and `dev_error` each validation.
        train: batches; its batch sampler has `set_epoch`.
        dev: batches of the dev split.
        run: the run directory; gets `checkpoints/last.ckpt`, `history.json`, `products.json` and
            TensorBoard's events.
        config: how to train.
        save: writes the model as it stands; called after every epoch if the last is to be kept, else when the dev
            error is the lowest so far (of equal ones, when the dev loss is).
        look_at: what the person is advised to look at when training diverges, as in "the sentences".
        quiet: show no progress.

    Raises:
        CheckpointError: something cannot be written; the last checkpoint is intact.
        TrainingError: too many gradients of one epoch were not finite.
    """
    _silence_lightning()
    set_threads(config.threads)
    keep_memory()
    steps = len(train) * config.max_epochs
    if steps < FEW_STEPS:
        log.info(
            f"only {plural(steps, 'step')} in all, {len(train)} per epoch: with so little training data, "
            "lower training.batch_size or raise training.max_epochs"
        )
    last = run / "checkpoints" / "last.ckpt"
    keepers: list[pl.Callback] = [SaveLast(save)]
    if config.keep == "best":
        keepers = [SaveBest(save), EarlyStopping(MONITOR, patience=config.patience, check_finite=False)]
    history, interrupts = History(run / HISTORY_FILE, config.seed), Interrupts()
    trainer = pl.Trainer(
        max_epochs=config.max_epochs,
        accelerator=config.accelerator,
        devices=config.devices,
        precision=_precision(config),  # type: ignore[arg-type]  # one of Lightning's own names
        callbacks=[
            # before those that show figures
            GradientClipping(config.clip_norm, config.clip_value, look_at),
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
        with fixed_in(run / PRODUCTS_FILE, config.products), interrupts.held_back():
            trainer.fit(task, train, dev, ckpt_path=last if last.exists() else None, weights_only=True)
    except SystemExit as stop:  # Lightning's answer to an interrupt; the command line has better words
        if trainer.interrupted:
            raise KeyboardInterrupt from stop
        raise


def _precision(config: TrainingConfig) -> str:
    if config.precision != "auto":
        return "bf16-mixed" if config.precision == "bf16" else config.precision
    if config.accelerator == "cpu" or not torch.cuda.is_available():
        return "32-true"
    return "bf16-mixed" if torch.cuda.is_bf16_supported() else "16-mixed"


def _silence_lightning() -> None:
    """Silence Lightning's advice and banners, which are for its own users; ours get `TrainingProgress`."""
    for name in ("lightning.pytorch", "lightning.fabric", "lightning.pytorch.utilities.rank_zero"):
        logging.getLogger(name).setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module="lightning.*")
