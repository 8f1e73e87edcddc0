"""Compare the speed of recurrent cells with torch.nn: `python -m benchmarks.cells [--quick] [--json]`.

The whole takes 20 to 25 minutes. `--cell lstm` measures one cell, and `--passes 1` everything once.

A stack of one layer and the nearest module of torch.nn, with as many inputs as units, take turns in one process. The
ratio is that of their median times, below 1 if the stack is faster. A training step is a forward and a backward pass
with the gradients of weights and input. A ragged batch has lengths from 0.3 T to T; the module of torch.nn gets it
packed, and its outputs are padded again, as is usual with torch.nn. Where a ratio has a limit, the limit is printed
beside it, with a mark if it is exceeded. Measure on an idle machine only. On a virtual machine, turns during which
others used its processors are repeated, and a figure without enough undisturbed turns is marked "~". Everything is
measured in several passes, minutes apart, and the median of a ratio over them is shown; --json has all of them.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, replace

import torch
from tabulate import tabulate
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from benchmarks.common import describe_processor, stolen_seconds
from benchmarks.kernel_times import kernel_table, measure_kernels
from sluice_cells import Cell, Stack
from sluice_cells.engines import ENGINES, choose_engine
from sluice_core.devices import describe_machine, keep_memory
from sluice_core.progress import track

Peer = type[nn.LSTM] | type[nn.GRU] | type[nn.RNN]

PEERS: dict[Peer, tuple[str, ...]] = {
    nn.LSTM: (
        "lstm",
        "peephole_lstm",
        "layer_norm_lstm",
        "projected_lstm",
        "scrn",
        "jordan",
        "clockwork",
    ),
    nn.GRU: ("gru", "gru_reset_before"),
    nn.RNN: ("elman",),
}
"""Cells by the module of torch.nn that they are compared with."""

TRAINING_LIMITS = {
    "lstm": 1.10,
    "peephole_lstm": 1.10,
    "layer_norm_lstm": 1.30,
    "projected_lstm": 1.30,
    "scrn": 0.50,
    "jordan": 0.40,
    "clockwork": 0.30,
    "gru": 0.90,
    "gru_reset_before": 1.30,
    "elman": 0.60,
}
"""The largest acceptable ratio of a training step on a padded batch."""


@dataclass(frozen=True)
class Shape:
    """The shape of a batch, with as many features as units."""

    time: int
    batch: int
    hidden: int

    def __str__(self) -> str:
        return f"T={self.time} B={self.batch} H={self.hidden}"


@dataclass(frozen=True)
class Plan:
    """What is measured, and for how long."""

    shapes: tuple[Shape, ...]
    threads: tuple[int, ...]
    passes: int
    """How often everything is measured, since a machine's speed varies over minutes; the median ratio is shown."""
    rounds: int
    """The least number of undisturbed turns in a pass."""
    seconds: float
    """The least duration of the turns in a pass."""
    compiled: tuple[str, ...]
    """The cells whose compilation is measured."""
    compilations: int
    """How often a compilation is measured; the median is shown."""


WHOLE = Plan(
    (Shape(400, 16, 320), Shape(50, 32, 128), Shape(400, 1, 320), Shape(400, 16, 250)),
    (1, 2),
    passes=3,
    rounds=5,
    seconds=0.7,
    compiled=tuple(TRAINING_LIMITS),
    compilations=3,
)
QUICK = Plan(
    (Shape(40, 4, 48), Shape(40, 1, 48)),
    (1,),
    passes=1,
    rounds=3,
    seconds=0.0,
    compiled=("lstm", "clockwork"),
    compilations=1,
)


@dataclass(frozen=True)
class CellWorkload:
    """One column of the table, for any number of threads."""

    work: str
    layout: str

    def limit(self, cell: str, shape: Shape) -> float | None:
        """Return the largest acceptable ratio; None if there is no limit."""
        if shape not in WHOLE.shapes:
            return None
        is_lstm = cell in ("lstm", "peephole_lstm")
        if self.layout == "ragged":
            return 0.30 if is_lstm and self.work == "training" and shape.time == 400 else None
        if self.work == "inference":
            return (1.0 if shape.batch == 1 else 1.15) if is_lstm else None
        return TRAINING_LIMITS[cell]


WORKLOADS = tuple(
    CellWorkload(work, layout) for work in ("training", "inference") for layout in ("padded", "ragged")
)


