"""Compile C++ into shared libraries, which are cached on disk."""

import ctypes
import functools
import hashlib
import logging
import os
import platform
import shutil
import subprocess
import tempfile
from pathlib import Path

from sluice_cells.user_cache import obstacle, user_cache

logger = logging.getLogger(__name__)

# -O3 takes half as long again to compile, and what it adds to vectors makes nothing faster here. Nor does what is left
# out of -O2, which takes a quarter of the time.
FLAGS = (
    *("-O2", "-ftree-vectorize", "-fvect-cost-model", "-std=c++17"),
    *("-fno-tree-slp-vectorize", "-fno-gcse", "-fno-tree-vrp"),
    *("-fno-math-errno", "-fno-trapping-math", "-fopenmp-simd", "-shared", "-fPIC"),
    *("-fno-exceptions", "-fno-asynchronous-unwind-tables"),
)
# Left to themselves compilers take half of AVX-512's vectors, since whole ones once slowed processors down.
NATIVE = ("-march=native", "-mprefer-vector-width=512")
NATIVE_ARM = ("-mcpu=native",)
# The first that the compiler takes: threads by OpenMP, as torch has them, without what only g++ can leave out;
# else one thread.
_OF_GCC = ("-fno-tree-pre", "-fno-tree-dominator-opts", "-fno-tree-bit-ccp", "-fira-region=one")
VARIANTS = (("-fopenmp", *_OF_GCC), ("-fopenmp",), ())
_DIGEST = hashlib.sha256().digest_size


class CompilerError(Exception):
    """A source cannot be compiled here; the message says why."""


@functools.cache
def compiler() -> str | None:
    """Return the path of the C++ compiler: `CXX` if set, else g++, c++ or clang++; None if there is none."""
    for name in (os.environ.get("CXX"), "g++", "c++", "clang++"):
        path = shutil.which(name) if name else None
        if path:
            return path
    return None


@functools.cache
def cache_directory() -> Path:
    """Return the folder of libraries: `SLUICE_CACHE`, else the user's cache, else a temporary one of this process."""
    directory = user_cache() if os.environ.get("SLUICE_CACHE") else user_cache() / "cells"
    reason = obstacle(directory)
    if reason is None:
        return directory
    logger.warning(
        "compiled cells cannot be kept in %s: %s; they are compiled anew each time", directory, reason
    )
    return Path(tempfile.mkdtemp(prefix="sluice-cells-"))


def load(source: str) -> ctypes.CDLL:
    """Load the library of a source, compiling it if it is not cached yet.

    The file's name is a hash of source, compiler, flags and the processor's instruction set. The file is written under
    another name and moved into place, so that a process that starts meanwhile never sees half a library.

    Raises:
        CompilerError: there is no compiler, or it fails.
    """
    path = compiler()
    if path is None:
        raise CompilerError("no C++ compiler was found (g++, c++ or clang++; CXX names another)")
    library = cache_directory() / f"cell-{_key(source, path)}.so"
    if not _whole(library):
        _compile(path, source, library)
    return ctypes.CDLL(str(library))


def _whole(library: Path) -> bool:
    """Return whether a library exists and ends with its digest; loading a truncated one would crash the process."""
    content = library.read_bytes() if library.exists() else b""
    return len(content) > _DIGEST and hashlib.sha256(content[:-_DIGEST]).digest() == content[-_DIGEST:]


def _key(source: str, path: str) -> str:
    status = Path(path).resolve().stat()
    parts = (
        source,
        str(Path(path).resolve()),
        str(status.st_size),
        str(status.st_mtime_ns),
        *FLAGS,
        *NATIVE,
        *(flag for variant in VARIANTS for flag in variant),
        processor(),
    )
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:24]


@functools.cache
def processor() -> str:
    """Return what `-march=native` depends on, because different machines may share a home folder."""
    lines = _described("model name", "flags", "Features", "CPU part")
    return platform.machine() + "\n".join(lines) if lines else f"{platform.machine()} {platform.processor()}"


@functools.cache
def processor_name() -> str:
    """Return the processor's name, and a digest of what it can do, as in "AMD EPYC (1f2e3d4c)"."""
    names = [line.partition(":")[2].strip() for line in _described("model name")]
    digest = hashlib.sha256(processor().encode()).hexdigest()[:8]
    return f"{names[0] if names else platform.processor() or platform.machine()} ({digest})"


def _described(*wanted: str) -> list[str]:
    """Return the distinct lines of Linux's description of its processors that begin with these words."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return []
    return sorted({line for line in lines if line.startswith(wanted)})


def _compile(path: str, source: str, library: Path) -> None:
    """Compile a source into the cache.

    Raises:
        CompilerError: the compiler fails.
    """
    native = NATIVE_ARM if platform.machine() in ("aarch64", "arm64") else NATIVE
    with tempfile.TemporaryDirectory(prefix="cell-", dir=library.parent) as directory:
        text, made = Path(directory, "cell.cpp"), Path(directory, "cell.so")
        text.write_text(source)
        for variant in VARIANTS:
            command = [path, *FLAGS, *native, *variant, str(text), "-o", str(made)]
            try:
                done = subprocess.run(command, capture_output=True, text=True, timeout=120)
            except (OSError, subprocess.TimeoutExpired) as error:
                raise CompilerError(f"{path} cannot be run: {error}") from error
            if done.returncode == 0:
                with made.open("r+b") as file:
                    digest = hashlib.sha256(file.read()).digest()
                    file.write(digest)  # behind the last section, where the loader does not look
                made.replace(library)
                return
    raise CompilerError(f"{path} failed: {done.stderr.strip()[-500:]}")
