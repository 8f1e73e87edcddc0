"""The machine: how much of it is used, and what it is called beside a figure."""

import ctypes
import platform
from pathlib import Path
from typing import Any

import torch

from sluice_core.errors import UserError


class DeviceError(UserError):
    """There is no such device."""


def find_device(name: str | torch.device) -> torch.device:
    """The device of a name such as cpu, cuda or cuda:1.

    Raises:
        DeviceError: torch knows no such device, or this machine has none.
    """
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:  # the latter where torch was built without it
        reason = str(error).splitlines()[0]
        raise DeviceError(f"device {str(name)!r} is not to be had here: {reason}; take cpu") from error
    return device


def set_threads(count: int) -> None:
    """Set how many CPU threads an operation may use; 0 leaves torch's choice."""
    if count > 0:
        torch.set_num_threads(count)


def keep_memory() -> None:
    """Let this process keep the memory it frees, for the next training step to use again.

    glibc gives large blocks back to the system at once, and each step would get them anew, zeroed page by page:
    a tenth of a step's time and more. The process then stays as large as its largest step. Elsewhere than with
    glibc nothing is done.
    """
    mallopt = _glibc("mallopt")
    if mallopt is not None:
        mmap_threshold, trim_threshold = -3, -1  # malloc.h
        mallopt(mmap_threshold, 32 << 20)  # the most that glibc takes
        mallopt(trim_threshold, 2**31 - 1)


def give_back_memory() -> None:
    """Give the system what this process has freed, wherever it lies; elsewhere than with glibc nothing is done.

    Blocks of ever other sizes leave holes, so that a process which runs for days would grow all the while.
    """
    malloc_trim = _glibc("malloc_trim")
    if malloc_trim is not None:
        malloc_trim(0)


def _glibc(name: str) -> Any:
    return getattr(ctypes.CDLL(None), name, None) if platform.system() == "Linux" else None


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
