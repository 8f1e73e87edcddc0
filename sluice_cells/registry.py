"""The registry of cells, by the names that recipes use."""

from typing import Any

from sluice_cells.cell import Cell
from sluice_cells.clockwork import Clockwork
from sluice_cells.elman import Elman
from sluice_cells.gru import GRU, GRUResetBefore
from sluice_cells.jordan import Jordan
from sluice_cells.layer_norm_lstm import LayerNormLSTM
from sluice_cells.lstm import LSTM
from sluice_cells.peephole_lstm import PeepholeLSTM
from sluice_cells.projected_lstm import ProjectedLSTM
from sluice_cells.scrn import SCRN

CELLS: dict[str, type[Cell]] = {
    "elman": Elman,
    "jordan": Jordan,
    "lstm": LSTM,
    "peephole_lstm": PeepholeLSTM,
    "layer_norm_lstm": LayerNormLSTM,
    "projected_lstm": ProjectedLSTM,
    "gru": GRU,
    "gru_reset_before": GRUResetBefore,
    "clockwork": Clockwork,
    "scrn": SCRN,
}


def register(name: str, cell: type[Cell]) -> type[Cell]:
    """Give your own cell a name by which a `Stack` and a recipe find it.

    Raises:
        ValueError: the name is taken by another cell.
    """
    if CELLS.get(name, cell) is not cell:
        raise ValueError(f"there is a cell {name!r} already: {CELLS[name].__name__}")
    CELLS[name] = cell
    return cell


def make_cell(cell: str | type[Cell], input_size: int, hidden_size: int, **options: Any) -> Cell:
    """Create a cell from its name or class.

    >>> make_cell("gru", 3, 5)
    GRU(3, 5)

    Raises:
        ValueError: the name is unknown, or the cell has no such option.
    """
    if isinstance(cell, str):
        if cell not in CELLS:
            raise ValueError(f"unknown cell {cell!r}; there are {', '.join(CELLS)}")
        cell = CELLS[cell]
    try:
        return cell(input_size, hidden_size, **options)
    except TypeError as error:
        raise ValueError(f"{cell.__name__} does not take these options: {error}") from error
