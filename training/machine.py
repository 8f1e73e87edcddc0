"""The machine: how much of it is used, and what it is called beside a figure."""

import platform
from pathlib import Path

import torch


def set_threads(count: int) -> None:
    """Set how many CPU threads an operation may use; 0 leaves torch's choice."""
    if count > 0:
        torch.set_num_threads(count)


def describe_machine() -> str:
    """Processor, cores, accelerator and threads, as in "AMD EPYC, 2 cores; torch 2.11.0, 2 threads"."""
    name = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():  # Linux, where platform knows only the architecture
        lines = cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines()
        models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
        name = f"{models[0]}, {len(models)} cores" if models else name
    if torch.cuda.is_available():
        name += f", {torch.cuda.get_device_name()}"
    return f"{name}; torch {torch.__version__.split('+')[0]}, {torch.get_num_threads()} threads"
