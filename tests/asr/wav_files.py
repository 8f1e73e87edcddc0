"""What the recognizer's tests share."""

from pathlib import Path

import numpy as np
import pytest
import soundfile


@pytest.fixture
def write_wav():
    """A function that writes seeded noise, or `samples`, as a file (and its folders) and returns its path."""

    def write(path: Path, seconds: float = 1.0, rate: int = 16000, seed: int = 0, samples=None) -> Path:
        if samples is None:
            samples = 0.1 * np.random.default_rng(seed).standard_normal(round(seconds * rate)).clip(-3, 3)
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, samples, rate, subtype="PCM_16")
        return path

    return write
