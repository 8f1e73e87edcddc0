"""The fast engine's compiler and cache: what is there, what is not, and several processes at once."""

import logging
import os
from multiprocessing.process import BaseProcess
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from sluice_cells import Cell, Stack, State, compiler, make_cell
from sluice_cells.cell import Linear
from sluice_cells.elman import Elman
from sluice_cells.engines import fast
from sluice_cells.engines.fast.codegen import Source
from sluice_cells.engines.fast.trace import trace
from tests.processes import start

needs_compiler = pytest.mark.skipif(compiler.compiler() is None, reason="no C++ compiler is installed")


@pytest.fixture
def fresh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of this test's own, and nothing remembered of compilers and folders."""
    monkeypatch.setenv("SLUICE_CACHE", str(tmp_path / "cache"))
    for remembered in (compiler.compiler, compiler.cache_directory):
        remembered.cache_clear()
    yield tmp_path / "cache"
    for remembered in (compiler.compiler, compiler.cache_directory):
        remembered.cache_clear()


def run_a_cell() -> None:
    assert Stack("elman", 3, 4, engine="fast")(torch.ones(1, 2, 3))[0].shape == (1, 2, 4)


def run_in_processes(cache: Path, count: int = 1) -> None:
    """Run a cell in so many new processes at once."""
    processes: list[BaseProcess] = [
        start(run_a_cell, environment={"SLUICE_CACHE": str(cache)}) for _ in range(count)
    ]
    for process in processes:
        process.join(120)
        assert process.exitcode == 0


@needs_compiler
def test_processes_that_start_at_once_share_their_libraries_and_a_broken_one_is_compiled_again(
    tmp_path: Path,
) -> None:
    run_in_processes(tmp_path, 2)
    before = {library: library.stat().st_mtime_ns for library in tmp_path.iterdir()}
    assert len(before) == 2  # the cell's and the products'; nothing half-made is left
    run_in_processes(tmp_path)
    after = {library: library.stat().st_mtime_ns for library in tmp_path.iterdir()}
    assert after == before  # the next process compiles nothing
    # One that was cut short, as by a full disk, is compiled again: loading it would crash the process.
    library = min(before, key=lambda each: each.stat().st_size)
    whole = library.read_bytes()
    library.write_bytes(whole[:1000])
    run_in_processes(tmp_path)
    assert library.stat().st_size == len(whole)
    assert set(tmp_path.iterdir()) == set(before)


def test_without_a_compiler_other_engines_run_and_it_is_said_once(
    fresh: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setenv("CXX", "")
    fast.engine._warned.clear()
    inputs = torch.randn(2, 5, 3)
    with caplog.at_level(logging.WARNING):
        for cell in ("elman", "peephole_lstm", "elman"):
            stack = Stack(cell, 3, 4)
            outputs = stack.outputs(inputs)
            stack.engine = "reference"
            torch.testing.assert_close(outputs, stack.outputs(inputs))
    said = [record.getMessage() for record in caplog.records]
    assert len(said) == 1 and "no C++ compiler was found" in said[0]
    with pytest.raises(ValueError, match="fast engine cannot run Elman here: no C\\+\\+ compiler"):
        Stack("elman", 3, 4, engine="fast")(inputs)


def test_a_compiler_that_fails_says_why(fresh: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    broken.write_text("#!/bin/sh\necho no room on this machine >&2\nexit 1\n")
    broken.chmod(0o755)
    monkeypatch.setenv("CXX", str(broken))
    with pytest.raises(ValueError, match="no room on this machine"):
        Stack("elman", 3, 4, engine="fast")(torch.zeros(1, 2, 3))
    assert not list(fresh.iterdir())


@pytest.mark.skipif(not hasattr(os, "getuid"), reason="folders have no owner here")
def test_a_cache_that_others_can_write_to_is_not_used(fresh: Path, caplog: pytest.LogCaptureFixture) -> None:
    fresh.mkdir(mode=0o777)
    fresh.chmod(0o777)
    with caplog.at_level(logging.WARNING):
        assert compiler.cache_directory() != fresh
    assert "not this user's alone" in caplog.text


class Cubed(Elman):
    """A step with something that the fast engine does not know."""

    def step(self, projected: Tensor, state: State, weights: SimpleNamespace) -> tuple[Tensor, State]:
        hidden, _ = super().step(projected, state, weights)
        return hidden**3, (hidden**3,)


@needs_compiler
def test_a_step_that_cannot_be_read_runs_on_the_reference() -> None:
    stack = Stack(Cubed, 3, 4)
    inputs = torch.randn(2, 5, 3)
    outputs = stack.outputs(inputs)
    stack.engine = "fast"
    with pytest.raises(ValueError, match="its step cannot be compiled: it raises to the power 3"):
        stack.outputs(inputs)
    stack.engine = "reference"
    assert torch.equal(stack.outputs(inputs), outputs)


class Functions(Cell):
    """Shows the elementary functions as they are compiled, without a recurrence."""

    def __init__(self, function: str) -> None:
        super().__init__(1, 1)
        self.function = function
        self.reset_parameters()

    def project(self, inputs: Tensor, linear: Linear = functional.linear) -> Tensor:
        return inputs

    def step(self, projected: Tensor, state: State, weights: SimpleNamespace) -> tuple[Tensor, State]:
        return getattr(torch, self.function)(projected), state


@needs_compiler
@pytest.mark.parametrize(
    ("function", "low", "high"), [("tanh", -12, 12), ("sigmoid", -80, 80), ("exp", -87, 88)]
)
def test_functions_are_right_to_a_few_last_places(function: str, low: float, high: float) -> None:
    near_zero = torch.logspace(-30, 0, 2000)
    points = torch.cat([torch.linspace(low, high, 20001), near_zero, -near_zero])
    stack = Stack("elman", 1, 1, engine="fast")
    stack.layers[0][0] = Functions(function)
    found = stack.outputs(points.view(1, -1, 1)).flatten().double()
    expected = getattr(torch, function)(points.double())
    assert ((found - expected).abs() / expected.abs().clamp_min(1e-38)).max() < 1e-6


def test_products_of_resting_clocks_are_known_to_be_spared() -> None:
    def masks(name: str) -> int:
        return len(Source(trace(make_cell(name, 3, 8))).masks)

    assert masks("clockwork") == 1
    assert masks("elman") == masks("lstm") == 0