@dataclass(frozen=True)
class CellRatio:
    """The time of a cell compared with that of its peer in torch.nn, for one shape, workload and number of threads."""

    cell: str
    peer: str
    engine: str
    shape: Shape
    threads: int
    workload: CellWorkload
    seconds: float
    peer_seconds: float
    rounds: int
    undisturbed: bool
    passes: tuple[float, ...] = ()
    """The ratio in each pass, in rising order."""

    @property
    def ratio(self) -> float:
        """The cell's time divided by its peer's."""
        return self.seconds / self.peer_seconds

    @property
    def limit(self) -> float | None:
        """The most that the ratio may be."""
        return self.workload.limit(self.cell, self.shape)

    def text(self) -> str:
        """Return the ratio and its limit, with marks if it exceeds the limit or is uncertain."""
        ratio = f"{'' if self.undisturbed else '~'}{self.ratio:.2f}"
        if self.limit is None:
            return ratio
        return f"{ratio} ≤{self.limit:.2f}{' OVER' if self.ratio > self.limit else ''}"

    def to_dict(self) -> dict[str, object]:
        """Return everything as plain values."""
        return {**asdict(self), "ratio": self.ratio, "limit": self.limit}


Run = Callable[[Tensor, Tensor | None], Tensor]
"""A function from inputs `[batch, time, features]` and the lengths of a ragged batch to outputs."""


def peer_run(module: nn.RNNBase) -> Run:
    """Return a function that runs a module of torch.nn."""

    def run(inputs: Tensor, lengths: Tensor | None) -> Tensor:
        if lengths is None:
            return module(inputs)[0]
        packed = pack_padded_sequence(inputs, lengths, batch_first=True, enforce_sorted=False)
        return pad_packed_sequence(module(packed)[0], batch_first=True, total_length=inputs.shape[1])[0]

    return run


def stack_run(stack: Stack) -> Run:
    """Return a function that runs a stack; the final states are computed too, as in torch.nn."""
    return lambda inputs, lengths: stack(inputs, lengths)[0]


def work_of(
    run: Run, weights: Iterable[nn.Parameter], shape: Shape, workload: CellWorkload
) -> Callable[[], object]:
    """Return a function that computes a training step or an inference, for timing."""
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(shape.batch, shape.time, shape.hidden, generator=generator)
    lengths = torch.randint(int(0.3 * shape.time), shape.time + 1, (shape.batch,), generator=generator)
    given = lengths if workload.layout == "ragged" else None
    if workload.work == "inference":
        return torch.inference_mode()(lambda: run(inputs, given))
    with torch.no_grad():
        gradient = torch.randn_like(run(inputs, given))
    differentiated = [inputs.requires_grad_(), *weights]
    return lambda: torch.autograd.grad(run(inputs, given), differentiated, gradient)


STOLEN = 0.05
"""The largest share of a turn's time that other virtual machines may take for the turn to count."""
PATIENCE = 3
"""How many times the usual duration turns are repeated before disturbed ones count."""


def medians(works: dict[str, Callable[[], object]], plan: Plan) -> tuple[dict[str, float], int, bool]:
    """Time functions by turns, after a turn to warm up.

    Returns:
        The median seconds of each, the number of turns that count, and whether these were undisturbed.
    """
    for work in works.values():
        work()
    every: dict[str, list[float]] = {name: [] for name in works}
    quiet: dict[str, list[float]] = {name: [] for name in works}
    started, rounds = time.perf_counter(), 0

    def enough(times: int) -> bool:
        return rounds >= times * plan.rounds and time.perf_counter() - started >= times * plan.seconds

    while not enough(PATIENCE) and not (enough(1) and _least(quiet) >= plan.rounds):
        for name, work in works.items():
            stolen, begun = stolen_seconds(), time.perf_counter()
            work()
            every[name].append(time.perf_counter() - begun)
            if stolen_seconds() - stolen <= STOLEN * every[name][-1]:
                quiet[name].append(every[name][-1])
        rounds += 1
    undisturbed = _least(quiet) >= plan.rounds
    times = quiet if undisturbed else every
    return {name: statistics.median(each) for name, each in times.items()}, _least(times), undisturbed


def _least(times: dict[str, list[float]]) -> int:
    return min(map(len, times.values()))


