"""Print a cell's step and its gradient as C++ over all time steps.

A thread takes every n-th sequence, longest first, so that threads have like work; it needs no other thread until it is
done. Only where there are fewer sequences than threads do they share the matrix products of one. State, products and
what loops exchange live in the thread's own buffers, whose rows are padded to the product's panels; what the caller
gave or gets is `[rows, width]`, packed.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cells.engines.fast.gradient import StepGradient, differentiate, kept
from cells.engines.fast.graph import NUMBERS, Node, in_order
from cells.engines.fast.schedule import Loop, Schedule, Target, masks_of
from cells.engines.fast.trace import Step

KERNELS = Path(__file__).with_name("kernels.h")

_EXPRESSIONS = {
    "add": "{} + {}",
    "sub": "{} - {}",
    "mul": "{} * {}",
    "div": "{} / {}",
    "neg": "-{}",
    "sigmoid": "sigmoid_({})",
    "tanh": "tanh_({})",
    "exp": "exp_({})",
    "sqrt": "__builtin_sqrtf({})",
    "floor": "__builtin_floorf({})",
    "abs": "__builtin_fabsf({})",
    "relu": "max_({}, 0.f)",
    "maximum": "max_({}, {})",
    "remainder": "remainder_({}, {})",
    "lt": "({} < {} ? 1.f : 0.f)",
    "le": "({} <= {} ? 1.f : 0.f)",
    "eq": "({} == {} ? 1.f : 0.f)",
    "normal": "({} - {}) * {}",
    "inverse_deviation": "1.f / {}",
    "where": "({} != 0.f ? {} : {})",
    "zeros": "0.f",
}

_FUNCTION = """
static void {name}_rows(const long* D, long steps, long batch, const long* sizes, const long* offsets,
    long apart, long first, long stride, bool reverse, char* const* P, Team* team) {{
  const long mine = (batch - first + stride - 1) / stride;
{buffers}
  for (long b = 0; b < mine; b++) {{ const long g = first + b * stride; (void)g;
{begin}  }}
  long held = 0;
  for (long q = 0; q < steps; q++) {{
    const long t = {order};
    const long alive = (sizes[t] - first + stride - 1) / stride;
    if (alive <= 0) continue;
    const long row = offsets[t] + first * apart, next = stride * apart;
{stages}{advance}    if ((held += alive) >= HELD) {{
      held = 0;
{totals}    }}
  }}
{totals}  for (long b = 0; b < mine; b++) {{ const long g = first + b * stride; (void)g;
{end}  }}
  free(memory);
}}
extern "C" void {name}(const long* D, long steps, long batch, const long* sizes, const long* offsets, long apart,
    long threads, int reverse, char* const* P) {{
  if (threads > batch) {{
    Team team = {{}};
    #pragma omp parallel num_threads(threads)
    {{
      #pragma omp master
      {{
        {name}_rows(D, steps, batch, sizes, offsets, apart, 0, 1, reverse != 0, P, &team);
        __atomic_store_n(&team.over, 1, __ATOMIC_RELEASE);
      }}
      help_until_over(&team);
    }}
    return;
  }}
  #pragma omp parallel for num_threads(threads) schedule(static, 1) if (threads > 1)
  for (long i = 0; i < threads; i++)
    {name}_rows(D, steps, batch, sizes, offsets, apart, i, threads, reverse != 0, P, nullptr);
}}
"""


@dataclass
class Pass:
    """One compiled function, forward or backward.

    Args:
        name: the C function.
        arrays: what its table of pointers must hold, in order: kind and key.
    """

    name: str
    arrays: list[tuple[str, Any]]


class Source:
    """The C++ source of one cell, and what its functions take."""

    def __init__(self, step: Step) -> None:
        self.step = step
        self.gradient: StepGradient = differentiate(step)
        self.kept = kept(step, self.gradient)
        # The caller has the output and the projected input anyway.
        self.kept_apart = {
            place: node
            for place, node in enumerate(self.kept)
            if node is not step.output and node.operation != "projected"
        }
        nodes = in_order([*step.new_states, step.output])
        products = [node for node in nodes if node.operation == "linear"]
        self.masks = masks_of(products, nodes)
        # Gradients of a masked product are zero outside the mask.
        self.sparse = {node.data for node in products if id(node) in self.masks}
        self.dimensions: list[int] = []
        functions = [self._forward(), self._backward()]
        self.forward, self.backward = (one for one, _ in functions)
        self.text = KERNELS.read_text() + "".join(text for _, text in functions)

    def _forward(self) -> tuple[Pass, str]:
        step = self.step
        sinks = [
            (node, Target("array", ("kept", place), node.width, optional=True))
            for place, node in self.kept_apart.items()
        ]
        for place, node in enumerate(step.new_states):
            width = step.states[place]
            sinks.append((step.graph.widened(node, width), Target("running", place, width)))
        sinks.append((step.output, Target("array", ("output", 0), step.output.width)))
        leaves = [step.graph.node("state", width=width, data=i) for i, width in enumerate(step.states)]
        schedule = Schedule(sinks, {id(step.graph.node("projected", width=step.projected))}, self.masks)
        return self._function("forward", schedule, leaves, {})

    def _backward(self) -> tuple[Pass, str]:
        step, gradient = self.step, self.gradient
        sinks: list[tuple[Node, Target]] = []
        output = step.graph.node("output_gradient", width=step.output.width)
        arrays: dict[int, object] = {id(output): ("output_gradient", 0)}
        if gradient.projected is not None:
            arrays[id(gradient.projected)] = ("projected_gradient", 0)
            sinks.append((gradient.projected, Target("array", ("projected_gradient", 0), step.projected)))
        self.product_arrays = []
        for number, (_, _, node) in enumerate(gradient.products):
            if id(node) not in arrays:
                arrays[id(node)] = ("product", number)
                sinks.append((node, Target("array", ("product", number), node.width)))
            self.product_arrays.append(arrays[id(node)])
        for place, node in enumerate(gradient.states):
            sinks.append((node, Target("running", place, step.states[place])))
        sinks += [(node, Target("total", name, node.width)) for name, node in gradient.vectors.items()]
        leaves = [
            step.graph.node("state_gradient", width=width, data=i) for i, width in enumerate(step.states)
        ]
        memory = {id(node): ("kept", i) for i, node in enumerate(self.kept)}
        schedule = Schedule(sinks, {*memory, id(output)})
        return self._function("backward", schedule, leaves, memory)

    def _function(
        self, name: str, schedule: Schedule, leaves: list[Node], kept_arrays: dict[int, tuple[str, int]]
    ) -> tuple[Pass, str]:
        printer = _Printer(self, name, schedule, leaves, kept_arrays)
        return Pass(name, printer.arrays), printer.text


class _Printer:
    """Prints one function."""

    def __init__(
        self,
        source: Source,
        name: str,
        schedule: Schedule,
        leaves: list[Node],
        kept_arrays: dict[int, tuple[str, int]],
    ) -> None:
        self.dimensions, self.sparse = source.dimensions, source.sparse
        self.schedule, self.leaves, self.kept_arrays = schedule, leaves, kept_arrays
        self.arrays: list[tuple[str, Any]] = []
        self.buffers: dict[object, tuple[str, int]] = {}  # name in C and width, by what is in it
        self.forward = name == "forward"
        self.widest = max((to.width for loop in schedule.loops for _, to in loop.stores), default=1)
        self.in_place = [schedule.in_place(place, leaf) for place, leaf in enumerate(leaves)]
        stages = "".join(self._stage(stage) for stage in schedule.stages)
        advance, totals = self._advance(), self._totals()
        begin, end = self._copies("initial"), self._copies("final")
        reverse = "reverse" if self.forward else "!reverse"
        self.text = _FUNCTION.format(
            name=name,
            buffers=self._memory(),
            begin=begin,
            end=end,
            order=f"{reverse} ? steps - 1 - q : q",
            stages=stages,
            advance=advance,
            totals=totals,
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

    def _buffer_row(self, key: object, width: int) -> str:
        return f"{self._buffer(key, width)} + b * padded({self._dimension(width)})"

    def _array_row(self, key: tuple[str, object], width: int) -> str:
        return f"(float*)P[{self._array(key)}] + (row + b * next) * {self._dimension(width)}"

    def _where(self, node: Node) -> str:
        """C expression of the pointer to a row's value of a node in memory."""
        start = ""
        if node.operation == "slice" and id(node) not in self.schedule.available | self.schedule.stored:
            start = f" + {self._dimension(node.data)}"
            node = node.arguments[0]
        if id(node) in self.kept_arrays:
            return self._array_row(self.kept_arrays[id(node)], node.width) + start
        if id(node) in self.schedule.stored or node.operation in ("linear", "linear_t"):
            return self._buffer_row(node, node.width) + start
        if node.operation == "vector":
            return f"(const float*)P[{self._array(('vector', node.data))}]" + start
        if node.operation in ("state", "state_gradient"):
            return self._buffer_row(("running", node.data), node.width) + start
        if node.operation in ("projected", "output_gradient"):
            return self._array_row((node.operation, 0), node.width) + start
        return self._target(self.schedule.written[id(node)])

    # Parts of the function

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
        key = ("running", source.data) if source.operation in ("state", "state_gradient") else source
        width, depth = self._dimension(node.width), self._dimension(source.width)
        packed = self._array((f"packed_{node.operation}", node.data))
        mask = self.schedule.masks.get(id(node))
        mask_buffer = "nullptr" if mask is None else self._buffer(mask, mask.width)
        sparse = "true" if node.operation == "linear_t" and node.data in self.sparse else "false"
        return (
            f"    product(alive, {width}, {depth}, {self._buffer(key, source.width)}, padded({depth}),"
            f" (const float*)P[{packed}], {self._buffer(node, node.width)}, padded({width}),"
            f" {mask_buffer}, {sparse}, team);\n"
        )

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
        """One loop: pointers, loads, arithmetic, stores."""
        computed, loads = self.schedule.computed(loop), self.schedule.loads(loop)
        names: dict[int, str] = {}
        before: list[str] = []
        inside: list[str] = []
        for number, node in enumerate(loads):
            names[id(node)] = f"l{number}"
            before.append(f"const float* p{number} = {self._where(node)};")
            line = f"const float l{number} = p{number}[{0 if node.width == 1 else 'j'}];"
            (before if node.width == 1 else inside).append(line)
        for number, node in enumerate(computed):
            if node.operation in NUMBERS:
                names[id(node)] = self._number(node)
                continue
            names[id(node)] = f"v{number}"
            arguments = [names[id(argument)] for argument in node.arguments]
            line = f"const float v{number} = {_EXPRESSIONS[node.operation].format(*arguments)};"
            (before if node.width == 1 else inside).append(line)
        for number, (node, target) in enumerate(loop.stores):
            sign = "+=" if target.kind == "total" else "="
            before.append(f"float* s{number} = {self._target(target)};")
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
        """Reductions of a loop: their clause, and what is stored after it."""
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
        """New states that could not overwrite the old ones at once do so at the step's end."""
        lines = ""
        for place, leaf in enumerate(self.leaves):
            if not self.in_place[place]:
                size = f"alive * padded({self._dimension(leaf.width)}) * 4"
                old, new = (self._buffer((kind, place), leaf.width) for kind in ("running", "next"))
                lines += f"    memcpy({old}, {new}, {size});\n"
        return lines

    def _totals(self) -> str:
        """What was added up of vectors' gradients, put to the caller's totals: a float holds sums of few rows only."""
        lines = ""
        for key, name, size in self._total_buffers():
            lines += f"  put_to((double*)P[{self._array(key)}] + first * {size}, {name}, {size});\n"
        return lines

    def _total_buffers(self) -> list[tuple[tuple[str, object], str, str]]:
        """What `_target` made for totals: key, name in C, and width in C."""
        return [
            (key, name, self._dimension(width))
            for key, (name, width) in self.buffers.items()
            if isinstance(key, tuple) and key[0] == "total"
        ]

    def _copies(self, when: str) -> str:
        """States from the caller's memory to the thread's, or back."""
        lines = ""
        for place, leaf in enumerate(self.leaves):
            width = self._dimension(leaf.width)
            mine = self._buffer_row(("running", place), leaf.width)
            theirs = f"(float*)P[{self._array((when, place))}] + g * {width}"
            to, source = (mine, theirs) if when == "initial" else (theirs, mine)
            lines += f"    memcpy({to}, {source}, {width} * 4);\n"
        return lines

    def _memory(self) -> str:
        """The thread's buffers, in one piece."""
        sizes = [f"padded({self._dimension(width)})" for _, width in self.buffers.values()]
        lines = [
            f"  float* memory = (float*)aligned_alloc(64, (mine * ({' + '.join(sizes)}) * 4 + 127) / 64 * 64);"
        ]
        place = "memory"
        for (name, _), size in zip(self.buffers.values(), sizes, strict=True):
            lines.append(f"  float* {name} = {place};")
            place = f"{name} + mine * {size}"
        lines += [f"  memset({name}, 0, {size} * 4);" for _, name, size in self._total_buffers()]
        return "\n".join(lines)
