"""Unpack archives, and never outside their folder."""

import lzma
import tarfile
import zipfile
import zlib
from pathlib import Path

from sluice.downloads.errors import DownloadError


def unpack(archive: Path, folder: Path) -> None:
    """Unpack a zip or tar archive, compressed or not, into a folder.

    Raises:
        DownloadError: it is no archive, is damaged, holds a path that leads outside, or cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if zipfile.is_zipfile(archive):
            _unzip(archive, folder)
        else:
            _untar(archive, folder)
    except (tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError) as error:
        raise DownloadError(f"{archive}: cannot be unpacked: {error}") from error
    except OSError as error:
        raise DownloadError(
            f"{archive}: cannot be unpacked into {folder}: {error.strerror or error}"
        ) from error


def _unzip(archive: Path, folder: Path) -> None:
    root = folder.resolve()
    with zipfile.ZipFile(archive) as opened:
        for name in opened.namelist():
            if not (root / name).resolve().is_relative_to(root):
                raise DownloadError(
                    f"{archive}: holds {name!r}, which leads outside the folder; nothing was unpacked"
                )
        opened.extractall(folder)


def _untar(archive: Path, folder: Path) -> None:
    if not hasattr(tarfile, "data_filter"):
        raise DownloadError(
            "unpacking a tar archive safely needs Python 3.11.4 or newer: install a newer Python"
        )
    with tarfile.open(archive) as opened:
        opened.extractall(folder, filter="data")
