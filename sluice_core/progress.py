"""Show the progress of a long loop: a bar on a terminal, plain lines in a log, nothing if quiet."""

import sys
import time
from collections.abc import Iterable, Iterator, Sized
from typing import TypeVar

from tqdm import tqdm

Item = TypeVar("Item")

LINE_SECONDS = 10.0
"""Seconds between two lines of a log."""


def track(
    items: Iterable[Item], what: str, *, total: int | None = None, quiet: bool = False
) -> Iterator[Item]:
    """Yield `items`, showing on stderr how many are done.

    Args:
        items: what to go through.
        what: the name of what is done, as in "evaluating".
        total: the number of items, where `items` has no length.
        quiet: show nothing.

    Example:
        >>> list(track([1, 2], "counting", quiet=True))
        [1, 2]
    """
    if total is None and isinstance(items, Sized):
        total = len(items)
    if quiet:
        yield from items
    elif sys.stderr.isatty():
        yield from tqdm(items, desc=what, total=total, dynamic_ncols=True, leave=False)
    else:
        yield from _lines(items, what, total)


def _lines(items: Iterable[Item], what: str, total: int | None) -> Iterator[Item]:
    said = time.monotonic()
    for count, item in enumerate(items):
        if time.monotonic() - said > LINE_SECONDS:
            said = time.monotonic()
            print(f"{what}: {count}{f' of {total}' if total else ''}", file=sys.stderr, flush=True)
        yield item
