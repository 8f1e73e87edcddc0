"""Functions compiled by numba when first called, and kept on disk for the next process where that can be.

numba keeps what it compiled beside the module, else in the user's cache folder. A module's own change makes that
stale; a change of a function that it calls in another file does not: delete `__pycache__` then.
"""

from collections.abc import Callable
from typing import Any, TypeVar

import numba

Function = TypeVar("Function", bound=Callable[..., Any])

_compile: Any = numba.njit  # whose type hints lack some of the options below


def compiled(function: Function) -> Function:
    """Compile a function without Python's lock, so that threads run it side by side; 1.0 / 0.0 is infinite in it.

    Where no folder for a cache can be written (numba raises RuntimeError then) it is compiled in each process.
    """
    return _kept(function, {})


def compiled_sums(function: Function) -> Function:
    """Compile as `compiled` does, but sums may be added up in any order, which makes vectors of them."""
    return _kept(function, {"fastmath": {"contract", "reassoc"}})


def _kept(function: Function, options: dict[str, Any]) -> Function:
    try:
        return _compile(function, nogil=True, error_model="numpy", cache=True, **options)
    except RuntimeError:
        return _compile(function, nogil=True, error_model="numpy", **options)


def compiled_part(function: Function) -> Function:
    """Compile a function that only compiled functions call, and that makes no arrays.

    It is put in its callers' place, since a tuple of arrays as an argument would be copied whole, and borrows its
    arrays: it does not count references to them at every access. Either would be most of a small function's time.
    """
    options = {"_nrt": False, "no_cpython_wrapper": True, "no_cfunc_wrapper": True, "forceinline": True}
    return _compile(function, nogil=True, error_model="numpy", **options)
