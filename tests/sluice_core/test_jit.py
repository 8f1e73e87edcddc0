"""Compiled functions: kept on disk, and compiled anew when what they call has changed."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from sluice_core import jit

ROOT = Path(__file__).resolve().parents[2]
CALLER = """
from sluice_core.jit import compiled
from package.part import part

@compiled
def whole(number):
    return part(number) + 1
"""
PART = """
from sluice_core.jit import compiled_part

@compiled_part
def part(number):
    return number * {factor}
"""


def answer(folder: Path) -> str:
    """Call the function in a process of its own."""
    environment = {**os.environ, "SLUICE_CACHE": str(folder / "cache"), "PYTHONPATH": f"{folder}:{ROOT}"}
    command = [sys.executable, "-c", "from package.caller import whole; print(whole(10))"]
    return subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout.strip()


def test_a_change_in_another_file_is_compiled_anew(tmp_path: Path) -> None:
    # numba 0.68.1 looks at the file of the function alone: whole would go on multiplying by 2.
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "__init__.py").touch()
    (tmp_path / "package" / "caller.py").write_text(CALLER)
    (tmp_path / "package" / "part.py").write_text(PART.format(factor=2))
    assert answer(tmp_path) == "21"
    kept = {path.name for path in tmp_path.rglob("*.nbc")}
    assert kept
    assert answer(tmp_path) == "21"
    assert {path.name for path in tmp_path.rglob("*.nbc")} == kept, "compiled a second time"
    (tmp_path / "package" / "part.py").write_text(PART.format(factor=3))
    assert answer(tmp_path) == "31"


def test_a_change_in_what_all_packages_call_is_compiled_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The beam search of `asr` calls compiled functions of `sluice_core.language_models`.
    monkeypatch.setattr(jit, "__file__", str(tmp_path / "jit.py"))
    (tmp_path / "ngram").mkdir()
    (tmp_path / "ngram" / "model.py").write_text("from jit import compiled")
    before = jit._cache_folder.__wrapped__("tests")
    assert jit._cache_folder.__wrapped__("tests") == before
    (tmp_path / "ngram" / "model.py").write_text("from jit import compiled  # other code")
    assert jit._cache_folder.__wrapped__("tests") != before
