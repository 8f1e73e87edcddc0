"""Read a cell's step by calling it with symbols that take the place of tensors."""

from dataclasses import dataclass
from types import SimpleNamespace

from torch import Tensor

from cells.cell import Cell
from cells.engines.fast.graph import Graph, Node
from cells.engines.fast.symbols import CannotTrace, Symbol, row


@dataclass
class Step:
    """A step that was read.

    Args:
        graph: holds its nodes.
        projected: width of the projected input.
        states: width of each state.
        output: what it returns.
        new_states: the state it returns.
        vectors: widths of the vectors it uses, by name.
        matrices: shapes of the matrices it uses, by name.
    """

    graph: Graph
    projected: int
    states: tuple[int, ...]
    output: Node
    new_states: list[Node]
    vectors: dict[str, int]
    matrices: dict[str, tuple[int, int]]


def trace(cell: Cell, projected: int) -> Step:
    """Read a cell's step, given the width of its projected input.

    Raises:
        CannotTrace: the step does what symbols do not know.
    """
    graph = Graph()
    weights, vectors, matrices = _symbols(graph, vars(cell.weights()))
    state = tuple(
        row(graph, graph.node("state", width=width, data=place))
        for place, width in enumerate(cell.state_sizes)
    )
    inputs = row(graph, graph.node("projected", width=projected))
    try:
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
    return Step(graph, projected, cell.state_sizes, output.node, new_states, vectors, matrices)  # type: ignore


def _symbols(
    graph: Graph, weights: dict[str, Tensor]
) -> tuple[dict[str, Symbol], dict[str, int], dict[str, tuple[int, int]]]:
    symbols, vectors, matrices = {}, {}, {}
    for name, weight in weights.items():
        if weight is None:  # a parameter that this cell goes without
            continue
        node = None
        if weight.dim() == 1:
            vectors[name] = weight.shape[0]
            node = graph.node("vector", width=weight.shape[0], data=name)
        elif weight.dim() == 2:
            matrices[name] = (weight.shape[0], weight.shape[1])
        else:
            continue
        symbols[name] = Symbol(graph, node, tuple(weight.shape), name)
    return symbols, vectors, matrices
