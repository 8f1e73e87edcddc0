"""Devices, threads and memory: what computes, and how it is described beside a figure."""

import ctypes
import platform
from pathlib import Path
from typing import Any

import torch

from sluice_core.errors import UserError
from sluice_core.wording import plural


class DeviceError(UserError):
    """A device does not exist, or not on this machine."""


def find_device(name: str | torch.device) -> torch.device:
    """Return the device of a name such as cpu, cuda or cuda:1.

    Raises:
        DeviceError: torch knows no such device, or this machine has none.

    Example:
        >>> find_device("cpu")
        device(type='cpu')
    """
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:  # the latter where torch was built without it
        reason = str(error).splitlines()[0]
        raise DeviceError(f"device {str(name)!r} is not available here: {reason}; use cpu") from error
    return device


def set_threads(count: int) -> None:
    """Set how many CPU threads an operation may use; 0 leaves torch's choice."""
    if count > 0:
        torch.set_num_threads(count)


def multiplies_bfloat16() -> bool | None:
    """Return whether this machine's processor has instructions that multiply bfloat16; None where that is not known."""
    flags = _processors("flags", "Features")
    if flags is None:
        return None
    return any({"avx512_bf16", "amx_bf16", "bf16"} & set(each.split()) for each in flags)


def _processors(*names: str) -> list[str] | None:
    """Return what Linux says of each processor under one of these names; None on other systems."""
    cpuinfo = Path("/proc/cpuinfo")
    if not cpuinfo.exists():
        return None
    lines = cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines()
    return [line.partition(":")[2].strip() for line in lines if line.startswith(names)]


def keep_memory() -> None:
    """Let this process keep the memory it frees, so that the next training step can use it again.

    glibc gives large blocks back to the system at once, and each step gets them anew, zeroed page by page, which
    takes a tenth of a step's time and more. The process then stays as large as its largest step. Nothing is done
    where there is no glibc.
    """
    mallopt = _glibc("mallopt")
    if mallopt is not None:
        mmap_threshold, trim_threshold = -3, -1  # malloc.h
        mallopt(mmap_threshold, 32 << 20)  # the most that glibc takes
        mallopt(trim_threshold, 2**31 - 1)


def give_back_memory() -> None:
    """Give all memory that this process has freed back to the system; nothing is done where there is no glibc.

    Blocks of many sizes leave holes between them, so that a process that runs for days would grow all the time.
    """
    malloc_trim = _glibc("malloc_trim")
    if malloc_trim is not None:
        malloc_trim(0)


def _glibc(name: str) -> Any:
    return getattr(ctypes.CDLL(None), name, None) if platform.system() == "Linux" else None


def describe_machine() -> str:
    """Return processor, cores, accelerator and threads, as in "AMD EPYC, 2 cores; torch 2.11.0, 2 threads"."""
    name = platform.processor() or platform.machine()
    models = _processors("model name")  # on Linux platform knows only the architecture
    if models:
        name = f"{models[0]}, {plural(len(models), 'core')}"
    if torch.cuda.is_available():
        name += f", {torch.cuda.get_device_name()}"
    return f"{name}; torch {torch.__version__.split('+')[0]}, {plural(torch.get_num_threads(), 'thread')}"
