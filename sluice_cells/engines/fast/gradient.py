"""Differentiate a step, which adds nodes to its graph."""

from dataclasses import dataclass

from sluice_cells.engines.fast.graph import (
    COSTLY,
    MEMORY,
    NUMBERS,
    REDUCTIONS,
    Graph,
    Node,
    in_order,
    starts_of,
)
from sluice_cells.engines.fast.trace import Step

KEPT = (MEMORY | COSTLY | REDUCTIONS | {"slice"}) - {"remainder"}
"""Operations whose values are kept for back-propagation; a division costs less than storing and loading its value."""


@dataclass
class StepGradient:
    """The gradients that back-propagation through one step computes.

    Args:
        given: gradient of the input; None if the result does not depend on it.
        states: gradient of each old state.
        vectors: gradient of each vector weight, by name.
        products: for every product with a matrix, the matrix's name, the product's input, and its output's gradient.
    """

    given: Node | None
    states: list[Node]
    vectors: dict[str, Node]
    products: list[tuple[str, Node, Node]]


class _Backward:
    """The gradients collected so far, of whole nodes and of slices of them."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.whole: dict[int, Node] = {}
        self.slices: dict[int, list[tuple[int, Node]]] = {}

    def add(self, node: Node, gradient: Node) -> None:
        if node.operation in NUMBERS | {"zeros"}:
            return
        if node.width == 1 and gradient.width > 1:  # it was repeated
            gradient = self.graph.reduce("sum", gradient)
        elif node.operation in ("slice", "cat"):  # parts of a whole, whose gradient is as wide
            gradient = self.graph.widened(gradient, node.width)
        if node.operation == "slice":
            self.slices.setdefault(id(node.arguments[0]), []).append((node.data, gradient))
        elif node.operation == "cat":
            for start, part in starts_of(node):
                self.add(part, self.graph.slice(gradient, start, part.width))
        elif id(node) in self.whole:
            self.whole[id(node)] = self.graph.elementwise("add", self.whole[id(node)], gradient)
        else:
            self.whole[id(node)] = gradient

    def of(self, node: Node) -> Node | None:
        """Return the gradient of a node, once all of its uses have been visited."""
        joined = self._joined(node, self.slices.get(id(node), []))
        whole = self.whole.get(id(node))
        if joined is None or whole is None:
            return joined or whole
        return self.graph.elementwise("add", whole, joined)

    def _joined(self, node: Node, slices: list[tuple[int, Node]]) -> Node | None:
        """Join the gradients of slices into one, with zeros in between."""
        if not slices:
            return None
        by_start: dict[tuple[int, int], Node] = {}
        for start, gradient in slices:
            key = (start, gradient.width)
            by_start[key] = (
                self.graph.elementwise("add", by_start[key], gradient) if key in by_start else gradient
            )
        parts, end, later = [], 0, []
        for (start, width), gradient in sorted(by_start.items(), key=lambda item: item[0]):
            if start < end:  # overlaps another slice: a sum of its own
                later.append((start, gradient))
                continue
            if start > end:
                parts.append(self.graph.zeros(start - end))
            parts.append(gradient)
            end = start + width
        if end < node.width:
            parts.append(self.graph.zeros(node.width - end))
        total = self.graph.cat(*parts)
        rest = self._joined(node, later)
        return total if rest is None else self.graph.elementwise("add", total, rest)


def differentiate(step: Step) -> StepGradient:
    """Differentiate one step in reverse mode (Griewank and Walther 2008)."""
    graph = step.graph
    back = _Backward(graph)
    for place, node in enumerate(step.new_states):
        back.add(node, graph.node("state_gradient", width=node.width, data=place))
    back.add(step.output, graph.node("output_gradient", width=step.output.width))
    products: list[tuple[str, Node, Node]] = []
    vectors: dict[str, Node] = {}
    given: Node | None = None
    states: list[Node] = [graph.zeros(width) for width in step.states]
    for node in reversed(in_order(step.roots)):
        gradient = back.of(node)
        if gradient is None or node.operation in ("slice", "cat"):
            continue
        gradient = graph.widened(gradient, node.width)
        if node.operation == "linear":
            products.append((node.data, node.arguments[0], gradient))
            back.add(node.arguments[0], graph.linear_t(gradient, node.data, node.arguments[0].width))
        elif node.operation == "vector":
            vectors[node.data] = gradient
        elif node.operation == "state":
            states[node.data] = gradient
        elif node.operation == "given":
            given = gradient
        else:
            _propagate(back, node, gradient)
    return StepGradient(given, states, vectors, products)


def _propagate(back: _Backward, node: Node, d: Node) -> None:
    """Add a node's contribution to the gradients of its arguments."""
    make, number = back.graph.elementwise, back.graph.constant
    one, *rest = node.arguments
    match node.operation:
        case "add":
            back.add(one, d)
            back.add(rest[0], d)
        case "sub":
            back.add(one, d)
            back.add(rest[0], make("neg", d))
        case "mul":
            back.add(one, make("mul", d, rest[0]))
            back.add(rest[0], make("mul", d, one))
        case "div":
            quotient = make("div", d, rest[0])
            back.add(one, quotient)
            back.add(rest[0], make("neg", make("mul", quotient, node)))
        case "neg":
            back.add(one, make("neg", d))
        case "sigmoid":
            back.add(one, make("mul", d, make("mul", node, make("sub", number(1), node))))
        case "tanh":
            back.add(one, make("mul", d, make("sub", number(1), make("mul", node, node))))
        case "relu":
            back.add(one, make("where", make("lt", number(0), node), d, number(0)))
        case "exp":
            back.add(one, make("mul", d, node))
        case "sqrt":
            back.add(one, make("div", make("mul", number(0.5), d), node))
        case "abs":
            above, below = make("lt", number(0), one), make("lt", one, number(0))  # neither at 0, as in torch
            back.add(one, make("mul", d, make("sub", above, below)))
        case "remainder":
            back.add(one, d)
            times = make("floor", make("div", one, rest[0]))
            back.add(rest[0], make("neg", make("mul", d, times)))
        case "where":
            back.add(rest[0], make("where", one, d, number(0)))
            back.add(rest[1], make("where", one, number(0), d))
        case "sum":
            back.add(one, d)
        case "normal":
            # Of n = (x - m) r the gradient is r (d - mean(d) - n mean(d n)) (Ba et al. 2016). The middle goes by way
            # of m; what is added up at r is d n, and not the gradient of r itself. A single value is its own mean:
            # then the parts cancel, of which rounding would leave something.
            if one.width == 1:
                return
            mean, inverse = rest
            scaled = make("mul", d, inverse)
            back.add(one, scaled)
            back.add(mean, make("neg", scaled))
            back.add(inverse, make("mul", d, node))
        case "inverse_deviation":
            values, mean = node.data
            share = make("mul", make("mul", d, node), back.graph.reciprocal(values.width))
            back.add(values, make("neg", make("mul", share, make("normal", values, mean, node))))
        # floor and comparisons are flat; the maximum is only softmax's own, where its gradient cancels


