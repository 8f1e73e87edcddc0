"""Fetch one file over HTTP: broken off, it goes on where it was; it appears under its name once it is whole."""

import http.client
import logging
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from urllib.error import HTTPError, URLError

from sluice.downloads.errors import DownloadError
from sluice_core.progress import track

log = logging.getLogger(__name__)

CHUNK = 1 << 20
TIMEOUT_SECONDS = 60.0
"""How long a server may be silent."""
PAUSES_SECONDS = (1.0, 4.0, 15.0)
"""How long to wait before each further attempt; an attempt that got something begins the count anew."""
TRANSIENT = (408, 425, 429, 500, 502, 503, 504)
"""Statuses after which a server may do better soon."""


class _BrokenOff(Exception):
    """The connection ended early; another attempt may go on."""


def fetch(url: str, target: Path, *, trusted: bool, quiet: bool = False) -> None:
    """Download a file to `target`; what an earlier call left of it is kept and continued.

    Args:
        url: the address, http or https.
        target: where the whole file goes; until then it is `target` with `.part` appended.
        trusted: the whole file's checksum will be compared with a known one, so that a part may be continued even
            where the server does not say whether its file has changed since.
        quiet: no progress.

    Raises:
        DownloadError: the server does not have it or cannot be reached, or it cannot be written.
    """
    if target.exists():
        return
    part = target.with_name(target.name + ".part")
    pauses = iter(PAUSES_SECONDS)
    while True:
        before = _size(part)
        try:
            _attempt(url, part, trusted, quiet)
            break
        except _BrokenOff as error:
            if _size(part) > before:
                pauses = iter(PAUSES_SECONDS)
            pause = next(pauses, None)
            if pause is None:
                raise DownloadError(
                    f"{url}: the connection broke off after {_size(part)} bytes ({error}); "
                    "repeat the command, and it goes on from there"
                ) from error
            log.warning("%s: the connection broke off (%s); going on in %g seconds", url, error, pause)
            time.sleep(pause)
    try:
        part.replace(target)
        _validator_file(part).unlink(missing_ok=True)
    except OSError as error:
        raise _cannot_write(part, error) from error


def _attempt(url: str, part: Path, trusted: bool, quiet: bool) -> None:
    """Ask for what is missing of a file and append it, or write all of it if the server gives only the whole."""
    have, validator = _size(part), _read_validator(part)
    if validator is None and not trusted:
        have = 0  # nothing would tell that the rest belongs to another version
    headers = {"User-Agent": "sluice-speech", "Accept-Encoding": "identity"}
    if have:
        headers["Range"] = f"bytes={have}-"
        if validator:
            headers["If-Range"] = validator
    try:
        response = urllib.request.urlopen(
            urllib.request.Request(url, headers=headers), timeout=TIMEOUT_SECONDS
        )
    except HTTPError as error:
        if error.code == 416 and have:
            if error.headers.get("Content-Range", "").endswith(f"/{have}"):
                return  # it was whole already
            part.unlink(missing_ok=True)
            raise _BrokenOff("what is here is longer than the server's file; starting again") from error
        if error.code in TRANSIENT:
            raise _BrokenOff(f"status {error.code}") from error
        raise DownloadError(f"{url}: the server answers {error.code} {error.reason}") from error
    except TimeoutError as error:
        raise _BrokenOff("the server does not answer") from error
    except (URLError, OSError) as error:
        reason = getattr(error, "reason", error)
        raise DownloadError(f"{url}: cannot be reached: {reason}") from error
    except http.client.HTTPException as error:
        raise _BrokenOff(repr(error)) from error
    with response:
        _receive(response, part, have, quiet)


def _receive(response: http.client.HTTPResponse, part: Path, have: int, quiet: bool) -> None:
    """Write what the server sends behind what is there, or, if it sends the whole file, in its place."""
    if response.status == 206 and response.headers.get("Content-Range", "").startswith(f"bytes {have}-"):
        mode = "ab"
    else:
        mode, have = "wb", 0
    length = response.headers.get("Content-Length")
    total = have + int(length) if length else None
    try:
        _write_validator(part, response)
        with part.open(mode) as file:
            if mode == "ab":
                file.truncate(have)
            chunks = track(
                _chunks(response),
                f"{part.name.removesuffix('.part')}, MiB",
                total=(total - have) // CHUNK + 1 if total is not None else None,
                quiet=quiet,
            )
            for chunk in chunks:
                file.write(chunk)
    except OSError as error:
        raise _cannot_write(part, error) from error
    if total is not None and _size(part) < total:
        raise _BrokenOff(f"{total - _size(part)} bytes are missing")


def _chunks(response: http.client.HTTPResponse) -> Iterator[bytes]:
    while True:
        try:
            chunk = response.read(CHUNK)
        except (OSError, http.client.HTTPException) as error:
            raise _BrokenOff(str(error) or repr(error)) from error
        if not chunk:
            return
        yield chunk


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _validator_file(part: Path) -> Path:
    return part.with_name(part.name + ".version")


def _read_validator(part: Path) -> str | None:
    """Return what the server called the version that a part belongs to."""
    try:
        return _validator_file(part).read_text(encoding="utf-8") or None
    except (OSError, UnicodeDecodeError):
        return None


def _write_validator(part: Path, response: http.client.HTTPResponse) -> None:
    """Keep the strong ETag, or else the date of the last change, for `If-Range`."""
    tag = response.headers.get("ETag", "")
    validator = tag if tag and not tag.startswith("W/") else response.headers.get("Last-Modified", "")
    _validator_file(part).write_text(validator, encoding="utf-8")


def _cannot_write(path: Path, error: OSError) -> DownloadError:
    return DownloadError(
        f"{path}: cannot be written: {error.strerror or error}; free some space or choose another folder with --to, "
        "then repeat the command"
    )
