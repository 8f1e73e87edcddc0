"""Order the computation of one step: matrix products, and between them loops over the elements of a row.

A step is divided into stages. A stage begins with the matrix products whose inputs the earlier stages have computed,
over all rows at once. Then it computes the rest row by row, in loops over one width each. A loop that needs a sum over
a row comes after the loop that computes the sum.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sluice_cells.engines.fast.graph import COSTLY, MEMORY, REDUCTIONS, Node, in_order, starts_of

Place = tuple[int, int]
"""The stage of a loop, and the loop's order within it."""


@dataclass(frozen=True)
class Target:
    """Where a value is stored.

    Args:
        kind: "array" is the caller's memory, with a row for each row of the batch; "running" is a state, which the
            next step reads; "buffer" is for use in this step; "total" is a sum over all rows and steps.
        key: which array, state, buffer or total.
        width: the width of the whole, of which the value may be a part.
        start: where in the whole the value begins.
        optional: whether the value is stored only if the caller has provided the array.
    """

    kind: str
    key: object
    width: int
    start: int = 0
    optional: bool = False


@dataclass
class Loop:
    """One loop over the elements of a row: the values it stores, and its reductions."""

    place: Place
    width: int
    stores: list[tuple[Node, Target]] = field(default_factory=list)
    reductions: list[Node] = field(default_factory=list)

    @property
    def roots(self) -> list[Node]:
        """Return the nodes that the loop must compute."""
        return [node for node, _ in self.stores] + [node.arguments[0] for node in self.reductions]


