"""Measure which library computes a kind of product fastest."""

import math
import time
from typing import NamedTuple

import torch

from sluice_cells.products.candidates import BELOW, FORWARD, TORCH, candidates

MARGIN = 1.05
"""By so much another library must be faster than torch to be taken."""
LARGEST = 2**27
"""Multiplications of the products that are measured, at most: with more rows the speed is the same."""
ROUNDS = 9
SECONDS = 10.0
"""A measured product that takes longer is interrupted by something, such as a debugger."""
FASTEST = 1e6
"""GFLOP/s that no processor has."""


class Kind(NamedTuple):
    """Products that take the same library."""

    product: str
    rows: int
    """A power of two, from which half as many are another kind."""
    inputs: int
    outputs: int
    threads: int

    def __str__(self) -> str:
        """Return the kind as tables name it."""
        return f"{self.product}: {self.rows} rows, {self.inputs} to {self.outputs}, threads {self.threads}"


def kind_of(product: str, rows: int, inputs: int, outputs: int) -> Kind:
    """Return the kind of a product that runs now."""
    most = max(1, LARGEST // (inputs * outputs))
    rounded = 1 << (min(rows, most) - 1).bit_length()
    return Kind(product, rounded, inputs, outputs, torch.get_num_threads())


class ClockError(Exception):
    """The times that were measured cannot be true."""


class Measured(NamedTuple):
    """What a measurement found."""

    taken: str
    """The name of the candidate to take."""
    gflops: dict[str, float]
    """The speed of each candidate in its fastest round."""


def measure(kind: Kind) -> Measured:
    """Time all candidates in turns, round by round, so that whatever else the machine does meets all of them.

    No two rounds have equally many rows: a library that prepares itself for each new shape, as oneDNN does, does so in
    use as well, since batches differ in length. A candidate is taken if it is faster than torch by `MARGIN`, both in
    its fastest round and in most rounds.

    Raises:
        ClockError: the clock stands still, or what it says is absurd.
    """
    found = candidates(kind.product)
    times: dict[str, list[float]] = {name: [] for name in found}
    generator = torch.Generator().manual_seed(0)  # torch's own goes on as if nothing had been measured
    weight = torch.rand(kind.outputs, kind.inputs, generator=generator)
    with torch.no_grad():
        for number in range(-1, ROUNDS):
            count = max(1, kind.rows - (number + 1) * (1 + kind.rows // 64)) if kind.rows > 8 else kind.rows
            rows = torch.rand(count, kind.inputs, generator=generator)
            gradient = torch.rand(count, kind.outputs, generator=generator)
            left, right = (
                (rows, weight)
                if kind.product == FORWARD
                else (gradient, weight if kind.product == BELOW else rows)
            )
            for name, compute in found.items():
                started = time.perf_counter()
                compute(left, right, None)
                seconds = time.perf_counter() - started
                if number >= 0:  # the round before the first warms up
                    times[name].append(_believed(seconds, count * weight.numel()) / count)
    fastest = {name: min(each) for name, each in times.items()}
    best = min(fastest, key=lambda name: fastest[name])
    pairs = zip(times[TORCH], times[best], strict=True)
    often = sum(plain > MARGIN * other for plain, other in pairs) > ROUNDS / 2
    clearly = often and fastest[TORCH] > MARGIN * fastest[best]
    speeds = {name: 2e-9 * weight.numel() / seconds for name, seconds in fastest.items()}  # multiply, and add
    return Measured(best if clearly else TORCH, {name: round(speed, 1) for name, speed in speeds.items()})


def _believed(seconds: float, multiplications: int) -> float:
    """Return a time that was measured.

    Raises:
        ClockError: it cannot be true.
    """
    if not math.isfinite(seconds) or not 2e-9 * multiplications / FASTEST < seconds < SECONDS:
        raise ClockError(f"a product of {multiplications} multiplications took {seconds} seconds")
    return seconds
