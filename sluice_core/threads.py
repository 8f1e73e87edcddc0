"""Share work among threads: those of torch where it is loaded, for its threads never rest.

After an operation torch's threads wait busily for the next one, for milliseconds. Threads of our own would fight with
them for the processors: on two cores they took longer than one thread alone. So work is given to torch's own team,
by the entry that compilers give every OpenMP program (`GOMP_parallel`, in GNU's and Intel's libraries). Where there is
none, or no torch, plain threads do the same.
"""

import ctypes
import functools
import os
import sys
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

Part = TypeVar("Part")

_forked = False


def thread_count() -> int:
    """Return how many threads may work side by side.

    Returns:
        What torch uses within an operation (`torch.get_num_threads()`) where the process has imported torch, so that
        one setting governs both; otherwise the number of processors this process may run on.
    """
    torch = sys.modules.get("torch")
    if torch is not None:
        return torch.get_num_threads()
    if hasattr(os, "sched_getaffinity"):  # Linux; elsewhere all processors may be used
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def share(work: Callable[[Part], object], parts: Iterable[Part]) -> None:
    """Call `work` with each part, on up to `thread_count()` threads, and return when all are done.

    It pays where `work` spends its time outside of Python's lock and takes a tenth of a millisecond or more. A forked
    process works alone, since its parent's threads are not in it.

    Raises:
        BaseException: what the first failed call raised; parts that were not begun by then are left undone.

    Example:
        >>> squares = [0, 0, 0]
        >>> share(lambda n: squares.__setitem__(n, n * n), range(3))
        >>> squares
        [0, 1, 4]
    """
    parts = list(parts)
    threads = 1 if _forked else min(thread_count(), len(parts))
    waiting, failed = iter(parts), list[BaseException]()

    def take() -> None:
        try:
            for part in waiting:  # a list's iterator gives each part to one thread
                if failed:
                    return
                work(part)
        except BaseException as error:  # to be raised in the thread that waits
            failed.append(error)

    if threads <= 1:
        take()
    else:
        team = _torch_team()
        (team or _plain_threads)(take, threads)
    if failed:
        raise failed[0]


def _torch_team() -> Callable[[Callable[[], None], int], None] | None:
    """Return what calls a function once on each of some threads of torch's team; None where that cannot be done."""
    parallel = _openmp_entry() if "torch" in sys.modules else None
    if parallel is None:
        return None
    entry = ctypes.CFUNCTYPE(None, ctypes.c_void_p)

    def call(function: Callable[[], None], threads: int) -> None:
        each: Any = entry(lambda _: function())
        parallel(each, None, ctypes.c_uint(threads), ctypes.c_uint(0))

    return call


@functools.cache
def _openmp_entry() -> Any:
    try:
        return ctypes.CDLL(None).GOMP_parallel
    except (OSError, TypeError, AttributeError):  # Windows has no such handle, a Mac no such name
        return None


def _plain_threads(function: Callable[[], None], threads: int) -> None:
    with ThreadPoolExecutor(threads - 1) as pool:
        for _ in range(threads - 1):
            pool.submit(function)
        function()


def _remember_fork() -> None:
    global _forked
    _forked = True


if hasattr(os, "register_at_fork"):  # not on Windows, which does not fork
    os.register_at_fork(after_in_child=_remember_fork)
