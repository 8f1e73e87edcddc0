"""A cell's step as a graph of what is computed for one row of the batch.

Nodes are values `[width]` of one row; a width of 1 is broadcast to any width. Each distinct node exists once, so what a
step computes twice is computed once. Nodes are rewritten so that slices are taken only of values in memory and that
concatenated values are never used as a whole; the loops that are printed later then run over plain arrays.
"""

from dataclasses import dataclass
from itertools import accumulate
from typing import Any

MEMORY = {"given", "state", "vector", "linear", "linear_t", "output_gradient", "state_gradient"}
"""Operations whose value is in memory as a whole, so that a slice of it is a pointer."""

REDUCTIONS = {"sum", "max"}
NUMBERS = {"constant", "reciprocal"}
COSTLY = {"sigmoid", "tanh", "exp", "sqrt", "div", "remainder", "inverse_deviation"}
"""Operations whose value is stored for its second use instead of being computed again."""


@dataclass(frozen=True, eq=False)
class Node:
    """One value of a row.

    Args:
        operation: the operation that computes it.
        arguments: the nodes it is computed from.
        width: how many floats it has.
        data: what else defines it: a number, a weight's name, a state's index, a slice's start.
    """

    operation: str
    arguments: tuple["Node", ...]
    width: int
    data: Any = None


class Graph:
    """Creates nodes, each distinct one once."""

    def __init__(self) -> None:
        self._nodes: dict[tuple, Node] = {}

    def node(self, operation: str, *arguments: Node, width: int, data: Any = None) -> Node:
        """Return a node without simplifying it; an equal one that exists is reused."""
        key = (operation, *map(id, arguments), width, data)
        if key not in self._nodes:
            self._nodes[key] = Node(operation, arguments, width, data)
        return self._nodes[key]

    def replaced(self, node: Node, others: dict[int, Node]) -> Node:
        """Return a node with the nodes whose ids are given replaced by others."""
        done = dict(others)
        for each in in_order([node]):
            arguments = tuple(done.get(id(argument), argument) for argument in each.arguments)
            data = each.data
            if each.operation == "inverse_deviation":
                data = tuple(done.get(id(part), part) for part in data)
            if id(each) not in done and (arguments, data) != (each.arguments, each.data):
                done[id(each)] = self.node(each.operation, *arguments, width=each.width, data=data)
        return done.get(id(node), node)

    def constant(self, value: float) -> Node:
        """Return a number, which fits any width."""
        return self.node("constant", width=1, data=float(value))

    def zeros(self, width: int) -> Node:
        """Return zeros of a certain width, where a constant would leave the width open."""
        return self.node("zeros", width=width)

    def widened(self, node: Node, width: int) -> Node:
        """Return a node repeated to a width; the node itself if it has that width."""
        return node if node.width == width else self.node("add", self.zeros(width), node, width=width)

    def reciprocal(self, width: int) -> Node:
        """Return 1 / width as a value that the compiled code computes from its sizes, so that it serves all of them."""
        return self.node("reciprocal", width=1, data=width)

    def inverse_deviation(self, deviation: Node, values: Node, mean: Node) -> Node:
        """Return 1 / deviation, of width 1, marked with the values and the mean that it belongs to.

        With these marks, "normal" is recognized for the values and for slices of them.
        """
        return self.node("inverse_deviation", deviation, width=1, data=(values, mean))

    def elementwise(self, operation: str, *arguments: Node) -> Node:
        """Return an elementwise operation; arguments of width 1 are broadcast.

        Raises:
            ValueError: the widths differ.
        """
        width = max(argument.width for argument in arguments)
        if any(argument.width not in (1, width) for argument in arguments):
            widths = " and ".join(str(argument.width) for argument in arguments)
            raise ValueError(f"{operation} of widths {widths}")
        for argument in arguments:
            if argument.operation == "cat":  # part by part, so that joined parts are never computed on
                return self.cat(
                    *(
                        self.elementwise(
                            operation, *(self.slice(each, start, part.width) for each in arguments)
                        )
                        for start, part in starts_of(argument)
                    )
                )
        return self._simplified(operation, *arguments) or self.node(operation, *arguments, width=width)

    def _simplified(self, operation: str, *arguments: Node) -> Node | None:
        """Return what is known without computing, such as sums with 0 and products with 0 and 1; else None."""
        values = [each.data if each.operation == "constant" else None for each in arguments]
        if operation in ("add", "sub") and values[1] == 0:
            return arguments[0]
        if operation == "add" and values[0] == 0:
            return arguments[1]
        if operation in ("mul", "div") and values[1] == 1:
            return arguments[0]
        if operation == "mul" and values[0] == 1:
            return arguments[1]
        if operation == "mul" and 0.0 in values:
            return self.constant(0)
        return None

    def slice(self, node: Node, start: int, width: int) -> Node:
        """Return the elements `start` to `start + width` of a node."""
        if node.width == 1 or (start == 0 and width == node.width):
            return node
        if node.operation == "zeros":
            return self.zeros(width)
        if node.operation == "slice":
            return self.slice(node.arguments[0], node.data + start, width)
        if node.operation == "cat":
            return self._slice_of_parts(node, start, width)
        if node.operation in MEMORY:
            return self.node("slice", node, width=width, data=start)
        return self.elementwise(node.operation, *(self.slice(each, start, width) for each in node.arguments))

    def _slice_of_parts(self, node: Node, start: int, width: int) -> Node:
        pieces = []
        for begin, part in starts_of(node):
            low, high = max(start, begin), min(start + width, begin + part.width)
            if low < high:
                pieces.append(self.slice(part, low - begin, high - low))
        return self.cat(*pieces)

    def cat(self, *parts: Node) -> Node:
        """Return the concatenation of some nodes."""
        flat = [piece for part in parts for piece in (part.arguments if part.operation == "cat" else (part,))]
        if len(flat) == 1:
            return flat[0]
        return self.node("cat", *flat, width=sum(part.width for part in flat))

    def reduce(self, operation: str, node: Node) -> Node:
        """Return the sum or maximum over the width, of width 1."""
        if node.width == 1:
            return node
        if node.operation == "zeros":
            return self.constant(0)
        if node.operation == "cat":
            total, *rest = (self.reduce(operation, part) for part in node.arguments)
            for each in rest:
                total = self.elementwise("add" if operation == "sum" else "maximum", total, each)
            return total
        return self.node(operation, node, width=1)

    def linear(self, node: Node, weight: str, rows: int) -> Node:
        """Return the product with a weight matrix `[rows, node.width]`."""
        return self.node("linear", node, width=rows, data=weight)

    def linear_t(self, node: Node, weight: str, columns: int) -> Node:
        """Return the product with a transposed weight matrix `[node.width, columns]`."""
        return self.node("linear_t", node, width=columns, data=weight)


def starts_of(node: Node) -> list[tuple[int, Node]]:
    """Return the parts of a concatenation with their starts; any other node is its own only part."""
    if node.operation != "cat":
        return [(0, node)]
    starts = accumulate((part.width for part in node.arguments[:-1]), initial=0)
    return list(zip(starts, node.arguments, strict=True))


def in_order(roots: list[Node]) -> list[Node]:
    """Return all nodes that the roots depend on, arguments before the nodes that use them."""
    done: dict[int, Node] = {}
    pending = [(root, False) for root in reversed(roots)]
    while pending:
        node, ready = pending.pop()
        if id(node) in done:
            continue
        if ready:
            done[id(node)] = node
        else:
            pending.append((node, True))
            pending.extend((argument, False) for argument in reversed(node.arguments))
    return list(done.values())
