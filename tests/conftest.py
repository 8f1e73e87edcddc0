"""What tests share: where the real corpora lie, when they do."""

import logging
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from filelock import FileLock

from tests.tones import SETTINGS, write_corpus

ROOT = Path(__file__).resolve().parents[1]

if (
    "PYTEST_XDIST_WORKER" in os.environ
):  # as many workers as cores: a second thread in each would only be in the way
    os.environ.setdefault("OMP_NUM_THREADS", "1")
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


@pytest.fixture(autouse=True)
def logging_as_it_was() -> None:
    """Undo what an earlier test's command line did to the loggers: `caplog` hears what is propagated."""
    from sluice.cli import PACKAGES

    for name in PACKAGES:
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True
        logger.setLevel(logging.NOTSET)


def once_for_all_workers(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], None]) -> Path:
    """Return a folder that the first of pytest-xdist's workers to ask for it has filled with `make`."""
    base = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        base = base.parent  # of all workers of this run
    folder = base / name
    with FileLock(base / f"{name}.lock"):
        if not (folder / "done").exists():
            folder.mkdir()
            make(folder)
            (folder / "done").touch()
    return folder


@pytest.fixture(scope="session")
def tone_run(tmp_path_factory: pytest.TempPathFactory) -> ToneRun:
    """Train a tiny recognizer end to end, once for all tests, as a person would; no test may change it."""

    def train(root: Path) -> None:
        from sluice.cli import main

        manifest, other = write_corpus(root / "train", 90), write_corpus(root / "other", 12, seed=1)
        arguments = ["train", "ctc/manifest", "--data", str(manifest), "--name", "tones", "--quiet"]
        arguments += ["--runs", str(root / "runs"), "--cache", str(root / "cache")]
        for setting in (*SETTINGS, "training.max_epochs=20", f"corpus.test={other}"):
            arguments += ["--set", setting]
        assert main(arguments) == 0

    root = once_for_all_workers(tmp_path_factory, "tones", train)
    return ToneRun(root / "runs" / "tones", root / "other" / "manifest.csv", root / "other")
