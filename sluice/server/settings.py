"""Settings of a server."""

import re
from dataclasses import dataclass

from sluice_core.errors import UserError

MEGABYTE = 1 << 20


@dataclass(frozen=True)
class ServerSettings:
    """Where a server listens, who may use it, and how much it accepts.

    Example:
        >>> ServerSettings(max_upload_mb=2.0).max_upload_bytes
        2097152
    """

    host: str = "127.0.0.1"
    port: int = 8000
    """0 takes any free port."""
    api_key: str | None = None
    """Key that clients must send as `Authorization: Bearer KEY`; None lets everybody in."""
    max_upload_mb: float = 25.0
    """Largest uploaded file, in MiB."""
    max_seconds: float = 600.0
    """Longest recording, in seconds."""
    queue_size: int = 64
    """Requests that are being decoded, are waiting or are being computed; further ones are refused."""
    batch_size: int = 16
    """Requests per batch, at most."""
    workers: int = 1
    """Batches that are computed at the same time; from 2 on, each worker is a process with its own models."""

    def __post_init__(self) -> None:
        """Check the settings.

        Raises:
            UserError: a setting is out of range; names the command line's option.
        """
        for option, value, least in (
            ("--max-upload-mb", self.max_upload_mb, 0.001),
            ("--max-seconds", self.max_seconds, 0.02),
            ("--queue-size", self.queue_size, 1),
            ("--batch-size", self.batch_size, 1),
            ("--workers", self.workers, 1),
        ):
            if not value >= least:  # also true of NaN
                raise UserError(f"{option} must be at least {least}, not {value}")
        if not 0 <= self.port <= 65535:
            raise UserError(f"--port must be between 0 and 65535, not {self.port}")
        if self.api_key is not None and not re.fullmatch(r"[!-~]([ -~]*[!-~])?", self.api_key):
            raise UserError(
                "the API key is sent in a header, so it must consist of printable ASCII characters, and be neither "
                "empty nor surrounded by blanks or line ends"
            )

    @property
    def max_upload_bytes(self) -> int:
        """Return the size of the largest uploaded file in bytes."""
        return int(self.max_upload_mb * MEGABYTE)

    @property
    def is_local(self) -> bool:
        """Return whether only this machine can reach the server."""
        return self.host in ("localhost", "::1") or self.host.startswith("127.")
