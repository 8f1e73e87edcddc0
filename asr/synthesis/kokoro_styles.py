"""Fetch the 54 published styles of Kokoro, most of them English, where its synthesizer finds them.

They lie in the source of the package `kokoro` (Apache-2.0), of which nothing else is taken.
"""

import hashlib
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from asr.synthesis.speech import EngineError
from sluice_cells.user_cache import obstacle, user_cache

PACKAGE = "kokoro==0.9.4"
SHA256 = "fbf633262797f8cf46fdac3315cf9cade67dc8b762c0feccf334892772fb9ac4"
FETCHED = 54
SUFFIX = ".bin"


def styles_folder() -> Path:
    """Return where fetched styles lie."""
    return user_cache() / "kokoro-styles"


def fetched_styles() -> list[Path]:
    """Return the files of the styles that have been fetched."""
    return sorted(styles_folder().glob(f"*{SUFFIX}"))


def fetch_styles() -> int:
    """Fetch the styles of Kokoro's own package by pip, unless they are there, and return how many there are.

    Raises:
        EngineError: pip fails, the package is not what it was, or the folder cannot be written.
    """
    folder = styles_folder()
    if len(fetched_styles()) == FETCHED:
        return FETCHED
    if reason := obstacle(folder):
        raise EngineError(f"{folder}: {reason}")
    with tempfile.TemporaryDirectory() as temporary:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", "kokoro"]
        done = subprocess.run([*command, "--dest", temporary, PACKAGE], capture_output=True, text=True)
        archives = list(Path(temporary).glob("*.tar.gz"))
        if done.returncode or len(archives) != 1:
            said = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
            raise EngineError(f"pip cannot fetch the source of {PACKAGE}: {said[-1]}")
        if hashlib.sha256(archives[0].read_bytes()).hexdigest() != SHA256:
            raise EngineError(f"the source of {PACKAGE} has another checksum than it had; nothing was taken")
        return _take_out(archives[0], folder)


def _take_out(archive: Path, folder: Path) -> int:
    """Copy the styles of an archive to a folder by their names alone; each file appears whole or not at all."""
    count = 0
    with tarfile.open(archive) as members:
        for member in members:
            name = Path(member.name).name
            source = (
                members.extractfile(member) if "voices/" in member.name and name.endswith(SUFFIX) else None
            )
            if source is None:
                continue
            unfinished = folder / f".{name}"
            unfinished.write_bytes(source.read())
            unfinished.replace(folder / name)
            count += 1
    return count
