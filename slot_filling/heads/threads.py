"""Sentences of a batch side by side on as many threads as torch uses."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import numpy as np
import torch

Result = TypeVar("Result")

WORTH_A_THREAD = 2_000_000
"""Moves from tag to tag, about a millisecond of them: with fewer, starting a thread costs more than it gains."""


def share(work: Callable[[int, int], Result], lengths: np.ndarray, tags: int) -> list[Result]:
    """Call `work(first, last)` on parts of a batch of `lengths [B]` that have about as many words each."""
    moves = int(lengths.sum()) * tags * tags
    parts = max(1, min(torch.get_num_threads(), len(lengths), moves // WORTH_A_THREAD))
    if parts == 1:
        return [work(0, len(lengths))]
    done = np.cumsum(lengths)
    bounds = [0, *np.searchsorted(done, done[-1] * np.arange(1, parts) / parts).tolist(), len(lengths)]
    with ThreadPoolExecutor(parts) as pool:
        return list(pool.map(work, bounds[:-1], bounds[1:]))
