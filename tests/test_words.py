"""The house's words: retired names and turns of phrase do not come back (CHANGELOG.md has what replaced them)."""

import ast
import re
from collections import defaultdict
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("sluice", "asr", "slot_filling", "sluice_core", "sluice_cells")
CODE = (*PACKAGES, "recipes", "benchmarks", "examples")
RETIRED = {
    "packages": r"^\s*(?:from (?:cells|training|domains)[\w.]* import|import (?:cells|training|domains)\b)",
    "the run skeleton with callbacks": r"\bcarry_out\b",
    "a tagger's ensemble": r"\bclass Voice\(nn\b",
    "statistics": r"\b[Tt]ally\b",
    "segmentation": r"\bCutting\b|\bCutter\b|\blearn_cutting\b",
    "stitching": r"\bseams?\b",
    "voice activity": r"\bmark_speech\b|\bpauses\.py\b",
    "diagnostics": r"\basr[./]monitor\b",
    "dates and times": r"\bimport moments\b|\bmoments\.",
    "inverse text normalization": r"\bwritten_form\b|\bwrite_down\b|\bWrittenForm\b",
    "evaluation": r"\bslot_filling[./]measuring\b|class Measurement\b",
    "padding mask": r"\bimport within\b|\bwithin\(",
    "messages": r"not to be had|\bone's own\b|held against",
    "folders outside the repository": r"\.\./shared",
}


def texts() -> dict[str, str]:
    """Return the text of every public file that people read, by its name; the changelog tells of old names."""
    files = [path for name in (*CODE, "docs", "tests", "findings") for path in (ROOT / name).rglob("*")]
    files += [
        ROOT / name for name in ("README.md", "CONTRIBUTING.md", "Makefile", "pyproject.toml", "mkdocs.yml")
    ]
    kinds = {".py", ".md", ".yaml", ".yml", ".html", ".js", ".h", ".cpp", ".toml", ".sh", ""}
    return {
        path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8")
        for path in files
        if path.is_file()
        and path.suffix in kinds
        and path.name not in {"test_words.py", "test_docs.py"}
        and "fixtures" not in path.parts
    }


TEXTS = texts()


@pytest.mark.parametrize("word", RETIRED)
def test_retired_names_are_gone(word: str) -> None:
    found = [
        f"{name}:{number}: {line.strip()}"
        for name, text in TEXTS.items()
        if re.search(RETIRED[word], text, re.MULTILINE)  # most files have none, and lines take long
        for number, line in enumerate(text.splitlines(), start=1)
        if re.search(RETIRED[word], line)
    ]
    assert not found, "\n".join(found)


def test_docstrings_stand_alone() -> None:
    found = [
        f"{name}: {match[0]}"
        for name, text in TEXTS.items()
        if name.endswith(".py")
        for match in re.finditer(r'"""Of [^\n]*', text)
    ]
    assert not found, "a docstring that begins with Of cannot stand alone:\n" + "\n".join(found)


def test_a_class_name_means_one_thing() -> None:
    places = defaultdict(list)
    for name, text in TEXTS.items():
        if name.endswith(".py") and name.split("/")[0] in CODE:
            for node in ast.parse(text).body:
                if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                    places[node.name].append(name)
    twice = {name: files for name, files in places.items() if len(files) > 1}
    # Each half has its evaluation, as each has its experiment.
    assert twice.keys() <= {"Evaluation"}, twice
