"""Print a function over all time steps as C++.

Each of n threads takes every n-th sequence, longest first, so that all have about equal work and none waits for another
before the end. Only if there are fewer sequences than threads do the threads share the matrix products of a sequence.
States, products and intermediate values are in buffers of the thread, whose rows are padded to the width of the
product's panels; the caller's arrays are packed rows `[rows, width]`. If they are ordered by sequence, the rows of one
step are far apart in memory, so each is prefetched during the previous step. What back-propagation reads row by row is
kept in one array, the row record, in which the rows of a step and a thread are adjacent.
"""

from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any

from sluice_cells.engines.fast.graph import NUMBERS, Node
from sluice_cells.engines.fast.schedule import Loop, Schedule, Target
from sluice_cells.engines.fast.templates import EXPRESSIONS, FUNCTION


class RowRecord:
    """The values kept for a row, side by side in one of the caller's arrays, so that they are close in memory."""

    def __init__(self, nodes: list[Node]) -> None:
        self.nodes = nodes
        ends = list(accumulate((node.width for node in nodes), initial=0))
        self.starts = {id(node): start for node, start in zip(nodes, ends, strict=False)}
        self.width = ends[-1]


@dataclass
class PrintedPart:
    """What a function computes in each step, or once before or after the steps.

    Args:
        schedule: the computation.
        kept: by the id of a node whose value is in the caller's memory, the array that holds it.
        earlier: ids of the nodes whose value is there in the row of the previous step (first the initial state).
        record: nodes whose value is in the caller's row record.
    """

    schedule: Schedule
    kept: dict[int, tuple[str, int]] = field(default_factory=dict)
    earlier: set[int] = field(default_factory=set)
    record: RowRecord = field(default_factory=lambda: RowRecord([]))


