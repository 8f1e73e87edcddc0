"""What a server is told when it starts."""

import re
from dataclasses import dataclass

from sluice_core.errors import UserError

MEGABYTE = 1 << 20


@dataclass(frozen=True)
class ServerSettings:
    """Where a server listens, whom it answers, and how much it takes."""

    host: str = "127.0.0.1"
    port: int = 8000
    """0 takes any that is free."""
    api_key: str | None = None
    """What clients send as `Authorization: Bearer KEY`; without it everybody is answered."""
    max_upload_mb: float = 25.0
    """Of a request's body, in MiB."""
    max_seconds: float = 600.0
    """Of one recording."""
    queue: int = 64
    """Requests that are decoded, wait, or are being answered; more are turned away."""
    batch: int = 16
    """Requests that are answered together."""
    workers: int = 1
    """Batches that are answered at the same time: from 2 on, each in a process of its own."""

    def __post_init__(self) -> None:
        """Refuse what cannot be.

        Raises:
            UserError: names the option.
        """
        for option, value, least in (
            ("--max-upload-mb", self.max_upload_mb, 0.001),
            ("--max-seconds", self.max_seconds, 0.02),
            ("--queue", self.queue, 1),
            ("--batch", self.batch, 1),
            ("--workers", self.workers, 1),
        ):
            if not value >= least:  # NaN too
                raise UserError(f"{option} must be at least {least}, not {value}")
        if not 0 <= self.port <= 65535:
            raise UserError(f"--port must be between 0 and 65535, not {self.port}")
        if self.api_key is not None and not re.fullmatch(r"[!-~]([ -~]*[!-~])?", self.api_key):
            raise UserError(
                "the API key travels in a header: it must be of printable ASCII characters, not empty, without blanks "
                "or line ends around it"
            )

    @property
    def max_upload_bytes(self) -> int:
        """Most bytes of a body."""
        return int(self.max_upload_mb * MEGABYTE)

    @property
    def is_local(self) -> bool:
        """Whether only this machine can reach it."""
        return self.host in ("localhost", "::1") or self.host.startswith("127.")