class Schedule:
    """The stages of one step, forward or backward."""

    def __init__(
        self,
        sinks: list[tuple[Node, Target]],
        available: set[int],
        masks: dict[int, Node] | None = None,
        gathered: Sequence[tuple[str, Node, Node]] = (),
    ) -> None:
        """Schedule a step.

        Args:
            sinks: the values to store, and where.
            available: ids of nodes whose value is in memory before the step.
            masks: by the id of a product, the mask outside of which the product is not used.
            gathered: names of matrices, each with the input of its product and the gradient of its product's output;
                both are in buffers at the end of the step.
        """
        self.available = available
        self.masks = masks or {}
        self.stored: set[int] = set()
        self._places: dict[int, Place] = {}
        parts = [
            (part, replace(target, start=target.start + start))
            for node, target in sinks
            for start, part in starts_of(node)
        ]
        self.gathered = gathered
        self.sinks = sinks
        roots = [node for node, _ in sinks] + [gradient for _, _, gradient in gathered]
        nodes = in_order(roots)
        reached = self._reached(roots)
        self.products = [
            node for node in nodes if node.operation in ("linear", "linear_t") and id(node) in reached
        ]
        factors = [each.arguments[0] for each in self.products if not self.in_buffer(each.arguments[0])]
        for _, source, gradient in gathered:
            factors += [each for each in (source, gradient) if not self._is_product(each)]
        for factor in {id(each): each for each in factors}.values():
            there = [(0, factor)] if id(factor) in available else starts_of(factor)
            parts += [(part, Target("buffer", factor, factor.width, start)) for start, part in there]
            read = factor.operation in ("cat", "slice", "vector", "state", "state_gradient")
            if not read and id(factor) not in available:
                self.stored.add(id(factor))
        for product in self.products:
            mask = self.masks.get(id(product))
            if mask is not None and id(mask) not in self.stored:
                parts.append((mask, Target("buffer", mask, mask.width)))
                self.stored.add(id(mask))
        self.reductions = [node for node in nodes if node.operation in REDUCTIONS and id(node) in reached]
        self.stored |= {id(node) for node in self.reductions}
        self._arrange(parts)

    def _reached(self, roots: list[Node]) -> set[int]:
        """Return the ids of the nodes that must be computed, given those that are available."""
        reached: set[int] = set()
        pending = list(roots)
        while pending:
            node = pending.pop()
            if id(node) not in reached and id(node) not in self.available:
                reached.add(id(node))
                pending.extend(node.arguments)
        return reached

    def in_buffer(self, node: Node) -> bool:
        """Return whether a node is in the thread's padded rows, where a product can read it."""
        return self.is_running(node) or node.operation in ("linear", "linear_t")

    def is_running(self, node: Node) -> bool:
        """Return whether a node is a state that the previous step has stored."""
        return node.operation in ("state", "state_gradient") and id(node) not in self.available

    def _is_product(self, node: Node) -> bool:
        return node.operation in ("linear", "linear_t") and id(node) not in self.available

    def wanted_by(self, product: Node) -> Any:
        """Return the optional array that is the only use of a product; else None."""
        certain = [node for node, target in self.sinks if not target.optional]
        if id(product) in self._reached(certain + [gradient for _, _, gradient in self.gathered]):
            return None
        optional = [(node, target.key) for node, target in self.sinks if target.optional]
        return next(key for node, key in optional if id(product) in self._reached([node]))

    def _arrange(self, parts: list[tuple[Node, Target]]) -> None:
        """Create the loops; an expensive value that two loops need is stored by the loop that computes it."""
        while True:
            self.written = {
                id(node): to for node, to in reversed(parts) if to.kind != "total" and not to.optional
            }
            self.loops = self._loops(parts)
            users: dict[int, set[int]] = {}
            costly: dict[int, Node] = {}
            for number, loop in enumerate(self.loops):
                for node in self.computed(loop):
                    if node.operation in COSTLY and node.width > 1:
                        users.setdefault(id(node), set()).add(number)
                        costly[id(node)] = node
            shared = [costly[key] for key, loops in users.items() if len(loops) > 1]
            if not shared:
                return
            parts = parts + [(node, Target("buffer", node, node.width)) for node in shared]
            self.stored |= {id(node) for node in shared}

    def _loops(self, parts: list[tuple[Node, Target]]) -> list[Loop]:
        loops: dict[tuple[Place, int], Loop] = {}

        def loop(node: Node, width: int) -> Loop:
            key = (self.place(node), width)
            return loops.setdefault(key, Loop(*key))

        for node, target in parts:
            loop(node, node.width).stores.append((node, target))
        for node in self.reductions:
            source = node.arguments[0]
            loop(source, source.width).reductions.append(node)
        return sorted(loops.values(), key=lambda each: (each.place, each.width))

    def place(self, node: Node) -> Place:
        """Return the first stage and loop in which a node's value can be computed."""
        if id(node) in self.available or not node.arguments:
            return (0, 0)
        if id(node) not in self._places:
            stage, order = max(self.place(argument) for argument in node.arguments)
            if node.operation in ("linear", "linear_t"):
                stage, order = stage + 1, 0
            elif node.operation in REDUCTIONS:
                order += 1
            self._places[id(node)] = (stage, order)
        return self._places[id(node)]

    def in_memory(self, node: Node, loop: Loop) -> bool:
        """Return whether a loop loads a node's value, perhaps from where an earlier loop wrote it."""
        if id(node) in self.available or id(node) in self.stored:
            return True
        if id(node) in self.written and self.place(node) < loop.place:
            return True
        return node.operation in ("linear", "linear_t", "vector", "state", "state_gradient", "slice")

    def computed(self, loop: Loop) -> list[Node]:
        """Return the nodes that a loop computes for its roots, in order; it loads the others."""
        done: dict[int, Node] = {}
        own = {
            id(root) for root in loop.roots if root.operation not in REDUCTIONS
        } & self.stored - self.available

        def visit(node: Node) -> None:
            if id(node) in done or (self.in_memory(node, loop) and id(node) not in own):
                return
            for argument in node.arguments:
                visit(argument)
            done[id(node)] = node

        for root in loop.roots:
            visit(root)
        return list(done.values())

    def loads(self, loop: Loop) -> list[Node]:
        """Return the nodes that a loop loads from memory."""
        computed = self.computed(loop)
        own = {id(node) for node in computed}
        wanted = [*loop.roots, *(argument for node in computed for argument in node.arguments)]
        return list(
            {id(node): node for node in wanted if id(node) not in own and self.in_memory(node, loop)}.values()
        )

    @property
    def stages(self) -> range:
        """Return all stages."""
        last = max([loop.place[0] for loop in self.loops] + [self.place(node)[0] for node in self.products])
        return range(last + 1)

    def in_place(self, key: object, state: Node) -> bool:
        """Return whether a state's new value may overwrite the old one, because nothing reads the old one later."""
        first = next(
            number
            for number, loop in enumerate(self.loops)
            if any((to.kind, to.key) == ("running", key) for _, to in loop.stores)
        )
        stage = self.loops[first].place[0]
        if any(node.arguments[0] is state and self.place(node)[0] > stage for node in self.products):
            return False
        for number, loop in enumerate(self.loops):
            for node in self.loads(loop):
                part = node.operation == "slice" and node.arguments[0] is state
                if (node is state and number > first) or (part and number >= first):
                    return False
        return True


def masks_of(products: list[Node], nodes: list[Node]) -> dict[int, Node]:
    """Map the ids of products of which `torch.where` uses only some elements to the mask that selects them.

    For example, products for clockwork units that do not update at a step are not used and need not be computed. The
    mask must be known before the product, and the product must be used through this mask only.
    """
    users: dict[int, list[Node]] = {}
    for node in nodes:
        for argument in node.arguments:
            users.setdefault(id(argument), []).append(node)

    def ends(node: Node, width: int) -> set[Node | None]:
        found: set[Node | None] = set()
        for user in users.get(id(node), []):
            if (
                user.operation == "where"
                and user.arguments[1] is node
                and node not in (*user.arguments[::2],)
            ):
                found.add(user.arguments[0])
            elif user.width == width and user.operation not in MEMORY | REDUCTIONS | {"slice", "cat"}:
                found |= ends(user, width)
            else:
                found.add(None)
        return found or {None}  # the result itself

    masks = {}
    for product in products:
        (mask, *others) = ends(product, product.width)
        if mask is None or others or mask.width != product.width:
            continue
        if all(node.operation != "linear" for node in in_order([mask])):
            masks[id(product)] = mask
    return masks
