"""What a run directory says of the training that made it."""

import json
from pathlib import Path
from typing import Any

from training.config import ConfigError, Settings


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
