"""A run: one training in one directory, and what the directory says of it."""

import json
import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from torch import nn

from sluice_core.config import ConfigError, Settings
from sluice_core.devices import describe_machine

log = logging.getLogger("sluice")

METRICS_FILE = "metrics.json"
"""What a run writes last: where it is, the run is finished."""

Experiment = TypeVar("Experiment")


def carry_out(
    run: Path,
    prepare: Callable[[], Experiment],
    fit: Callable[[Experiment], None],
    finish: Callable[[Experiment, float], dict[str, Any]],
) -> dict[str, Any]:
    """Train a run, or go on with it where it was; one that is finished is left as it is.

    Args:
        run: its directory.
        prepare: reads corpus and settings, and opens the directory.
        fit: trains.
        finish: measures what has been trained and writes the metrics; given the minutes that preparing and training
            took, in all attempts.

    Returns:
        The metrics.
    """
    started = time.monotonic()
    experiment = prepare()
    metrics = run / METRICS_FILE
    if metrics.exists():
        log.warning(f"{run} is finished already; for another training give another --name, or delete it")
        return json.loads(metrics.read_text(encoding="utf-8"))
    earlier = minutes_before(run)
    fit(experiment)
    return finish(experiment, earlier + (time.monotonic() - started) / 60)


def facts_of(model: nn.Module, seed: int, minutes: float) -> dict[str, Any]:
    """What metrics say of every training, whatever it trained."""
    return {
        "seed": seed,
        "minutes": round(minutes, 2),
        "machine": describe_machine(),
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
    }


def check_same(run: Path, config: Settings) -> None:
    """Refuse to go on with a run directory that other settings made.

    Raises:
        ConfigError: names each setting that differs.
    """
    file = run / "config.yaml"
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


def minutes_before(run: Path) -> float:
    """Minutes that earlier, killed attempts spent on the epochs that are done."""
    history = run / "history.json"
    if not history.exists():
        return 0.0
    return sum(epoch["seconds"] for epoch in json.loads(history.read_text(encoding="utf-8"))) / 60
