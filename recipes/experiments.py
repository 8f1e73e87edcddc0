"""Experiments of a recipe: each is done once, kept in a file of its own, and read again as long as it fits."""

import hashlib
import json
import multiprocessing
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from pydantic import BaseModel

from sluice_core.devices import set_threads
from sluice_core.files import write_text
from sluice_core.progress import track

Result = Any
"""Plain lists, dictionaries and figures, as JSON has them."""


@dataclass(frozen=True)
class Experiment:
    """One call that takes a while; its arguments decide its result."""

    kind: str
    name: str
    """Of one among its kind."""
    function: Callable[..., Result]
    """Of a module, so that another process finds it."""
    arguments: dict[str, Any]

    @property
    def facts(self) -> dict[str, Any]:
        """What decides the result, as plain values."""
        arguments = {
            name: value.model_dump(mode="json") if isinstance(value, BaseModel) else value
            for name, value in self.arguments.items()
        }
        return _plain({"kind": self.kind, "name": self.name, **arguments})

    @property
    def file_name(self) -> str:
        """Differs wherever the settings differ."""
        text = json.dumps(self.facts, sort_keys=True)
        return f"{self.kind}-{self.name}-{hashlib.sha256(text.encode()).hexdigest()[:8]}.json"


def _plain(value: Any) -> Any:
    """A value as JSON gives it back: tuples are lists, and what is not a number is None."""
    return json.loads(json.dumps(value), parse_constant=lambda _: None)


def perform(experiment: Experiment) -> Result:
    """Do one experiment."""
    return experiment.function(**experiment.arguments)


class Results:
    """Finished experiments in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def read(self, experiment: Experiment) -> Result | None:
        """The kept result; None where there is none, or it is of other settings, or the file is broken."""
        try:
            kept = json.loads((self.folder / experiment.file_name).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        known = isinstance(kept, dict) and kept.get("experiment") == experiment.facts
        return kept.get("result") if known else None

    def keep(self, experiment: Experiment, result: Result) -> None:
        """Write a result down, whole or not at all."""
        text = json.dumps({"experiment": experiment.facts, "result": _plain(result)})
        write_text(self.folder / experiment.file_name, text)


def run_experiments(
    experiments: list[Experiment], results: Results, processes: int, quiet: bool = False
) -> dict[str, dict[str, Result]]:
    """Do what is not kept already.

    Args:
        experiments: in the order in which to begin them.
        results: where each is kept as soon as it is finished, so that an interrupt costs little.
        processes: how many at the same time, each with one thread; 0 is one a core.
        quiet: no progress.

    Returns:
        Results by kind and name.
    """
    missing = [experiment for experiment in experiments if results.read(experiment) is None]
    workers = min(processes or os.cpu_count() or 1, len(missing))
    for _ in track(_perform(missing, results, workers), "experiments", total=len(missing), quiet=quiet):
        pass
    found: dict[str, dict[str, Result]] = {experiment.kind: {} for experiment in experiments}
    for experiment in experiments:
        found[experiment.kind][experiment.name] = results.read(experiment)
    return found


def _perform(experiments: list[Experiment], results: Results, workers: int) -> Iterator[None]:
    """Do and keep each; one item for each that is finished."""
    if workers <= 1:
        threads = torch.get_num_threads()
        set_threads(1)  # as in a process of its own: small steps gain nothing from a second
        try:
            for experiment in experiments:
                results.keep(experiment, perform(experiment))
                yield
        finally:
            set_threads(threads)
        return
    # A fresh process each: a forked one would inherit torch's threads in a state of their own.
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(workers, context, initializer=set_threads, initargs=(1,))
    try:
        futures = {pool.submit(perform, experiment): experiment for experiment in experiments}
        for future in as_completed(futures):
            results.keep(futures[future], future.result())
            yield
    finally:
        pool.shutdown(cancel_futures=True)
