"""Write files atomically: a file is whole or not there, since it is written beside its place and then moved into it."""

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from sluice_core.errors import UserError


class CheckpointError(UserError):
    """A file of a run cannot be written, or what was read is not what a run holds."""


def write_atomic(path: Path, write: Callable[[Path], None]) -> None:
    """Let `write` fill a temporary file, then move it to `path`, so that nobody reads half a file.

    Raises:
        CheckpointError: the folder is not writable or the disk is full; what stood at `path` is untouched.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write(temporary)
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        raise CheckpointError(
            f"{path}: cannot write: {error.strerror or error}. Free some space or choose a folder that you may "
            "write to, then repeat the command; a training goes on from the last checkpoint, which is intact."
        ) from error
    finally:
        _remove(temporary)


def _remove(temporary: Path) -> None:
    with suppress(OSError):  # the folder may be gone or read-only; that error is already on its way
        temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a text file atomically, in UTF-8."""
    write_atomic(path, lambda temporary: write_bytes(temporary, text.encode("utf-8")))


def write_bytes(path: Path, data: bytes | memoryview) -> None:
    """Write a whole file; for use with `write_atomic`."""
    path.write_bytes(data)
