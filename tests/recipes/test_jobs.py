"""Results of a recipe that last."""

import math
import os
from pathlib import Path

import pytest
import torch

from recipes import jobs
from recipes.jobs import RecipeJob, ResultStore, run_jobs
from sluice_core.config import Settings
from tests.processes import CONTEXT


class Steps(Settings):
    """Settings of an job."""

    steps: int = 5


def count_calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Stand-ins for the experiments, which take their time, and a list of those done."""
    done: list[str] = []

    def perform(job: RecipeJob) -> dict[str, float]:
        if job.name == "breaks" and "breaks" not in done:
            done.append("breaks")
            raise KeyboardInterrupt
        done.append(job.name)
        return {"figure": len(done), "diverged": math.nan}

    monkeypatch.setattr(jobs, "perform", perform)
    return done


def test_what_is_finished_outlives_an_interrupt(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    done = count_calls(monkeypatch)
    names = ("first", "breaks", "last")
    planned = [RecipeJob("adding", name, dict, {"settings": Steps()}) for name in names]
    results = ResultStore(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        run_jobs(planned, results, 1, quiet=True)
    assert done == ["first", "breaks"] and results.read(planned[0]) and not results.read(planned[2])
    found = run_jobs(planned, results, 1, quiet=True)["adding"]
    assert done == ["first", "breaks", "breaks", "last"]
    assert found["first"] == {"figure": 1, "diverged": None}, "what is no number is kept as none"


def test_other_settings_and_broken_files_are_done_anew(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    done = count_calls(monkeypatch)
    results = ResultStore(tmp_path)
    one, other = (RecipeJob("adding", "x", dict, {"settings": Steps(steps=steps)}) for steps in (5, 6))
    for job in (one, other, one):
        run_jobs([job], results, 1, quiet=True)
    assert len(done) == 2
    for broken in ('{"half":', '{"experiment": {}, "result": 1}', "[]"):
        before = len(done)
        (tmp_path / one.file_name).write_text(broken, encoding="utf-8")
        run_jobs([one, other], results, 1, quiet=True)
        assert len(done) == before + 1


def where(name: str) -> dict[str, object]:
    """Return what a process has that does a job; "breaks" breaks."""
    if name == "breaks":
        raise ValueError(name)
    return {"name": name, "process": os.getpid(), "threads": torch.get_num_threads()}


def test_several_processes_with_one_thread_each_do_what_one_does(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """They are forked here from one that has imported torch; a recipe's own are spawned, which takes seconds more."""
    monkeypatch.setattr(jobs.multiprocessing, "get_context", lambda method: CONTEXT)
    planned = [RecipeJob("place", name, where, {"name": name}) for name in ("first", "second", "third")]
    found = run_jobs(planned, ResultStore(tmp_path), 2, quiet=True)["place"]
    assert [found[name]["name"] for name in ("first", "second", "third")] == ["first", "second", "third"]
    assert all(each["process"] != os.getpid() and each["threads"] == 1 for each in found.values())
    broken = [RecipeJob("place", name, where, {"name": "breaks"}) for name in ("one", "other")]
    with pytest.raises(ValueError, match="breaks"):
        run_jobs(broken, ResultStore(tmp_path), 2, quiet=True)
