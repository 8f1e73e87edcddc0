"""Compile functions with numba when they are first called, and keep the result on disk for the next process.

numba notices that a module has changed, but not that what the module calls in another file has: it would go on
running the old code, or fail for names that are no more. So the results are kept in a folder whose name is a hash of
the sources of all compiled functions of the package and of this one: `sluice/numba` in the user's cache, or below
`SLUICE_CACHE`. Since numba unpickles what it finds there, a folder that other users can write to is not used. Where
`NUMBA_CACHE_DIR` is set, it is used as it is.
"""

import functools
import hashlib
import logging
import os
import re
import shutil
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import numba

from sluice_cells.user_cache import obstacle, user_cache

log = logging.getLogger(__name__)

KEPT_DAYS = 60
"""Code compiled of sources that are no more is removed if no process has used it for this long."""

Function = TypeVar("Function", bound=Callable[..., Any])

_compile: Any = numba.njit  # whose type hints lack some of the options below
_numba: Any = numba.config  # it makes its attributes itself


def compiled(function: Function) -> Function:
    """Compile a function that runs without Python's lock, so that threads run it side by side.

    A division by zero gives infinity in it, as in numpy. Where no folder can be written for the cache (numba raises
    RuntimeError then), it is compiled in each process.

    Example:
        >>> @compiled
        ... def half(number):
        ...     return number / 2
        >>> half(3)
        1.5
    """
    return _kept(function, {})


def compiled_sums(function: Function) -> Function:
    """Compile as `compiled` does, but let sums be added up in any order, which allows vector instructions."""
    return _kept(function, {"fastmath": {"contract", "reassoc"}})


def _kept(function: Function, options: dict[str, Any]) -> Function:
    given = _numba.CACHE_DIR
    folder = given or _cache_folder(function.__module__.partition(".")[0])
    if folder is None:
        return _compile(function, nogil=True, error_model="numpy", **options)
    _numba.CACHE_DIR = folder  # read when decorating
    try:
        return _compile(function, nogil=True, error_model="numpy", cache=True, **options)
    except RuntimeError:
        return _compile(function, nogil=True, error_model="numpy", **options)
    finally:
        _numba.CACHE_DIR = given


@functools.cache
def _cache_folder(package: str) -> str | None:
    """Return where the compiled functions of a package are kept as its sources are now; None if nothing can be kept."""
    folder = user_cache() / "numba" / _digest(package)
    reason = obstacle(folder)
    if reason is not None:
        log.warning(
            "compiled functions cannot be kept in %s: %s; they are compiled anew each time", folder, reason
        )
        return None
    os.utime(folder)
    _remove_unused(folder.parent)
    return str(folder)


def _digest(package: str) -> str:
    """Return the hash of the sources of compiled functions in a package and in this one."""
    source = Path(getattr(sys.modules[package], "__file__", None) or __file__)
    files = source.parent.rglob("*.py") if source.name == "__init__.py" else [source]  # else it is a script
    digest = hashlib.sha256()
    # Every package may call what this one compiles: the beam search looks words up in its n-gram models.
    for path in sorted({*Path(__file__).parent.rglob("*.py"), *files}):
        text = path.read_bytes()
        if b"jit" in text:
            digest.update(text)
    return digest.hexdigest()[:16]


def _remove_unused(folder: Path) -> None:
    """Remove folders of other sources that no process has used for `KEPT_DAYS`; what else is there is left alone."""
    oldest = time.time() - KEPT_DAYS * 24 * 3600
    for each in folder.iterdir():
        if re.fullmatch("[0-9a-f]{16}", each.name) and not each.is_symlink() and each.is_dir():
            with suppress(FileNotFoundError):  # another process has removed it
                if each.stat().st_mtime < oldest:
                    shutil.rmtree(each, ignore_errors=True)


def compiled_part(function: Function) -> Function:
    """Compile a function that is called by compiled functions only and makes no arrays.

    It is inlined into its callers, for a tuple of arrays as an argument would be copied whole, and it does not count
    references to its arrays at every access. Either would take most of a small function's time.
    """
    options = {"_nrt": False, "no_cpython_wrapper": True, "no_cfunc_wrapper": True, "forceinline": True}
    return _compile(function, nogil=True, error_model="numpy", **options)
