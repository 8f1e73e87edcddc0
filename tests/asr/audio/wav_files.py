"""Audio files made for tests."""

from pathlib import Path

import numpy as np
import soundfile


def write_wav(path: Path, seconds: float = 1.0, rate: int = 16000, seed: int = 0, samples=None) -> Path:
    """Write seeded noise, or `samples`, as a 16-bit file, and its folders; return its path."""
    if samples is None:
        samples = 0.1 * np.random.default_rng(seed).standard_normal(round(seconds * rate)).clip(-3, 3)
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, samples, rate, subtype="PCM_16")
    return path
