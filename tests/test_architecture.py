"""Who may import whom: arrows point only downward (README, map of the house)."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
ALLOWED = {
    "sluice_cells": {"sluice_cells"},
    "sluice_core": {"sluice_core", "sluice_cells"},
    "asr": {"asr", "sluice_cells", "sluice_core"},
    "slot_filling": {"slot_filling", "sluice_cells", "sluice_core"},
    "sluice": {"sluice", "asr", "slot_filling", "sluice_cells", "sluice_core"},
}
SLOW = {
    "torchaudio",
    "librosa",
    "lightning",
    "matplotlib",
    "av",
    "espeakng_loader",
    "jiwer",
    "jellyfish",
    "rapidfuzz",
}
SLOW_AT_TOP = {  # only imported to train
    f"sluice_core/training/{name}.py" for name in ("fit", "epoch_progress", "interrupts", "task")
}
FILES = [path for room in ALLOWED for path in sorted((ROOT / room).rglob("*.py"))]


def imported(tree: ast.AST) -> set[str]:
    """Top-level packages that the import statements of a tree name."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module.split(".")[0])
    return names


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_arrows_point_downward_and_slow_imports_are_inside(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    name = str(path.relative_to(ROOT))
    ours = imported(tree) & ALLOWED.keys()
    assert ours <= ALLOWED[path.relative_to(ROOT).parts[0]], f"{name} imports upward or sideways"
    top = ast.Module([node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)], [])
    if name not in SLOW_AT_TOP:
        assert not imported(top) & SLOW, f"{name} imports something slow at its top"
