"""Who may import whom (pyproject.toml, tool.importlinter), and what may not be imported before it is needed."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("sluice", "asr", "slot_filling", "sluice_core", "sluice_cells")
SLOW = {
    "torchaudio",
    "librosa",
    "lightning",
    "matplotlib",
    "av",
    "espeakng_loader",
    "onnxruntime",
    "hibari",
    "piper",
    "ttspico",
    "jiwer",
    "jellyfish",
    "rapidfuzz",
}
SLOW_AT_TOP = {  # only imported to train
    f"sluice_core/training/{name}.py" for name in ("fit", "callbacks", "epoch_progress", "interrupts", "task")
}


def test_imports_keep_to_the_contracts(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    cli = pytest.importorskip("importlinter.cli", reason="import-linter is not installed (the extra 'test')")
    monkeypatch.chdir(ROOT)
    # It would disable all loggers that there are, and tests after this one listen to ours.
    monkeypatch.setattr(cli.logging_config, "dictConfig", lambda configuration: None)
    broken = cli.lint_imports(config_filename="pyproject.toml", no_cache=True)
    printed = capsys.readouterr().out
    assert not broken, printed
    assert re.search(r"Contracts: [1-9]\d* kept, 0 broken", printed)


def imported_at_top(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module.split(".")[0])
    return names


def test_slow_imports_are_inside_functions() -> None:
    files = {
        path.relative_to(ROOT).as_posix(): path for name in PACKAGES for path in (ROOT / name).rglob("*.py")
    }
    assert len(files) > 200
    slow = {name: imported_at_top(path) & SLOW for name, path in files.items() if name not in SLOW_AT_TOP}
    assert not {name: found for name, found in slow.items() if found}, "something slow is imported at the top"