class Printer:
    """Prints one C++ function."""

    def __init__(
        self,
        name: str,
        main: PrintedPart,
        leaves: list[Node],
        aside: PrintedPart | None,
        dimensions: list[int],
        sparse: set[str],
    ) -> None:
        """Print the function.

        Args:
            name: its name; "forward" goes through time in the cell's direction, any other against it.
            main: what it computes in each step.
            leaves: its running states; the caller does not provide the last of them if `aside` is given.
            aside: what it computes before the first step, or after the last step of back-propagation.
            dimensions: sizes of the cell, to which new ones are appended.
            sparse: names of matrices whose products have gradients that are partly zero.
        """
        self.leaves, self.dimensions, self.sparse = leaves, dimensions, sparse
        self.theirs = leaves if aside is None else leaves[:-1]
        self.arrays: list[tuple[str, Any]] = []
        self.buffers: dict[object, tuple[str, int]] = {}  # name in C and width, by what is in it
        self.forward = name == "forward"
        # Columns and depth in C, by operation and name.
        self.packed: dict[tuple[str, str], tuple[str, str]] = {}
        self.matrices: dict[str, tuple[str, str, str]] = {}  # name, rows and columns in C, by name
        schedules = [part.schedule for part in (main, aside) if part]
        self.factors = {id(node) for each in schedules for _, *nodes in each.gathered for node in nodes}
        self.widest = max(
            (to.width for each in schedules for loop in each.loops for _, to in loop.stores), default=1
        )
        self.in_place = [main.schedule.in_place(place, leaf) for place, leaf in enumerate(leaves)]
        stages, gather = self._part(main)
        beside = "" if aside is None else self._aside(aside)
        advance = self._advance()
        begin, end = self._copies("initial"), self._copies("final")
        reverse = "reverse" if self.forward else "!reverse"
        self.text = FUNCTION.format(
            name=name,
            buffers=self._memory(),
            begin=begin,
            end=end,
            before=beside if self.forward else "",
            after="" if self.forward else beside,
            order=f"{reverse} ? steps - 1 - q : q",
            following=f"{reverse} ? t - 1 : t + 1",
            stages=stages,
            gather=gather,
            # Rows of units that rest are left out, but not where others stand between them.
            enough="1" if any(name in sparse for name, _, _ in main.schedule.gathered) else "ENOUGH",
            advance=advance,
            totals=self._totals(),
            matrices=self._matrices(),
            packed=self._packed(),
            total_size=" + ".join(["0", *(size for _, _, size in self._total_buffers())]),
            matrix_size=" + ".join(
                ["0", *(f"{rows} * {columns}" for _, rows, columns in self.matrices.values())]
            ),
            sums=self._added_up(),
        )

    # Names of things in C

    def _dimension(self, value: int) -> str:
        if value in (0, 1):
            return str(value)
        if value not in self.dimensions:
            self.dimensions.append(value)
        return f"D[{self.dimensions.index(value)}]"

    def _number(self, node: Node) -> str:
        if node.operation == "reciprocal":
            return f"(1.f / (float){self._dimension(node.data)})"
        return f"({node.data!r}f)"

    def _array(self, key: tuple[str, object]) -> int:
        if key not in self.arrays:
            self.arrays.append(key)
        return self.arrays.index(key)

    def _buffer(self, key: object, width: int) -> str:
        name, _ = self.buffers.setdefault(key, (f"b{len(self.buffers)}", width))
        return name

    def _rows(self, key: object, width: int) -> str:
        """Return the pointer to a buffer's rows of this step; factors of matrix gradients stay for several steps."""
        waiting = f" + waiting * padded({self._dimension(width)})" if id(key) in self.factors else ""
        return self._buffer(key, width) + waiting

    def _buffer_row(self, key: object, width: int) -> str:
        return f"{self._rows(key, width)} + b * padded({self._dimension(width)})"

    def _array_row(self, key: tuple[str, object], width: int) -> str:
        rows = {"first": "first + b * stride", "record": "recorded + b"}
        row = rows.get(key[0], "row + b * next")
        return f"(float*)P[{self._array(key)}] + ({row}) * {self._dimension(width)}"

    def _where(self, node: Node) -> str:
        """Return the C expression of a pointer to the value of a node in a row."""
        node, begin = self._base(node)
        start = f" + {self._dimension(begin)}" if begin else ""
        kept = self.part.kept.get(id(node))
        if kept is not None and id(node) in self.part.earlier:
            first, array = self._array_row(("first", node.data), node.width), self._array(kept)
            width = self._dimension(node.width)
            return f"(b < before ? (float*)P[{array}] + (row + ahead + b * next) * {width} : {first}){start}"
        if kept is not None:
            return self._array_row(kept, node.width) + start
        if id(node) in self.part.record.starts:
            begin += self.part.record.starts[id(node)]
            return f"{self._array_row(('record', 0), self.part.record.width)} + {self._dimension(begin)}"
        if id(node) in self.schedule.stored or node.operation in ("linear", "linear_t"):
            return self._buffer_row(node, node.width) + start
        if node.operation == "vector":
            return f"(const float*)P[{self._array(('weight', node.data))}]" + start
        if node.operation in ("state", "state_gradient"):
            return self._buffer_row(("running", node.data), node.width) + start
        if node.operation in ("given", "output_gradient"):
            return self._array_row((node.operation, 0), node.width) + start
        return self._target(self.schedule.written[id(node)])

    def _base(self, node: Node) -> tuple[Node, int]:
        """Return the node that is in memory as a whole, and where in it the given node begins."""
        if node.operation == "slice" and id(node) not in self.schedule.available | self.schedule.stored:
            return node.arguments[0], node.data
        return node, 0

    def _fetched(self, node: Node) -> list[str]:
        """Return C++ that prefetches the next row of the caller's array that holds a node."""
        base, _ = self._base(node)
        if id(base) in self.part.record.starts:
            return self._fetch("fetch", ("record", 0), self.part.record.width)
        key = self.part.kept.get(id(base))
        given = base.operation in ("given", "output_gradient") and id(base) not in self.schedule.stored
        if key is None and given:
            return self._fetch("fetch", (base.operation, 0), base.width)
        if key is None or key[0] == "first":
            return []
        if id(base) in self.part.earlier:
            return self._fetch("fetch", key, base.width, "2 * ahead")
        left = {self.part.kept[each] for each in self.part.earlier}  # there since the step before
        return [] if key in left else self._fetch("fetch", key, base.width)

    def _fetch(self, how: str, key: tuple[str, object], width: int, ahead: str = "ahead") -> list[str]:
        """Return C++ that prefetches the row record's next row, or another array's of the next step, once a step."""
        if (how, key) in self.fetched:
            return []
        self.fetched.add((how, key))
        size, rows = self._dimension(width), "1" if key[0] == "record" else ahead
        # To look for what is nowhere takes long; the caller may go without some of what is written.
        there = f"if (P[{self._array(key)}]) " if how == "fetch_to_write" else ""
        return [f"{there}{how}({self._array_row(key, width)} + {rows} * {size}, {size});"]

    # Parts of the function

    @property
    def schedule(self) -> Schedule:
        """The schedule that is being printed."""
        return self.part.schedule

    def _part(self, part: PrintedPart) -> tuple[str, str]:
        """Return C++ of a part's computation, and of what it adds to the gradients of matrices."""
        self.part = part
        self.fetched: set[tuple[str, tuple[str, object]]] = set()
        stages = "".join(self._stage(stage) for stage in part.schedule.stages)
        return stages, "".join(self._gather(*each) for each in part.schedule.gathered)

    def _aside(self, part: PrintedPart) -> str:
        """Return C++ of a part that is computed once for all sequences."""
        stages, gather = self._part(part)
        gather = f"    waiting = mine;\n{gather}    waiting = 0;\n" if gather else ""
        return f"  waiting = 0;\n  {{ const long alive = mine;\n{stages}{gather}  }}\n"

    def _stage(self, stage: int) -> str:
        lines = [
            self._product(node) for node in self.schedule.products if self.schedule.place(node)[0] == stage
        ]
        loops = [self._loop(loop) for loop in self.schedule.loops if loop.place[0] == stage]
        if loops:
            lines.append("    for (long b = 0; b < alive; b++) {\n" + "".join(loops) + "    }\n")
        return "".join(lines)

    def _product(self, node: Node) -> str:
        source = node.arguments[0]
        key = ("running", source.data) if self.schedule.is_running(source) else source
        width, depth = self._dimension(node.width), self._dimension(source.width)
        self.packed.setdefault((node.operation, node.data), (width, depth))
        place = list(self.packed).index((node.operation, node.data))
        mask = self.schedule.masks.get(id(node))
        mask_buffer = "nullptr" if mask is None else self._rows(mask, mask.width)
        sparse = "true" if node.operation == "linear_t" and node.data in self.sparse else "false"
        wanted = self.schedule.wanted_by(node)
        condition = "" if wanted is None else f"if (P[{self._array(wanted)}]) "
        return (
            f"    {condition}shared->product(alive, {width}, {depth}, {self._rows(key, source.width)}, padded({depth}),"
            f" W[{place}], {self._rows(node, node.width)}, padded({width}),"
            f" {mask_buffer}, {sparse}, team);\n"
        )

    def _gather(self, name: str, source: Node, gradient: Node) -> str:
        """Return C++ that adds a step's part of the gradient of a matrix, if the caller wants it."""
        rows, columns = self._dimension(gradient.width), self._dimension(source.width)
        held = self.matrices.setdefault(name, (f"m{len(self.matrices)}", rows, columns))[0]
        factors = ", ".join(
            f"{self._buffer(node, node.width)}, padded({self._dimension(node.width)})"
            for node in (gradient, source)
        )
        sparse = "true" if name in self.sparse else "false"
        wanted = self._array(("gradient", name))
        return f"      if (P[{wanted}]) shared->gather(waiting, {rows}, {columns}, {factors}, {held}, {sparse});\n"

    def _target(self, target: Target) -> str:
        start = f" + {self._dimension(target.start)}" if target.start else ""
        if target.kind == "array":
            row = self._array_row(target.key, target.width) + start  # type: ignore[arg-type]
            if not target.optional:
                return row
            # Where nothing is kept it goes to one row of the thread's own, over and over.
            return f"P[{self._array(target.key)}] ? {row} : {self._buffer('spare', self.widest)}"  # type: ignore
        if target.kind == "total":
            return self._buffer(("total", target.key), target.width) + start
        if target.kind == "running" and not self.in_place[target.key]:  # type: ignore[call-overload]
            return self._buffer_row(("next", target.key), target.width) + start
        key = target.key if target.kind == "buffer" else ("running", target.key)
        return self._buffer_row(key, target.width) + start

    def _loop(self, loop: Loop) -> str:
        """Return C++ of one loop: pointers, loads, arithmetic, stores."""
        computed, loads = self.schedule.computed(loop), self.schedule.loads(loop)
        names: dict[int, str] = {}
        before: list[str] = []
        inside: list[str] = []
        for number, node in enumerate(loads):
            names[id(node)] = f"l{number}"
            before.append(f"const float* p{number} = {self._where(node)};")
            before += self._fetched(node)
            line = f"const float l{number} = p{number}[{0 if node.width == 1 else 'j'}];"
            (before if node.width == 1 else inside).append(line)
        for number, node in enumerate(computed):
            if node.operation in NUMBERS:
                names[id(node)] = self._number(node)
                continue
            names[id(node)] = f"v{number}"
            arguments = [names[id(argument)] for argument in node.arguments]
            line = f"const float v{number} = {EXPRESSIONS[node.operation].format(*arguments)};"
            (before if node.width == 1 else inside).append(line)
        for number, (node, target) in enumerate(loop.stores):
            sign = "+=" if target.kind == "total" else "="
            before.append(f"float* s{number} = {self._target(target)};")
            if target.kind == "array" and target.key[0] != "first":  # type: ignore[index]
                before += self._fetch("fetch_to_write", target.key, target.width)  # type: ignore[arg-type]
            inside.append(f"s{number}[j] {sign} {names[id(node)]};")
        sums, after = self._sums(loop, names, before, inside)
        width = self._dimension(loop.width)
        body = "\n          ".join(inside)
        head = "\n        ".join(before)
        pragma = f"#pragma omp simd {sums}" if sums else "#pragma GCC ivdep"
        return (
            f"      {{ {head}\n        {pragma}\n        for (long j = 0; j < {width}; j++) {{\n"
            f"          {body}\n        }}\n        {after}}}\n"
        )

    def _sums(
        self, loop: Loop, names: dict[int, str], before: list[str], inside: list[str]
    ) -> tuple[str, str]:
        """Return the OpenMP clause of a loop's reductions, and the C++ that stores their results."""
        clauses, after = "", ""
        for number, node in enumerate(loop.reductions):
            value = names[id(node.arguments[0])]
            total = f"r{number}"
            if node.operation == "sum":
                before.append(f"float {total} = 0.f;")
                inside.append(f"{total} += {value};")
            else:
                before.append(f"float {total} = -3.4e38f;")
                inside.append(f"{total} = {total} > {value} ? {total} : {value};")
            clauses += f"reduction({'+' if node.operation == 'sum' else 'max'}:{total}) "
            after += f"({self._buffer_row(node, 1)})[0] = {total}; "
        return clauses, after

    def _advance(self) -> str:
        """Return C++ that copies new states over old ones at the end of a step, if they could not overwrite them."""
        lines = ""
        for place, leaf in enumerate(self.leaves):
            if not self.in_place[place]:
                size = f"alive * padded({self._dimension(leaf.width)}) * 4"
                old, new = (self._buffer((kind, place), leaf.width) for kind in ("running", "next"))
                lines += f"    memcpy({old}, {new}, {size});\n"
        return lines

    def _totals(self) -> str:
        """Return C++ that adds the sums of vectors' gradients to doubles, since floats are exact for few rows only."""
        lines, place = "", "T"
        for _, name, size in self._total_buffers():
            lines += f"  shared->put_to({place}, {name}, {size});\n"
            place += f" + {size}"
        return lines

    def _matrices(self) -> str:
        """Return C++ that adds the matrix gradients of some rows to those of all rows."""
        lines, place = "", "M"
        for held, rows, columns in self.matrices.values():
            lines += f"  shared->put_matrix({place}, {held}, {rows}, {columns});\n"
            place += f" + {rows} * {columns}"
        return lines

    def _packed(self) -> str:
        """Return C++ that copies the matrices it multiplies by into panels."""
        if not self.packed:
            return "  float* const W[] = {nullptr};\n"
        sizes = [f"packed_floats({columns}, {depth})" for columns, depth in self.packed.values()]
        lines = f"  float* W[{len(sizes)}];\n"
        lines += f"  W[0] = new_floats({' + '.join(sizes)});\n"
        for place, size in enumerate(sizes[:-1], 1):
            lines += f"  W[{place}] = W[{place - 1}] + {size};\n"
        for place, ((operation, name), (columns, depth)) in enumerate(self.packed.items()):
            shape = f"{columns}, {depth}" if operation == "linear" else f"{depth}, {columns}"
            matrix = self._array(("weight", name))
            lines += f"  shared->pack_{operation}({shape}, (const float*)P[{matrix}], W[{place}]);\n"
        return lines

    def _added_up(self) -> str:
        """Return C++ that sums the gradients of weights over all threads into the caller's memory."""
        lines, place = "", "T"
        for (_, weight), _, size in self._total_buffers():
            array = self._array(("gradient", weight))
            lines += f"  shared->add_up_vectors({place}, threads, totals, {size}, (float*)P[{array}]);\n"
            place += f" + {size}"
        place = "M"
        for weight, (_, rows, columns) in self.matrices.items():
            array = self._array(("gradient", weight))
            lines += f"  shared->add_up_matrices({place}, threads, matrices, {rows} * {columns}, (float*)P[{array}]);\n"
            place += f" + {rows} * {columns}"
        return lines

    def _total_buffers(self) -> list[tuple[tuple[str, object], str, str]]:
        """Return key, name in C and width in C of each buffer that `_target` made for totals."""
        return [
            (key, name, self._dimension(width))
            for key, (name, width) in self.buffers.items()
            if isinstance(key, tuple) and key[0] == "total"
        ]

    def _copies(self, when: str) -> str:
        """Return C++ that copies states from the caller's memory to the thread's, or back, if the caller has any."""
        lines = ""
        if when == "initial" and not self.forward and len(self.theirs) < len(self.leaves):
            last = self.leaves[-1]
            mine = self._buffer_row(("running", last.data), last.width)
            lines += f"    memset({mine}, 0, {self._dimension(last.width)} * 4);\n"
        for place, leaf in enumerate(self.theirs):
            width = self._dimension(leaf.width)
            mine = self._buffer_row(("running", place), leaf.width)
            array = f"P[{self._array((when, place))}]"
            theirs = f"(float*){array} + g * {width}"
            if when == "initial":
                lines += f"    if ({array}) memcpy({mine}, {theirs}, {width} * 4);\n"
                lines += f"    else memset({mine}, 0, {width} * 4);\n"
            else:
                lines += f"    if ({array}) memcpy({theirs}, {mine}, {width} * 4);\n"
        return lines

    def _memory(self) -> str:
        """Return C++ that allocates the thread's buffers as one block, and zeroes those that need it."""
        lines, place, zeroed = [], "memory", []
        for key, (name, width) in self.buffers.items():
            rows = "(mine + ENOUGH)" if id(key) in self.factors else "mine"
            size = f"{rows} * padded({self._dimension(width)})"
            lines.append(f"  float* {name} = {place};")
            place = f"{name} + {size}"
            if id(key) in self.factors:  # what stands beside a row is multiplied, too
                zeroed.append(f"  if ({self._dimension(width)} % PANEL) memset({name}, 0, {size} * 4);")
        for name, rows, columns in self.matrices.values():
            lines.append(f"  float* {name} = {place};")
            place = f"{name} + {rows} * padded({columns})"
            zeroed.append(f"  memset({name}, 0, {rows} * padded({columns}) * 4);")
        zeroed += [f"  memset({name}, 0, {size} * 4);" for _, name, size in self._total_buffers()]
        return "\n".join([f"  float* memory = new_floats({self._floats()});", *lines, *zeroed])

    def _floats(self) -> str:
        """Return the C expression of the number of floats in the thread's buffers."""
        mine = [f"mine * padded({self._dimension(width)})" for _, width in self.buffers.values()]
        more = [
            f"ENOUGH * padded({self._dimension(width)})"
            for key, (_, width) in self.buffers.items()
            if id(key) in self.factors
        ]
        held = [f"{rows} * padded({columns})" for _, rows, columns in self.matrices.values()]
        return " + ".join(["0", *mine, *more, *held])
