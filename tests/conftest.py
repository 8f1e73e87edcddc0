"""What tests share: where the real corpora lie, when they do."""

from pathlib import Path

import pytest

CORPORA = Path(__file__).resolve().parents[2] / "shared" / "corpora"


def shared_corpus(name: str) -> Path:
    """The folder of a real corpus beside the repository; the test is skipped, saying so, without it."""
    folder = CORPORA / name
    if not folder.is_dir():
        pytest.skip(f"real corpus {name} is not beside the repository (../shared/corpora/{name})")
    return folder
