"""Download a corpus of the table: fetch its files, verify them, unpack them, and move them into place at the end."""

import hashlib
import logging
import shutil
from dataclasses import replace
from pathlib import Path

from sluice.downloads.errors import DownloadError
from sluice.downloads.fetch import fetch
from sluice.downloads.table import Corpus, RemoteFile
from sluice.downloads.unpack import unpack
from sluice_core.files import write_text

log = logging.getLogger(__name__)


def download(
    corpus: Corpus, folder: Path, *, sha256: str | None = None, quiet: bool = False
) -> dict[str, str]:
    """Fetch, verify and unpack a corpus; `folder` appears once everything is there.

    What is fetched lies in `folder` with `.download` appended until then, and a repeated call goes on with it. The
    checksums are kept in `folder` with `.sha256` appended, and later downloads are compared with them.

    Args:
        corpus: an entry of the table.
        folder: where its files go; must not exist.
        sha256: the checksum of the corpus's only file, instead of the table's checksum and size.
        quiet: no progress.

    Returns:
        The SHA-256 of each file, by its name.

    Raises:
        DownloadError: the folder is there already, a file cannot be fetched or is not the one that it should be.
    """
    if folder.exists():
        raise DownloadError(f"{folder}: is there already; remove it, or choose another folder with --to")
    if sha256 is not None and len(corpus.files) > 1:
        raise DownloadError(f"--sha256 is for corpora of one file; this one has {len(corpus.files)}")
    # Whoever gives a checksum wants another version of the file, the size of which the table cannot know.
    files = [replace(file, sha256=sha256.lower(), size=None) if sha256 else file for file in corpus.files]
    staging = folder.with_name(folder.name + ".download")
    record = folder.with_name(folder.name + ".sha256")
    try:
        (staging / "files").mkdir(parents=True, exist_ok=True)
        _check_space(corpus, staging)
    except OSError as error:
        raise DownloadError(f"{staging}: cannot be made: {error.strerror or error}") from error
    recorded = _read_record(record)
    found: dict[str, str] = {}
    paths: dict[str, Path] = {}
    for file in files:
        path = paths[file.name] = staging / "files" / file.name.replace("/", "_")
        expected = file.sha256 or recorded.get(file.name)
        fetch(file.url, path, trusted=expected is not None, quiet=quiet)
        found[file.name] = _verify(file, path, expected, record)
    unpacked = _unpack_all(files, paths, staging / "unpacked")
    try:
        unpacked.rename(folder)
        write_text(record, "".join(f"{digest}  {name}\n" for name, digest in found.items()))
        shutil.rmtree(staging)
    except OSError as error:
        raise DownloadError(f"{folder}: cannot be made: {error.strerror or error}") from error
    return found


def _check_space(corpus: Corpus, staging: Path) -> None:
    """Raise an error if the disk cannot hold what is still to be fetched, and the files unpacked beside it."""
    if corpus.size is None:
        return
    have = sum(path.stat().st_size for path in (staging / "files").iterdir())
    needed, free = 2 * corpus.size - have, shutil.disk_usage(staging).free
    if needed > free:
        raise DownloadError(
            f"{staging}: {describe_size(needed)} are needed to fetch and unpack it, and {describe_size(free)} are "
            "free there; choose another folder with --to"
        )


def _verify(file: RemoteFile, path: Path, expected: str | None, record: Path) -> str:
    """Return the SHA-256 of a file; one that is not as expected is removed."""
    size = path.stat().st_size
    if file.size is not None and size != file.size:
        path.unlink()
        raise DownloadError(
            f"{file.url}: has {size} bytes, and {file.size} were expected; it was removed. Repeat the command, or give "
            "the checksum of the file you want with --sha256"
        )
    log.info("verifying %s", path)
    with path.open("rb") as opened:
        found = hashlib.file_digest(opened, "sha256").hexdigest()
    if expected is None:
        log.warning(
            "%s: no checksum of it is known, so it cannot be verified; its SHA-256 is %s", file.url, found
        )
    elif found != expected:
        path.unlink()
        source = (
            ""
            if file.sha256
            else f" by {record}, of an earlier download (remove that file if the corpus is new)"
        )
        raise DownloadError(
            f"{file.url}: its SHA-256 is {found}, and {expected} was expected{source}; it was removed. Repeat the "
            "command, or give the checksum of the file you want with --sha256"
        )
    return found


def _unpack_all(files: list[RemoteFile], paths: dict[str, Path], folder: Path) -> Path:
    """Unpack archives and copy other files into a folder; returns the one folder in it if there is nothing else."""
    shutil.rmtree(folder, ignore_errors=True)
    for file in files:
        if file.path is None:
            unpack(paths[file.name], folder)
            continue
        try:
            (folder / file.path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(paths[file.name], folder / file.path)
        except OSError as error:
            raise DownloadError(
                f"{folder / file.path}: cannot be written: {error.strerror or error}"
            ) from error
    inside = list(folder.iterdir())
    return inside[0] if len(inside) == 1 and inside[0].is_dir() else folder


def _read_record(path: Path) -> dict[str, str]:
    """Read checksums by file name, as `sha256sum` writes them; none where there is no such file."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise DownloadError(f"{path}: cannot be read: {error}; remove it") from error
    return {name: digest for digest, _, name in (line.partition("  ") for line in lines)}


def describe_size(size: int) -> str:
    """Return a number of bytes for people.

    >>> describe_size(16419872), describe_size(2748572632)
    ('16 MB', '2.7 GB')
    """
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.0f} MB"
