"""What a recipe says of a cell is checked before anything is made."""

import time

import pytest
import torch

from sluice_cells import CELLS, Cell, register
from sluice_cells.options import check_name, check_options


@pytest.mark.parametrize("cell", sorted(CELLS))
def test_every_cell_as_it_is(cell: str) -> None:
    check_options(cell, 16, {})


@pytest.mark.parametrize(
    ("cell", "options"),
    [
        ("clockwork", {"periods": [1, 2, 4]}),
        ("scrn", {"context_size": 5, "decay": 0.9, "learn_decay": True}),
        ("jordan", {"output": "softmax"}),
        ("projected_lstm", {"projection_size": 3}),
    ],
)
def test_options_that_are_right(cell: str, options: dict) -> None:
    check_options(cell, 16, options)


@pytest.mark.parametrize(
    ("cell", "options", "message"),
    [
        ("clockwork", {"period": [1, 2]}, "clockwork has no option 'period'; it takes periods"),
        ("lstm", {"periods": [1, 2]}, "lstm has no option 'periods'; it takes none"),
        ("clockwork", {"periods": [0]}, "whole numbers of steps"),
        ("clockwork", {"periods": 3}, "does not take these options"),
        ("clockwork", {"periods": list(range(1, 30))}, "29 modules need at least as many units"),
        ("scrn", {"decay": 2}, "between 0 and 1, not 2"),
        ("projected_lstm", {"projection_size": -2}, "at least 1, not -2"),
    ],
)
def test_options_that_are_wrong(cell: str, options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        check_options(cell, 16, options)


def test_a_cell_beyond_all_memory_is_refused():
    with pytest.raises(ValueError, match="a cell lstm of 1000000000 units cannot be made"):
        check_options("lstm", 10**9, {})


def test_an_unknown_name_is_told_with_those_there_are() -> None:
    check_name("peephole_lstm")
    with pytest.raises(ValueError, match=r"unknown cell 'lstn'; there are elman, .*scrn.*cells\.register"):
        check_name("lstn")


def test_a_large_cell_costs_nothing_and_draws_nothing() -> None:
    before = torch.get_rng_state()
    started = time.process_time()
    check_options("lstm", 2048, {})
    assert time.process_time() - started < 0.5  # to draw orthogonal matrices of this size takes many seconds
    assert torch.get_rng_state().equal(before)


def test_a_cell_of_ones_own(monkeypatch: pytest.MonkeyPatch) -> None:
    class Leaky(Cell):
        def __init__(self, input_size: int, hidden_size: int, *, leak: float = 0.5, **others: float) -> None:
            super().__init__(input_size, hidden_size)
            if others:
                raise ValueError(f"no such thing: {others}")

    monkeypatch.setitem(CELLS, "leaky", Leaky)
    assert register("leaky", Leaky) is Leaky  # named twice, the same
    check_options("leaky", 4, {"leak": 0.1})
    with pytest.raises(ValueError, match="no such thing"):
        check_options("leaky", 4, {"lek": 0.1})
