"""Recordings to work on and a timer, for all benchmarks."""

import os
import platform
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import soundfile

REPOSITORY = Path(__file__).resolve().parents[1]
AN4 = Path(os.environ.get("SLUICE_CORPORA", "")) / "an4"
"""The corpus AN4, if the environment variable SLUICE_CORPORA names the folder that holds it."""
REPEATS = 5


def median_seconds(work: Callable[[], object]) -> float:
    """Return the median time of `REPEATS` calls, after one to warm up."""
    work()
    times = []
    for _ in range(REPEATS):
        started = time.perf_counter()
        work()
        times.append(time.perf_counter() - started)
    return statistics.median(times)


def stolen_seconds() -> float:
    """Return for how long the hypervisor has given this machine's processors to others; 0 if that is not known."""
    stat = Path("/proc/stat")
    if not stat.exists():  # not Linux
        return 0.0
    with stat.open() as lines:
        return int(next(lines).split()[8]) / os.sysconf("SC_CLK_TCK")


VENDORS = {"GenuineIntel": "Intel", "AuthenticAMD": "AMD", "0x41": "ARM", "0x61": "Apple", "0xc0": "Ampere"}
EXTENSIONS = ("avx2", "avx512f", "avx512_bf16", "amx_bf16", "asimd", "sve", "bf16")
"""Sets of instructions that decide how fast matrices are multiplied, as Linux names them."""


def describe_processor(cpuinfo: Path = Path("/proc/cpuinfo")) -> str:
    """Return vendor, generation and vector instructions, as in "vendor AMD, family 26, model 2, avx2, avx512f".

    The names of virtual processors tell little. Without `/proc/cpuinfo` (not Linux) only the vendor is known.
    """
    if not cpuinfo.exists():
        name = platform.processor()
        known = "Apple" if platform.system() == "Darwin" and platform.machine() == "arm64" else None
        return f"vendor {known or next((VENDORS[each] for each in VENDORS if each in name), 'unknown')}"
    first = cpuinfo.read_text(encoding="utf-8", errors="replace").partition("\n\n")[0]
    found = {line.partition(":")[0].strip(): line.partition(":")[2].strip() for line in first.splitlines()}
    maker = found.get("vendor_id") or found.get("CPU implementer") or "unknown"
    parts = [f"vendor {VENDORS.get(maker, maker)}"]
    for name, key in (("family", "cpu family"), ("model", "model"), ("part", "CPU part")):
        parts += [f"{name} {found[key]}"] if key in found else []
    flags = f"{found.get('flags', '')} {found.get('Features', '')}".split()
    return ", ".join([*parts, *(each for each in EXTENSIONS if each in flags)])


def recordings(count: int = 100) -> tuple[list[Path], str]:
    """Return audio files and a description of them: AN4 if SLUICE_CORPORA has it, else noise of similar lengths."""
    files = sorted((AN4 / "wav").rglob("*.sph"))
    if files:
        return files[:: max(1, len(files) // count)][:count], f"{count} recordings of AN4"
    folder = Path(tempfile.mkdtemp(prefix="sluice-benchmark-"))
    generator = np.random.default_rng(0)
    for number in range(count):
        samples = generator.normal(0, 0.05, int(16000 * generator.uniform(0.8, 6)))
        soundfile.write(folder / f"{number:03}.wav", samples, 16000)
    return sorted(folder.iterdir()), f"{count} stretches of noise, 0.8 to 6 seconds"
