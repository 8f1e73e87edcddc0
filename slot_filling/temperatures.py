"""The temperatures of a tagger: what its scores are divided by so that its probabilities are honest."""

import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sluice_core.files import CheckpointError, write_text

FILE = "calibration.json"


@dataclass(frozen=True)
class Temperatures:
    """What scores are divided by; 1 leaves them as they are."""

    slots: float = 1.0
    intents: float = 1.0

    def save(self, directory: Path) -> None:
        """Write the temperatures beside the weights."""
        write_text(directory / FILE, json.dumps(asdict(self), indent=1) + "\n")

    @classmethod
    def load(cls, directory: Path) -> "Temperatures":
        """Read what `save` wrote; without a file all are 1.

        Raises:
            CheckpointError: the file is damaged.
        """
        path = directory / FILE
        if not path.exists():
            return cls()
        try:
            tree: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            found = cls(**{name: float(value) for name, value in tree.items()})
        except (OSError, ValueError, TypeError, AttributeError) as error:
            raise CheckpointError(f"{path}: damaged: {error}") from error
        if not all(0 < each < math.inf for each in (found.slots, found.intents)):
            raise CheckpointError(f"{path}: damaged: temperatures are positive numbers, not {tree}")
        return found
