"""Which library computes which product: chosen by measurement, kept on disk, fixed in a training's directory."""

import hashlib
import logging
import os
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import torch

from sluice_cells.compiler import cache_directory, processor
from sluice_cells.products.candidates import TORCH, Candidate, candidates
from sluice_cells.products.measuring import ClockError, Kind, measure
from sluice_cells.products.table import Entry, ProductTable

logger = logging.getLogger(__name__)

VARIABLE = "SLUICE_PRODUCTS"
"""The environment variable that sets the mode where no training sets it."""
MODES = ("auto", TORCH, "onednn", "own")
"""auto measures; torch leaves all products to torch; the others take one library for all large products."""


class Choices:
    """The library of each kind of product, under one mode."""

    def __init__(self, mode: str, run: ProductTable | None = None) -> None:
        """Begin with what this user's earlier processes and a training have chosen.

        Args:
            mode: one of `MODES`.
            run: the table of a training, whose choices come first, and which gets all that are made.
        """
        self.mode, self.run = mode, run
        self.made: dict[Kind, tuple[str, Candidate]] = {}
        self._lock = threading.Lock()

    def of(self, kind: Kind) -> tuple[str, Candidate]:
        """Return the name and the function of what computes a kind of product."""
        found = self.made.get(kind)
        if found is None:
            with self._lock:
                found = self.made.get(kind)
                if found is None:
                    found = self.made[kind] = self._available(kind, self._name(kind))
        return found

    def _available(self, kind: Kind, name: str) -> tuple[str, Candidate]:
        there = candidates(kind.product)
        if name not in there:
            _warn_once(f"matrix products: {name} is not available here, and torch takes its place")
            name = TORCH
        logger.debug("%s: %s", kind, name)
        return name, there[name]

    def _name(self, kind: Kind) -> str:
        if self.mode != "auto":
            return self.mode
        key = str(kind)
        entry = self.run.products.get(key) if self.run else None
        if entry is None:
            entry = _kept().products.get(key) or _measured(kind) or {"taken": TORCH, "gflops": {}}
            if self.run:
                entry = self.run.add(key, entry)
        return str(entry["taken"])

    def summary(self) -> str:
        """Return how many kinds each library computes, as in "torch 12, onednn 3"."""
        counts = Counter(name for name, _ in self.made.values())
        return ", ".join(f"{name} {count}" for name, count in counts.most_common())


def _measured(kind: Kind) -> Entry | None:
    """Measure a kind of product and keep what was found; None where no clock can be believed."""
    table = _kept()
    try:
        taken, gflops = measure(kind)
    except ClockError as error:
        logger.debug("%s: %s", kind, error)
        _warn_once("matrix products: the clock does not let them be timed here, so torch computes them")
        return None
    speeds = ", ".join(f"{name} {speed}" for name, speed in gflops.items())
    logger.debug("%s: %s (GFLOP/s: %s); kept in %s", kind, taken, speeds, table.path)
    return table.add(str(kind), {"taken": taken, "gflops": gflops})


@cache
def _kept() -> ProductTable:
    """Return this user's table for this processor and torch."""
    name = hashlib.sha256(f"{processor()}\n{torch.__version__}".encode()).hexdigest()[:16]
    return ProductTable(cache_directory() / f"products-{name}.json")


@cache
def _warn_once(message: str) -> None:
    logger.warning(message)


def mode_here() -> str:
    """Return the mode that the environment sets."""
    mode = os.environ.get(VARIABLE) or "auto"
    if mode not in MODES:
        _warn_once(f"{VARIABLE}={mode}: there are {', '.join(MODES)}; auto is taken")
        return "auto"
    return mode


_active: list[Choices] = []


def active() -> Choices:
    """Return the choices that count now."""
    if not _active:
        _active.append(Choices(mode_here()))
    return _active[-1]


@contextmanager
def fixed_in(path: Path, mode: str = "auto") -> Iterator[Choices]:
    """Let a training's choices count, which `path` keeps: whoever repeats or resumes it there computes the same bits.

    Args:
        path: a JSON file; it is made if it does not exist. What it holds counts, its mode included.
        mode: one of `MODES`; of auto the environment variable `SLUICE_PRODUCTS` may make another.
    """
    wanted = mode_here() if mode == "auto" else mode
    table = ProductTable(path, wanted)
    if table.mode not in MODES:
        table.mode = wanted
    elif table.mode != wanted:
        logger.info("matrix products: %s, as %s says, not %s", table.mode, path, wanted)
    table.write()
    choices = Choices(str(table.mode), table)
    _active.append(choices)
    try:
        yield choices
    finally:
        _active.remove(choices)
        if choices.made:
            logger.info("matrix products, kinds by library: %s (%s)", choices.summary(), path)
