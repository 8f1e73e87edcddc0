"""The error of a download, for every module of this package."""

from sluice_core.errors import UserError


class DownloadError(UserError):
    """A corpus cannot be fetched, is not what it should be, or cannot be unpacked."""
