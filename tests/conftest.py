"""What tests share: where the real corpora lie, when they do."""

import os
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.tones import SETTINGS, write_corpus

ROOT = Path(__file__).resolve().parents[1]
RECIPES = ROOT / "sluice" / "recipes" / "ctc"


def real_corpus(name: str) -> Path:
    """Return the folder of a real corpus, or skip the test, saying so, where there is none.

    It is looked for in the folder that the environment variable SLUICE_CORPORA names, or, without it, in any folder
    `corpora` one level deep beside the repository.
    """
    named = os.environ.get("SLUICE_CORPORA")
    folders = [Path(named)] if named else sorted(ROOT.parent.glob("*/corpora"))
    for folder in folders:
        if (folder / name).is_dir():
            return folder / name
    where = (
        f"in SLUICE_CORPORA ({named})" if named else "at hand: set SLUICE_CORPORA to the folder that has it"
    )
    pytest.skip(f"the real corpus {name} is not {where}")


@dataclass(frozen=True)
class ToneRun:
    """A recognizer of tones that was trained for the tests."""

    run: Path
    manifest: Path
    """Recordings that training has not heard."""
    folder: Path
    """Where their audio lies."""


@pytest.fixture(scope="session")
def tone_run(tmp_path_factory: pytest.TempPathFactory) -> ToneRun:
    """Train a tiny recognizer end to end, once for all tests, as a person would."""
    from sluice.cli import main

    root = tmp_path_factory.mktemp("tones")
    train, other = write_corpus(root / "train", 90), write_corpus(root / "other", 12, seed=1)
    settings = [*SETTINGS, "training.max_epochs=20", "corpus.test=" + str(other)]
    arguments = ["train", str(RECIPES / "manifest.yaml"), "--data", str(train), "--name", "tones", "--quiet"]
    arguments += ["--runs", str(root / "runs"), "--cache", str(root / "cache")]
    for setting in settings:
        arguments += ["--set", setting]
    assert main(arguments) == 0
    return ToneRun(root / "runs" / "tones", other, other.parent)
