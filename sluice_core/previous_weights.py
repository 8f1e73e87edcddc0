"""Weights that a run had before it was adapted: kept beside those of now, and put back."""

import filecmp
import re
from functools import partial
from pathlib import Path

from sluice_core.errors import UserError
from sluice_core.files import CheckpointError, write_atomic, write_bytes
from sluice_core.run_directory import WEIGHTS_FILE

PREVIOUS = re.compile(r"model\.previous-(\d+)\.safetensors")


def keep_previous_weights(run: Path) -> None:
    """Keep a copy of a run's weights, before they are replaced, under the next number.

    Raises:
        CheckpointError: the weights cannot be read, or the copy cannot be written.
    """
    kept = previous_weights(run)
    number = 1 + (int(PREVIOUS.fullmatch(kept[-1].name)[1]) if kept else 0)  # type: ignore[index]
    try:
        data = (run / WEIGHTS_FILE).read_bytes()
    except OSError as error:
        raise CheckpointError(f"{run / WEIGHTS_FILE}: cannot read: {error.strerror or error}") from error
    write_atomic(run / f"model.previous-{number}.safetensors", partial(write_bytes, data=data))


def previous_weights(run: Path) -> list[Path]:
    """Return the copies that a run directory has, the oldest first.

    A copy of the weights as they are now is removed: what was to replace them has been killed.

    Raises:
        CheckpointError: there is no such run directory.
    """
    if not (run / WEIGHTS_FILE).is_file():
        raise CheckpointError(f"{run}: no weights there. Is it a run directory?")
    copies = [path for path in run.iterdir() if PREVIOUS.fullmatch(path.name)]
    copies.sort(key=lambda path: int(PREVIOUS.fullmatch(path.name)[1]))  # type: ignore[index]
    while copies and filecmp.cmp(copies[-1], run / WEIGHTS_FILE, shallow=False):
        copies.pop().unlink()
    return copies


def restore_previous_weights(run: Path) -> int:
    """Put the weights back that a run had before it was last adapted, to the byte; return how many are still kept.

    Raises:
        CheckpointError: there is no such run directory.
        UserError: it has never been adapted, or all of that is undone.
    """
    copies = previous_weights(run)
    if not copies:
        raise UserError(f"{run}: nothing to undo; it keeps no weights of before an adaptation")
    copies.pop().replace(run / WEIGHTS_FILE)
    return len(copies)
