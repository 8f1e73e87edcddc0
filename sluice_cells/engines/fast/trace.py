"""Read a cell's step by calling it with symbols instead of tensors."""

from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor

from sluice_cells.cell import Cell
from sluice_cells.engines.fast.graph import Graph, Node, in_order
from sluice_cells.engines.fast.symbols import CannotTrace, Symbol, row


@dataclass
class Step:
    """A step that was read.

    Args:
        graph: the graph of its nodes.
        given: width of the caller's input for each row: the projected input, or the input itself.
        states: width of each state.
        output: the output that it returns.
        new_states: the state that it returns.
        start: if the last of the states is the cell's last output, added by us, the step that computes it from the
            other states before the first time step; that step has no input and no output.
    """

    graph: Graph
    given: int
    states: tuple[int, ...]
    output: Node
    new_states: list[Node]
    start: "Step | None" = None

    @property
    def roots(self) -> list[Node]:
        """Return all nodes that the step computes for its caller."""
        return [*self.new_states, self.output]


def trace(cell: Cell, *, fused: bool = False) -> Step:
    """Read a cell's step; a fused one includes the input's part of the equation and the read-out.

    Raises:
        CannotTrace: the step uses something that symbols do not support.
    """
    graph, tensors = Graph(), vars(weights_of(cell, fused))
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
    step = Step(graph, given, cell.state_sizes, output.node, new_states)  # type: ignore
    return _with_last_output(step) if fused else step


def weights_of(cell: Cell, fused: bool) -> SimpleNamespace:
    """Return the weights that the step is given."""
    return cell.weights_in_loop() if fused else cell.weights()


def _with_last_output(step: Step) -> Step:
    """Return the step with its last output as one more state, if it computes that again by a product (Jordan 1986)."""
    graph, place, width = step.graph, len(step.states), step.output.width
    states = [graph.node("state", width=size, data=each) for each, size in enumerate(step.states)]
    marks = [graph.node("new", width=size, data=each) for each, size in enumerate(step.states)]
    marked = graph.replaced(step.output, _by_id(step.new_states, marks))
    last = graph.replaced(marked, _by_id(marks, states))
    operations = {each.operation for each in in_order([marked])}
    computed = {id(node) for node in in_order(step.roots)}
    if operations & {"given", "state"} or "linear" not in operations or id(last) not in computed:
        return step
    said = {id(last): graph.node("state", width=width, data=place)}
    output = graph.replaced(step.output, said)
    new_states = [graph.replaced(node, said) for node in step.new_states]
    sizes = (*step.states, width)
    start = replace(step, states=sizes, output=graph.zeros(width), new_states=[*states, last])
    return replace(step, states=sizes, output=output, new_states=[*new_states, output], start=start)


def _by_id(nodes: list[Node], others: list[Node]) -> dict[int, Node]:
    return {id(node): other for node, other in zip(nodes, others, strict=True)}


class _Seen:
    """A view of a cell whose weights are symbols."""

    def __init__(self, cell: Cell, weights: dict[str, Symbol]) -> None:
        self._cell, self._weights = cell, weights

    def __getattr__(self, name: str) -> Any:
        return self._weights[name] if name in self._weights else getattr(self._cell, name)


def projected_width(cell: Cell) -> int:
    """Return the width of a cell's projected input."""
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
