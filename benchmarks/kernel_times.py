"""Measure how long it takes to compile a cell, and to load it compiled, for `benchmarks.cells`."""

import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, replace

import torch
from tabulate import tabulate

from benchmarks.common import REPOSITORY
from sluice_cells import make_cell
from sluice_cells.engines import fast
from sluice_cells.engines.fast.kernel import Kernel
from sluice_core.progress import track

COMPILE_LIMIT, LOAD_LIMIT = 2.0, 0.050
"""Limits: CPU seconds of a cell's first compilation; seconds until a cell that was compiled before can run."""


@dataclass(frozen=True)
class KernelTime:
    """The time it takes to compile a cell's kernels, or to load compiled ones."""

    cell: str
    reason: str | None
    """Why the cell has no kernel; None if it has one."""
    seconds: float
    """Time until the cell can run."""
    cpu_seconds: float
    """CPU time of process and compiler until the cell can run, including what is compiled once for all cells."""
    fused_cpu_seconds: float
    """CPU time for the fused kernel, which small cells need."""


def kernel_time(name: str) -> KernelTime:
    """Compile or load a cell's kernels in this process; the cache is in `SLUICE_CACHE`."""

    def cpu_seconds() -> float:
        both = [resource.getrusage(who) for who in (resource.RUSAGE_CHILDREN, resource.RUSAGE_SELF)]
        return sum(each.ru_utime + each.ru_stime for each in both)

    cell = make_cell(name, 320, 320)
    inputs, begun, before = torch.zeros(1, 320), time.perf_counter(), cpu_seconds()
    reason = fast.obstacle(cell, inputs)
    seconds, able = time.perf_counter() - begun, cpu_seconds()
    if reason is None:
        Kernel(cell, fused=True)
    return KernelTime(name, reason, seconds, able - before, cpu_seconds() - able)


def in_a_fresh_process(name: str, cache: str) -> KernelTime:
    """Run `kernel_time` in a new process."""
    code = (
        "import json; from dataclasses import asdict; from benchmarks.kernel_times import kernel_time; "
        f"print(json.dumps(asdict(kernel_time({name!r}))))"
    )
    environment = {**os.environ, "SLUICE_CACHE": cache}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, env=environment, check=True, stdout=subprocess.PIPE
    )
    return KernelTime(**json.loads(done.stdout))


def measure_kernels(names: list[str], times: int, quiet: bool) -> list[tuple[KernelTime, KernelTime]]:
    """Return the times of each cell's first compilation, and of loading it in another process."""
    found = []
    with tempfile.TemporaryDirectory(prefix="sluice-benchmark-") as folder:
        for name in track(names, "compiling", quiet=quiet):
            caches = [f"{folder}/{name}-{number}" for number in range(times)]
            compiled, loaded = ([in_a_fresh_process(name, cache) for cache in caches] for _ in range(2))
            first = sorted(compiled, key=lambda each: each.cpu_seconds)[times // 2]
            fused = statistics.median(each.fused_cpu_seconds for each in compiled)
            again = sorted(loaded, key=lambda each: each.seconds)[times // 2]
            found.append((replace(first, fused_cpu_seconds=fused), again))
    return found


def kernel_table(kernels: list[tuple[KernelTime, KernelTime]]) -> str:
    """Return the table of compilation times, with a row for each cell."""

    def mark(value: float, limit: float, digits: int) -> str:
        return f"{value:.{digits}f} ≤{limit:g}{' OVER' if value > limit else ''}"

    rows: list[tuple[str, ...]] = []
    for compiled, loaded in kernels:
        figures = (
            mark(compiled.cpu_seconds, COMPILE_LIMIT, 2),
            mark(compiled.fused_cpu_seconds, COMPILE_LIMIT, 2),
            mark(1000 * loaded.seconds, 1000 * LOAD_LIMIT, 0),
        )
        rows.append((compiled.cell, *(figures if compiled.reason is None else (compiled.reason, "", ""))))
    heads = ("cell", "first use, CPU seconds", "second kernel, CPU seconds", "from the cache, ms")
    return tabulate(rows, heads, tablefmt="github", disable_numparse=True)
