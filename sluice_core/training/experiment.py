"""What every experiment does around its own preparing, fitting and finishing."""

import json
import logging
import os
import time
from pathlib import Path
from typing import Any

import torch
from torch import nn

from sluice_cells import make_cell
from sluice_cells.engines import choose_engine
from sluice_core.config import ConfigError
from sluice_core.devices import DeviceError, describe_machine, find_device, multiplies_bfloat16
from sluice_core.files import CheckpointError, write_text
from sluice_core.run_directory import CONFIG_FILE, HISTORY_FILE, METRICS_FILE, RunSettings
from sluice_core.stack_config import StackConfig
from sluice_core.training.config import TrainingConfig

log = logging.getLogger("sluice")


class Clock:
    """The minutes that a run takes, in all its attempts.

    Of attempts that were killed the epochs that are done count, by the run's `history.json`.
    """

    def __init__(self, run: Path) -> None:
        """Start the clock.

        Raises:
            CheckpointError: `history.json` is damaged.
        """
        self._started = time.monotonic()
        history = run / HISTORY_FILE
        try:
            epochs = json.loads(history.read_text(encoding="utf-8")) if history.exists() else []
            self._before = sum(float(epoch["seconds"]) for epoch in epochs)
        except (ValueError, TypeError, KeyError) as error:
            raise CheckpointError(
                f"{history}: damaged: {error}; delete it, and training goes on from its last checkpoint"
            ) from error

    def minutes(self) -> float:
        """Return the minutes so far."""
        return (self._before + time.monotonic() - self._started) / 60


def finished_metrics(run: Path) -> dict[str, Any] | None:
    """Return the metrics of a run that is finished already, and say so in the log; None for one that is not.

    Raises:
        CheckpointError: `metrics.json` is damaged.
    """
    file = run / METRICS_FILE
    if not file.exists():
        return None
    try:
        metrics = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise CheckpointError(
            f"{file}: damaged: {error}; delete it, and the run is evaluated anew"
        ) from error
    if not isinstance(metrics, dict) or "minutes" not in metrics:
        raise CheckpointError(
            f"{file}: damaged: not a run's metrics; delete it, and the run is evaluated anew"
        )
    log.warning(f"{run} is finished already; for another training give another --name, or delete it")
    return metrics


def write_metrics(run: Path, metrics: dict[str, Any]) -> None:
    """Write the metrics of a run, which make it a finished one.

    Raises:
        CheckpointError: they cannot be written.
    """
    write_text(run / METRICS_FILE, json.dumps(metrics, indent=1) + "\n")


def training_facts(model: nn.Module, seed: int, minutes: float) -> dict[str, Any]:
    """Return what the metrics of every run say of its training."""
    return {
        "seed": seed,
        "minutes": round(minutes, 2),
        "machine": describe_machine(),
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
    }


def check_same_settings(run: Path, config: RunSettings) -> None:
    """Refuse to go on with a run directory that other settings made.

    Raises:
        ConfigError: names each setting that differs.
    """
    file = run / CONFIG_FILE
    if not file.exists():
        return
    changed = _differences(type(config).read(file).model_dump(mode="json"), config.model_dump(mode="json"))
    if changed:
        raise ConfigError(
            f"{run} was made with other settings:\n  "
            + "\n  ".join(changed)
            + "\nGive this training another --name, or delete that directory."
        )


def _differences(there: dict[str, Any], here: dict[str, Any], prefix: str = "") -> list[str]:
    lines: list[str] = []
    for name in sorted(there.keys() | here.keys()):
        old, new = there.get(name), here.get(name)
        if isinstance(old, dict) and isinstance(new, dict):
            lines += _differences(old, new, f"{prefix}{name}.")
        elif old != new:
            lines.append(f"{prefix}{name}: {old} there, {new} here")
    return lines


def check_engine(stack: StackConfig, accelerator: str, setting: str) -> None:
    """Refuse settings that ask for an engine that cannot run the cell here, before anything long begins.

    Args:
        stack: the settings of the layers.
        accelerator: what training runs on, as in `training.accelerator`.
        setting: the name of the engine's setting, for the message.

    Raises:
        ConfigError: the message says why it cannot.
    """
    if stack.engine == "auto":
        return
    device = "cuda" if accelerator not in ("cpu", "mps") and torch.cuda.is_available() else "cpu"
    cell = make_cell(stack.cell, 1, stack.hidden_size, **stack.cell_options)
    try:
        choose_engine(stack.engine, cell, torch.empty(1, 1, device=device))
    except ValueError as error:
        raise ConfigError(f"{setting}: {error}; {setting}=auto takes one that can") from error


def check_devices(config: TrainingConfig) -> None:
    """Refuse settings that ask for devices, or of them what they cannot, before a run directory takes them.

    Raises:
        ConfigError: the message says which are missing, or what they cannot.
    """
    name = (
        "cuda"
        if config.accelerator == "gpu" and not torch.backends.mps.is_available()
        else config.accelerator
    )
    if name not in ("auto", "gpu"):  # words of Lightning that torch does not know
        try:
            find_device(name)
        except DeviceError as error:
            raise ConfigError(f"training.accelerator: {error}") from error
    if name in ("auto", "cuda") and 0 < torch.cuda.device_count() < config.devices:
        raise ConfigError(
            f"training.devices: {config.devices} GPUs are asked for, and this machine has {torch.cuda.device_count()}"
        )
    _check_precision(config)


def _check_precision(config: TrainingConfig) -> None:
    """Refuse bfloat16 where the processor would have to imitate it, which takes several times as long as float32.

    Raises:
        ConfigError: the message says so.
    """
    on_cpu = config.accelerator == "cpu" or not torch.cuda.is_available()
    if config.precision != "bf16" or not on_cpu:
        return
    able = multiplies_bfloat16()
    if able is None:
        log.warning("training.precision=bf16: it is not known whether this processor multiplies bfloat16")
    elif not able:
        raise ConfigError(
            "training.precision: this processor does not multiply bfloat16 (/proc/cpuinfo has neither avx512_bf16 nor "
            "amx_bf16), and would take longer than with float32; training.precision=auto takes that"
        )


def process_rank(devices: int) -> tuple[int, int]:
    """Return which process of a training on several devices this is, and how many there are.

    torchrun says so in the environment, and so does Lightning to the processes that it starts.

    Args:
        devices: how many the settings ask for.
    """
    rank = os.environ.get("RANK", os.environ.get("LOCAL_RANK", "0"))
    return int(rank), int(os.environ.get("WORLD_SIZE", devices))
