"""Generate the C++ of a cell's step and of its gradient over all time steps, and describe its functions' arguments."""

from dataclasses import dataclass
from typing import Any

from sluice_cells.engines.fast.cpp_printer import PrintedPart, Printer, RowRecord
from sluice_cells.engines.fast.gradient import StepGradient, differentiate, kept
from sluice_cells.engines.fast.graph import Node, in_order
from sluice_cells.engines.fast.schedule import Schedule, Target, masks_of
from sluice_cells.engines.fast.templates import SHARED
from sluice_cells.engines.fast.trace import Step
from sluice_cells.products.compiled import head


@dataclass
class Pass:
    """A compiled function, forward or backward.

    Args:
        name: the C function.
        arrays: kind and key of each array in its table of pointers, in order.
    """

    name: str
    arrays: list[tuple[str, Any]]


class Source:
    """The C++ source of one cell, and the arguments of its functions."""

    def __init__(self, step: Step, *, fused: bool = False) -> None:
        """Generate the source; a fused one sums the gradients of matrices inside the loop."""
        self.step = step
        self.fused = fused
        self.gradient: StepGradient = differentiate(step)
        needed = kept(step, self.gradient)
        self.earlier = self._earlier(needed) if fused else {}
        self.record = self._record(needed)
        self.kept = [node for node in needed if id(node) not in self.record.starts]
        self.kept_apart = {place: node for place, node in enumerate(self.kept) if self._apart(node)}
        nodes = in_order(step.roots)
        products = [node for node in nodes if node.operation == "linear"]
        self.masks = masks_of(products, nodes)
        # Gradients of a masked product are zero outside the mask.
        self.sparse = {node.data for node in products if id(node) in self.masks}
        self.dimensions: list[int] = []
        self.products: list[tuple[str, tuple[str, int], int]] = []
        self.row_gradients: dict[object, int] = {}
        functions = [self._forward(), self._backward()]
        self.forward, self.backward = (one for one, _ in functions)
        self.text = head(sparse=bool(self.sparse)) + SHARED + "".join(text for _, text in functions)

    def _apart(self, node: Node) -> bool:
        """Return whether a kept value needs its own memory; the caller has its arguments and the output anyway."""
        return node is not self.step.output and node.operation != "given" and id(node) not in self.earlier

    def _record(self, needed: list[Node]) -> RowRecord:
        """Return the kept values that are read row by row only, which excludes factors of products."""
        elsewhere = {id(node) for node in self.earlier.values()}
        if not self.fused:
            elsewhere |= {id(source) for _, source, _ in self.gradient.products}
        return RowRecord([node for node in needed if self._apart(node) and id(node) not in elsewhere])

    def _earlier(self, needed: list[Node]) -> dict[int, Node]:
        """Map ids of old states that need not be kept to the equal value that the previous step keeps."""
        found = {}
        for node in [each for each in needed if each.operation == "state"]:
            value = self.step.new_states[node.data]
            if value.width != node.width or value.operation == "state":
                continue
            if value is self.step.output and value not in needed:
                needed.append(value)
            if value in needed:
                found[id(node)] = value
        return found

    def _forward(self) -> tuple[Pass, str]:
        step = self.step
        sinks = [
            (node, Target("array", ("kept", place), node.width, optional=True))
            for place, node in self.kept_apart.items()
        ]
        sinks += [
            (
                node,
                Target(
                    "array", ("record", 0), self.record.width, self.record.starts[id(node)], optional=True
                ),
            )
            for node in self.record.nodes
        ]
        for place, node in enumerate(step.new_states):
            width = step.states[place]
            sinks.append((step.graph.widened(node, width), Target("running", place, width)))
        sinks.append((step.output, Target("array", ("output", 0), step.output.width)))
        schedule = Schedule(sinks, {id(step.graph.node("given", width=step.given))}, self.masks)
        return self._function("forward", PrintedPart(schedule), "state", self._start())

    def _start(self) -> PrintedPart | None:
        """Return the computation of the last output before the first step."""
        start = self.step.start
        if start is None:
            return None
        place, last = len(start.states) - 1, start.new_states[-1]
        running = Target("buffer", ("running", place), last.width)
        first = Target("array", ("first", place), last.width, optional=True)
        return PrintedPart(Schedule([(last, running), (last, first)], set()))

    def _end(self) -> PrintedPart | None:
        """Return the computation of the gradient of `_start` after the last step of back-propagation."""
        start = self.step.start
        if start is None:
            return None
        gradient = differentiate(start)
        sinks = [
            (node, Target("buffer", ("running", place), node.width))
            for place, node in enumerate(gradient.states[:-1])
        ]
        sinks += [(node, Target("total", name, node.width)) for name, node in gradient.vectors.items()]
        memory = {id(node): ("first", place) for place, node in enumerate(start.new_states[:-1])}
        return PrintedPart(Schedule(sinks, {*memory}, gathered=gradient.products), memory)

    def _backward(self) -> tuple[Pass, str]:
        step, gradient = self.step, self.gradient
        sinks: list[tuple[Node, Target]] = []
        output = step.graph.node("output_gradient", width=step.output.width)
        arrays: dict[int, tuple[str, int]] = {id(output): ("output_gradient", 0)}
        if gradient.given is not None:
            arrays[id(gradient.given)] = ("given_gradient", 0)
            target = Target("array", ("given_gradient", 0), step.given, optional=self.fused)
            sinks.append((gradient.given, target))
        places = {id(node): place for place, node in enumerate(self.kept)}
        for number, (name, source, node) in enumerate([] if self.fused else gradient.products):
            if id(node) not in arrays:
                arrays[id(node)] = ("product", number)
                sinks.append((node, Target("array", ("product", number), node.width)))
            self.products.append((name, arrays[id(node)], places[id(source)]))
        self.row_gradients = {to.key: to.width for _, to in sinks}
        for place, node in enumerate(gradient.states):
            sinks.append((node, Target("running", place, step.states[place])))
        sinks += [(node, Target("total", name, node.width)) for name, node in gradient.vectors.items()]
        memory = {id(node): ("kept", places[id(self.earlier.get(id(node), node))]) for node in self.kept}
        gathered = gradient.products if self.fused else []
        schedule = Schedule(sinks, {*memory, *self.record.starts, id(output)}, gathered=gathered)
        part = PrintedPart(schedule, memory, set(self.earlier), self.record)
        return self._function("backward", part, "state_gradient", self._end())

    def _function(
        self, name: str, main: PrintedPart, leaf: str, aside: PrintedPart | None
    ) -> tuple[Pass, str]:
        widths = enumerate(self.step.states)
        leaves = [self.step.graph.node(leaf, width=width, data=place) for place, width in widths]
        printer = Printer(name, main, leaves, aside, self.dimensions, self.sparse)
        return Pass(name, printer.arrays), printer.text