def measure(plan: Plan, wanted: list[str], quiet: bool) -> list[CellRatio]:
    """Return all ratios, each from the pass in which it was the median."""
    found: dict[object, list[CellRatio]] = {}
    for number in range(plan.passes):
        for each in measure_once(plan, wanted, f"measuring, {number + 1} of {plan.passes}", quiet):
            found.setdefault((each.shape, each.threads, each.workload, each.cell), []).append(each)
    ranked = [sorted(each, key=lambda one: one.ratio) for each in found.values()]
    return [replace(each[plan.passes // 2], passes=tuple(one.ratio for one in each)) for each in ranked]


def measure_once(plan: Plan, wanted: list[str], title: str, quiet: bool) -> Iterator[CellRatio]:
    """Measure one pass; a module of torch.nn and the cells that are compared with it take turns."""
    groups = [
        (shape, threads, workload, peer, [cell for cell in cells if cell in wanted])
        for shape in plan.shapes
        for threads in plan.threads
        for workload in WORKLOADS
        if shape.batch > 1 or workload.layout == "padded"
        for peer, cells in PEERS.items()
    ]
    for shape, threads, workload, peer, cells in track(groups, title, quiet=quiet):
        if not cells:
            continue
        torch.set_num_threads(threads)
        torch.manual_seed(0)
        module = peer(shape.hidden, shape.hidden, batch_first=True)
        works = {"": work_of(peer_run(module), module.parameters(), shape, workload)}
        engines = {}
        for cell in cells:
            stack = Stack(cell, shape.hidden, shape.hidden)
            engines[cell] = engine_of(stack)
            works[cell] = work_of(stack_run(stack), stack.parameters(), shape, workload)
        seconds, rounds, undisturbed = medians(works, plan)
        for cell in cells:
            name = f"nn.{peer.__name__}"
            yield CellRatio(
                cell,
                name,
                engines[cell],
                shape,
                threads,
                workload,
                seconds[cell],
                seconds[""],
                rounds,
                undisturbed,
            )


def engine_of(stack: Stack) -> str:
    """Return the name of the engine that runs a stack's first cell on a CPU in float32."""
    first = next(module for module in stack.modules() if isinstance(module, Cell))
    chosen = choose_engine(stack.engine, first, torch.empty(1, first.input_size))
    return next(name for name, engine in ENGINES.items() if engine is chosen)


def table(measurements: list[CellRatio]) -> str:
    """Return the table, with a row for each shape and cell and a column for each workload and number of threads."""
    columns = list(dict.fromkeys((each.threads, each.workload) for each in measurements))
    found = {(each.shape, each.cell, each.threads, each.workload): each.text() for each in measurements}
    rows = [
        (
            str(shape),
            f"{cell} / {peer}",
            engine,
            *(found.get((shape, cell, threads, workload), "") for threads, workload in columns),
        )
        for shape, cell, peer, engine in dict.fromkeys(
            (each.shape, each.cell, each.peer, each.engine) for each in measurements
        )
    ]
    heads = [
        f"{threads} thread{'s' * (threads > 1)}: {load.work}, {load.layout}" for threads, load in columns
    ]
    return tabulate(
        rows, ("shape", "cell / peer", "engine", *heads), tablefmt="github", disable_numparse=True
    )


def between_passes(measurements: list[CellRatio]) -> str:
    """Return a sentence about how much the ratios differ between passes."""
    spreads = sorted(each.passes[-1] / each.passes[0] - 1 for each in measurements)
    half, tenth = statistics.median(spreads), spreads[len(spreads) * 9 // 10]
    return (
        f"The middle ratios of {len(measurements[0].passes)} passes; between the least and the greatest, half of "
        f"them lie {half:.0%} apart or more, one in ten {tenth:.0%}."
    )


def main() -> None:
    """Print the tables, or all figures as JSON."""
    description = (__doc__ or "").partition(":")[0]
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cells", description=description)
    parser.add_argument(
        "--quick", action="store_true", help="small shapes, few turns: whether it runs at all"
    )
    parser.add_argument("--json", action="store_true", help="every figure, for programs")
    parser.add_argument("--cell", action="append", choices=TRAINING_LIMITS, help="only this one; repeatable")
    parser.add_argument("--passes", type=int, help=f"how often all is measured; default {WHOLE.passes}")
    arguments = parser.parse_args()
    plan = QUICK if arguments.quick else WHOLE
    if arguments.passes is not None:
        if arguments.passes < 1:
            parser.error(f"--passes must be at least 1, not {arguments.passes}")
        plan = replace(plan, passes=arguments.passes)
    wanted = arguments.cell or list(TRAINING_LIMITS)
    keep_memory()  # as training does; both sides gain by it
    machine = describe_machine().rpartition(", ")[0]  # without its threads, which the columns say
    processor = describe_processor()
    kernels = measure_kernels(
        [cell for cell in plan.compiled if cell in wanted] or wanted[:1], plan.compilations, arguments.json
    )
    measurements = measure(plan, wanted, arguments.json)
    if arguments.json:
        facts = {
            "machine": machine,
            "processor": processor,
            "ratios": [each.to_dict() for each in measurements],
            "kernels": [
                {"compiled": asdict(compiled), "loaded": asdict(loaded)} for compiled, loaded in kernels
            ],
        }
        print(json.dumps(facts, indent=1))
        return
    turns = [each.rounds for each in measurements]
    print(f"{machine}; {processor}; medians of {min(turns)} to {max(turns)} turns\n")
    print(table(measurements))
    if plan.passes > 1:
        print(f"\n{between_passes(measurements)}")
    print(f"\n{kernel_table(kernels)}")


if __name__ == "__main__":
    main()
