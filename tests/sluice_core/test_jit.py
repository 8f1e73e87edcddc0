"""Compiled functions: kept on disk, and compiled anew when what they call has changed."""

import os
import subprocess
import sys
import time
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
    return run_caller(folder).stdout.strip()


def run_caller(folder: Path) -> "subprocess.CompletedProcess[str]":
    """Call the function in a process of its own, which says what it returned on standard output."""
    environment = {**os.environ, "SLUICE_CACHE": str(folder / "cache"), "PYTHONPATH": f"{folder}:{ROOT}"}
    command = [sys.executable, "-c", "from package.caller import whole; print(whole(10))"]
    return subprocess.run(command, env=environment, check=True, capture_output=True, text=True)


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
    before = jit._digest("tests")
    assert jit._digest("tests") == before
    (tmp_path / "ngram" / "model.py").write_text("from jit import compiled  # other code")
    assert jit._digest("tests") != before


@pytest.mark.skipif(not hasattr(os, "getuid"), reason="folders have no owner here")
@pytest.mark.parametrize("open_folder", [".", "numba"])
def test_a_cache_that_others_can_write_to_is_not_used(open_folder: str, tmp_path: Path) -> None:
    # numba unpickles what it finds there: whoever can write to it could run code as this user.
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "__init__.py").touch()
    (tmp_path / "package" / "caller.py").write_text(CALLER)
    (tmp_path / "package" / "part.py").write_text(PART.format(factor=2))
    (tmp_path / "cache" / "numba").mkdir(parents=True, mode=0o700)
    (tmp_path / "cache").chmod(0o700)
    (tmp_path / "cache" / open_folder).chmod(0o777)
    result = run_caller(tmp_path)
    assert result.stdout.strip() == "21"
    assert result.stderr.count("not this user's alone; remove it, or let SLUICE_CACHE name") == 1
    assert not list(tmp_path.rglob("*.nbc"))
    (tmp_path / "cache" / open_folder).chmod(0o755)
    result = run_caller(tmp_path)
    assert (result.stdout.strip(), result.stderr) == ("21", "")
    assert list(tmp_path.rglob("*.nbc"))


def test_what_no_process_has_used_for_long_is_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLUICE_CACHE", str(tmp_path / "cache"))
    folder = Path(jit._cache_folder.__wrapped__("tests"))
    recent, old, other = (folder.parent / name for name in ("0123456789abcdef", "f" * 16, "kept by somebody"))
    for each, days in ((folder, 99), (recent, 59), (old, 61), (other, 99)):
        (each / "functions").mkdir(parents=True)
        (each / "functions" / "one.nbc").touch()
        before = time.time() - days * 24 * 3600
        os.utime(each, (before, before))
    target = tmp_path / "elsewhere"
    target.mkdir()
    link = folder.parent / ("e" * 16)
    link.symlink_to(target)
    os.utime(target, (0, 0))
    assert jit._cache_folder.__wrapped__("tests") == str(folder)
    assert not old.exists()
    assert all(each.exists() for each in (folder / "functions" / "one.nbc", recent, other, link, target))
    assert time.time() - folder.stat().st_mtime < 60, "its use is not noted"


def test_the_folder_of_compiled_code_is_found_without_torch() -> None:
    code = "import sys, sluice_core.jit\nsys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
