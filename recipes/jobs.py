"""Jobs of a recipe: each is done once, its result is kept in a file, and read again while the settings are the same."""

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
class RecipeJob:
    """A call that takes a while and whose result is decided by its arguments."""

    kind: str
    name: str
    """Distinguishes the job from others of its kind."""
    function: Callable[..., Result]
    """A function of a module, so that another process finds it."""
    arguments: dict[str, Any]

    @property
    def facts(self) -> dict[str, Any]:
        """Everything that decides the result, as plain values."""
        arguments = {
            name: value.model_dump(mode="json") if isinstance(value, BaseModel) else value
            for name, value in self.arguments.items()
        }
        return _plain({"kind": self.kind, "name": self.name, **arguments})

    @property
    def file_name(self) -> str:
        """The name of the file that keeps the result; it differs wherever the settings differ."""
        text = json.dumps(self.facts, sort_keys=True)
        return f"{self.kind}-{self.name}-{hashlib.sha256(text.encode()).hexdigest()[:8]}.json"


def _plain(value: Any) -> Any:
    """Return a value as JSON gives it back: tuples become lists, and NaN and infinity become None."""
    return json.loads(json.dumps(value), parse_constant=lambda _: None)


def perform(job: RecipeJob) -> Result:
    """Do one job, and return its result."""
    return job.function(**job.arguments)


class ResultStore:
    """The results of finished jobs, kept in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def read(self, job: RecipeJob) -> Result | None:
        """Return the kept result; None where there is none, it belongs to other settings, or its file is damaged."""
        try:
            kept = json.loads((self.folder / job.file_name).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        known = isinstance(kept, dict) and kept.get("experiment") == job.facts
        return kept.get("result") if known else None

    def keep(self, job: RecipeJob, result: Result) -> None:
        """Keep a result, whole or not at all."""
        text = json.dumps({"experiment": job.facts, "result": _plain(result)})
        write_text(self.folder / job.file_name, text)


def run_jobs(
    jobs: list[RecipeJob], results: ResultStore, processes: int, quiet: bool = False
) -> dict[str, dict[str, Result]]:
    """Do the jobs whose results are not kept yet.

    Args:
        jobs: in the order in which to begin them.
        results: where each is kept as soon as it is finished, so that an interrupt costs little.
        processes: how many run at the same time, each with one thread; 0 means one for each core.
        quiet: show no progress.

    Returns:
        The results by kind and name.
    """
    missing = [job for job in jobs if results.read(job) is None]
    workers = min(processes or os.cpu_count() or 1, len(missing))
    for _ in track(_perform(missing, results, workers), "experiments", total=len(missing), quiet=quiet):
        pass
    found: dict[str, dict[str, Result]] = {job.kind: {} for job in jobs}
    for job in jobs:
        found[job.kind][job.name] = results.read(job)
    return found


def _perform(jobs: list[RecipeJob], results: ResultStore, workers: int) -> Iterator[None]:
    """Do the jobs and keep their results; yield once for each that is finished."""
    if workers <= 1:
        threads = torch.get_num_threads()
        set_threads(1)  # as in a process of its own: small steps gain nothing from a second
        try:
            for job in jobs:
                results.keep(job, perform(job))
                yield
        finally:
            set_threads(threads)
        return
    # A fresh process each: a forked one would inherit torch's threads in a state of their own.
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(workers, context, initializer=set_threads, initargs=(1,))
    try:
        futures = {pool.submit(perform, job): job for job in jobs}
        for future in as_completed(futures):
            results.keep(futures[future], future.result())
            yield
    finally:
        pool.shutdown(cancel_futures=True)
