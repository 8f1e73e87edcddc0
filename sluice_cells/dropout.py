"""Dropout whose masks cost little on a CPU, and which threads can draw without disturbing each other."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

BITS = 16
"""How many random bits decide whether a value is kept, so that a share is right to 1 in 131,072."""

_INTS = 64 // BITS  # decisions of one random integer
_LOWEST = -(1 << (BITS - 1))  # the least value that so many bits have, as a signed integer


class _Drawn(threading.local):
    by: torch.Generator | None = None


_drawn = _Drawn()


@contextmanager
def drawn_by(generator: torch.Generator) -> Iterator[None]:
    """Let a given generator decide what this thread drops, instead of the one that all threads share."""
    before, _drawn.by = _drawn.by, generator
    try:
        yield
    finally:
        _drawn.by = before


def dropout(values: Tensor, share: float, training: bool = True) -> Tensor:
    """Set a random share of the values to zero and scale the others up, so that their expectation stays.

    torch draws a double for each value on a CPU, which takes a tenth of the training step of a small recognizer; here
    one integer of torch's generator decides for four values. Other devices draw their own masks fast.

    Args:
        values: of any shape.
        share: from 0 to below 1 (Srivastava et al. 2014).
        training: outside training the values are returned as they are.

    Returns:
        Values of the same shape; the same state of torch's generator, or of that of `drawn_by`, drops the same ones.

    Example:
        >>> dropout(torch.ones(3), 0.5, training=False)
        tensor([1., 1., 1.])
    """
    if not training or not share:
        return values
    if values.device.type != "cpu":
        return nn.functional.dropout(values, share)
    count = values.numel()
    drawn = torch.empty(-(-count // _INTS), dtype=torch.int64).random_(-(1 << 63), None, generator=_drawn.by)
    bits = drawn.view(torch.int16)[:count].view(values.shape)
    least = min(_LOWEST + round(share * (1 << BITS)), -_LOWEST - 1)
    mask = (bits >= least).to(values.dtype)
    return values * mask.mul_(1 / (1 - share))
