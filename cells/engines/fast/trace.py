"""Read a cell's step by calling it with symbols that take the place of tensors."""

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor

from cells.cell import Cell
from cells.engines.fast.graph import Graph, Node
from cells.engines.fast.symbols import CannotTrace, Symbol, row


@dataclass
class Step:
    """A step that was read.

    Args:
        graph: holds its nodes.
        given: width of what the caller gives for each row: the projected input, or the input itself.
        states: width of each state.
        output: what it returns.
        new_states: the state it returns.
    """

    graph: Graph
    given: int
    states: tuple[int, ...]
    output: Node
    new_states: list[Node]


def trace(cell: Cell, *, fused: bool = False) -> Step:
    """Read a cell's step; fused, with the input's part of the equation and the read-out.

    Raises:
        CannotTrace: the step does what symbols do not know.
    """
    graph, tensors = Graph(), vars(cell.weights())
    weights = _symbols(graph, tensors)
    state = tuple(
        row(graph, graph.node("state", width=width, data=place))
        for place, width in enumerate(cell.state_sizes)
    )
    given = cell.input_size if fused else projected_width(cell)
    inputs = row(graph, graph.node("given", width=given))
    try:
        if fused:
            # A name may stand for something else in the step than it does elsewhere.
            own = {name: each for name, each in weights.items() if getattr(cell, name, None) is tensors[name]}
            seen: Any = _Seen(cell, own)
            projected = type(cell).project(seen, inputs)  # type: ignore[arg-type]
            output, new = cell.step(projected, state, SimpleNamespace(**weights))  # type: ignore[arg-type]
            output = type(cell).read_out(seen, output)
        else:
            output, new = cell.step(inputs, state, SimpleNamespace(**weights))  # type: ignore[arg-type]
    except CannotTrace:
        raise
    except Exception as error:  # an operator or a keyword of tensors; a mistake shows on the reference engine
        raise CannotTrace(f"symbols cannot do what it does ({error})") from error
    widths = (None, *cell.state_sizes)  # what the output's must be `read_out` alone knows
    for part, width in zip((output, *new), widths, strict=True):
        if not isinstance(part, Symbol) or width not in (None, part.shape[-1]):
            raise CannotTrace("it returns what has not the declared sizes")
    new_states = [part.node for part in new]  # type: ignore[attr-defined]
    return Step(graph, given, cell.state_sizes, output.node, new_states)  # type: ignore


class _Seen:
    """A cell whose weights are symbols."""

    def __init__(self, cell: Cell, weights: dict[str, Symbol]) -> None:
        self._cell, self._weights = cell, weights

    def __getattr__(self, name: str) -> Any:
        return self._weights[name] if name in self._weights else getattr(self._cell, name)


def projected_width(cell: Cell) -> int:
    """How wide a cell's projected input is."""
    with torch.no_grad():
        return cell.project(cell.input_weight.new_zeros(1, cell.input_size)).shape[1]


def _symbols(graph: Graph, weights: dict[str, Tensor]) -> dict[str, Symbol]:
    symbols = {}
    for name, weight in weights.items():
        if weight is None or weight.dim() not in (1, 2):  # a parameter that this cell goes without
            continue
        vector = graph.node("vector", width=weight.shape[0], data=name) if weight.dim() == 1 else None
        symbols[name] = Symbol(graph, vector, tuple(weight.shape), name)
    return symbols
