"""Where compiled code is kept for a user: in folders that nobody else can write to, since it is run unseen.

Nothing slow is imported here, for those that need no torch keep their code here, too.
"""

import os
from pathlib import Path


def user_cache() -> Path:
    """Return the folder of what is kept for the user: `SLUICE_CACHE`, else `sluice` in the user's cache."""
    chosen = os.environ.get("SLUICE_CACHE")
    return (
        Path(chosen) if chosen else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "sluice")
    )


def obstacle(folder: Path) -> str | None:
    """Make a folder below `user_cache`, or that itself, and return why nothing can be kept in it; None if it can.

    Other users must be able to write neither to it nor to the folders above it, up to `user_cache`.
    """
    base = user_cache()
    try:
        base.parent.mkdir(parents=True, exist_ok=True)
        for each in (base, *reversed([above for above in folder.parents if base in above.parents]), folder):
            each.mkdir(exist_ok=True, mode=0o700)
            if each == base and not os.environ.get("SLUICE_CACHE"):
                _take_from_group(each)
            if not _only_ours(each):
                whose = "it is" if each == folder else f"{each} is"
                return f"{whose} not this user's alone; remove it, or let SLUICE_CACHE name a folder that is"
    except OSError as error:
        return error.strerror or str(error)
    return None if os.access(folder, os.W_OK) else "it cannot be written to"


def _only_ours(folder: Path) -> bool:
    """Return whether no other user could have put a file into a folder."""
    if not hasattr(os, "getuid"):
        return True
    status = folder.stat()
    return status.st_uid == os.getuid() and not status.st_mode & 0o022


def _take_from_group(folder: Path) -> None:
    """Let no other user write to a folder of ours from now on.

    With the umask 002, which some systems set, a folder that others have made for us is open to our group. What is in
    it are folders, each of which is looked at as well.
    """
    status = folder.stat()
    if hasattr(os, "getuid") and status.st_uid == os.getuid() and status.st_mode & 0o022:
        folder.chmod(status.st_mode & ~0o022)
