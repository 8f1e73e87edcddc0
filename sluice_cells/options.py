"""Check the name and the options of a cell before a model is built."""

import inspect
from typing import Any

from sluice_cells.registry import CELLS, make_cell


def check_name(cell: str) -> None:
    """Check that there is a cell of this name.

    Raises:
        ValueError: there is none; the message lists the names.
    """
    if cell not in CELLS:
        raise ValueError(
            f"unknown cell {cell!r}; there are {', '.join(CELLS)}. Register a cell of your own with "
            "sluice_cells.register before using its name"
        )


def check_options(cell: str, hidden_size: int, options: dict[str, Any]) -> None:
    """Check the options of a cell in `CELLS` without initializing weights or drawing random numbers.

    Raises:
        ValueError: the cell has no such option (the message lists its options), or a value is wrong.
    """
    kind = CELLS[cell]
    known, any_other = _keywords(kind)
    unknown = [name for name in options if name not in known]
    if unknown and not any_other:
        takes = f"it takes {', '.join(known)}" if known else "it takes none"
        raise ValueError(f"the cell {cell} has no option {unknown[0]!r}; {takes}")
    without_drawing = type(kind.__name__, (kind,), {"reset_parameters": lambda self: None})
    try:
        make_cell(without_drawing, 1, hidden_size, **options)
    except RuntimeError as error:  # of torch, for weights beyond all memory
        raise ValueError(f"a cell {cell} of {hidden_size} units cannot be made: {error}") from error


def _keywords(kind: type) -> tuple[list[str], bool]:
    """Return the options that a cell declares, and whether it accepts others."""
    parameters = inspect.signature(kind).parameters.values()
    named = [parameter.name for parameter in parameters if parameter.kind == parameter.KEYWORD_ONLY]
    positional = [each.name for each in parameters if each.kind == each.POSITIONAL_OR_KEYWORD]
    return named + positional[2:], any(each.kind == each.VAR_KEYWORD for each in parameters)
