"""What tests share: where the real corpora lie, when they do."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.tones import SETTINGS, write_corpus

RECIPES = Path(__file__).resolve().parents[1] / "recipes" / "ctc"
CORPORA = Path(__file__).resolve().parents[2] / "shared" / "corpora"


def shared_corpus(name: str) -> Path:
    """The folder of a real corpus beside the repository; the test is skipped, saying so, without it."""
    folder = CORPORA / name
    if not folder.is_dir():
        pytest.skip(f"real corpus {name} is not beside the repository (../shared/corpora/{name})")
    return folder


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
