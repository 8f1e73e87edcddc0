"""Compile functions with numba when they are first called, and keep the result on disk for the next process.

numba keeps what it compiled beside the module, or else in the user's cache folder. It compiles anew when the module
changes, but not when a function changes that the module calls in another file: delete `__pycache__` then.
"""

from collections.abc import Callable
from typing import Any, TypeVar

import numba

Function = TypeVar("Function", bound=Callable[..., Any])

_compile: Any = numba.njit  # whose type hints lack some of the options below


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
    try:
        return _compile(function, nogil=True, error_model="numpy", cache=True, **options)
    except RuntimeError:
        return _compile(function, nogil=True, error_model="numpy", **options)


def compiled_part(function: Function) -> Function:
    """Compile a function that is called by compiled functions only and makes no arrays.

    It is inlined into its callers, for a tuple of arrays as an argument would be copied whole, and it does not count
    references to its arrays at every access. Either would take most of a small function's time.
    """
    options = {"_nrt": False, "no_cpython_wrapper": True, "no_cfunc_wrapper": True, "forceinline": True}
    return _compile(function, nogil=True, error_model="numpy", **options)