def kept(step: Step, gradient: StepGradient) -> list[Node]:
    """Return the values of the step that back-propagation needs and that are expensive to compute again."""
    forward = {id(node) for node in in_order(step.roots)}
    roots = [
        *([gradient.given] if gradient.given else []),
        *gradient.states,
        *gradient.vectors.values(),
        *(d for _, _, d in gradient.products),
    ]
    needed = {id(source): source for _, source, _ in gradient.products}
    cheap: list[Node] = []
    seen: set[int] = set()

    def visit(node: Node) -> None:
        if id(node) in seen or _given(node):
            return
        seen.add(id(node))
        if id(node) not in forward:
            for argument in node.arguments:
                visit(argument)
        elif node.operation in KEPT:
            needed[id(node)] = node
        else:
            cheap.append(node)

    for root in roots:
        visit(root)
    # A cheap value is computed again if what it is made of is there anyway, or is less to keep than it is itself.
    for node in sorted(cheap, key=lambda each: len(in_order([each]))):
        missing = _missing(node, needed)
        narrower = sum(each.width for each in missing.values()) < node.width
        needed |= missing if narrower else {id(node): node}
    return list(needed.values())


def _missing(node: Node, needed: dict[int, Node]) -> dict[int, Node]:
    """Return the nodes, by id, that would also have to be kept to compute a value again."""
    missing: dict[int, Node] = {}
    pending, seen = [node], set(needed)
    while pending:
        each = pending.pop()
        if id(each) in seen or _given(each):
            continue
        seen.add(id(each))
        if each.operation in KEPT:
            missing[id(each)] = each
        else:
            pending.extend(each.arguments)
    return missing


def _given(node: Node) -> bool:
    """Return whether the backward pass has a value without keeping it."""
    return node.operation in NUMBERS | {"vector"} or (
        node.operation == "slice" and node.arguments[0].operation == "vector"
    )
