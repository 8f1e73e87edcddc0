"""Benchmarks run, and work out their figures as they say; how large these are is not looked at."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from asr.config import RecognizerConfig
from benchmarks import cells, training
from sluice.recipes import find_recipe
from tests.sluice_cells.variants import needs_compiler


def test_the_training_benchmark_does_all_that_its_recipe_asks_for(tmp_path: Path) -> None:
    config = RecognizerConfig.read(find_recipe(training.RECIPE))
    rows, _ = training.rows_of_files(9)
    stages = training.Stages(config, rows, tmp_path)
    exchanged = []
    inner = stages.dataset._exchange

    def exchange(item, samples, generator):
        exchanged.append(inner(item, samples, generator))
        return exchanged[-1]

    stages.dataset._exchange = exchange
    seconds = stages.one_by_one()
    assert set(seconds) == {
        training.READING,
        training.DATA,
        "forward",
        "loss",
        "backward",
        "clipping and optimizer",
    }
    assert all(value > 0 for value in seconds.values())
    assert any(each is not None and set(each[1]) <= set("abcdefgh ") for each in exchanged)


@pytest.fixture
def threads() -> Iterator[None]:
    """The benchmark of cells leaves torch with the threads of its last figure."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@needs_compiler
def test_the_cells_benchmark_shows_the_middle_of_its_passes(threads: None) -> None:
    plan = replace(cells.QUICK, shapes=(cells.Shape(5, 2, 8), cells.Shape(5, 1, 8)), passes=3, rounds=1)
    found = cells.measure(plan, ["gru", "elman"], quiet=True)
    assert len(found) == 2 * (4 + 2)  # a batch of one is never ragged
    for each in found:
        assert each.ratio == pytest.approx(each.seconds / each.peer_seconds)
        assert each.passes == tuple(sorted(each.passes)) and each.ratio == each.passes[1]
    table = cells.table(found)
    assert table.count("gru / nn.GRU") == table.count("elman / nn.RNN") == 2
    assert "half of them lie" in cells.between_passes(found)


def test_a_ratio_beyond_its_limit_is_marked() -> None:
    shape, task = cells.WHOLE.shapes[0], cells.WORKLOADS[0]
    within = cells.CellRatio("lstm", "nn.LSTM", "fast", shape, 1, task, 1.1, 1.0, 9, True)
    assert within.text() == "1.10 ≤1.10"
    assert replace(within, seconds=1.2).text() == "1.20 ≤1.10 OVER"
    assert replace(within, seconds=0.8, undisturbed=False).text() == "~0.80 ≤1.10"
    assert replace(within, shape=cells.Shape(5, 2, 8)).text() == "1.10"
