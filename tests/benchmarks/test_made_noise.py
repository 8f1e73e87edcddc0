"""Noise for measuring has the length and the level that it should, and is always the same."""

import numpy as np
import pytest
import soundfile

from benchmarks.made_noise import LOUDEST_SAMPLES, SAMPLE_RATE, makers, mix


def loudest(samples: np.ndarray) -> float:
    stretches = samples[: len(samples) // LOUDEST_SAMPLES * LOUDEST_SAMPLES].reshape(-1, LOUDEST_SAMPLES)
    return float(np.square(stretches).mean(axis=1).max())


def speech(seconds: float = 1.0) -> np.ndarray:
    count = round(seconds * SAMPLE_RATE)
    return 0.1 * np.random.default_rng(1).standard_normal(count) * np.linspace(0, 1, count)


@pytest.mark.parametrize("kind", ["dishes", "water", "grinder", "music", "people"])
def test_noise_has_its_level_against_the_loudest_stretch(kind, tmp_path):
    soundfile.write(tmp_path / "a.wav", speech(0.5), SAMPLE_RATE)
    make = makers([tmp_path / "a.wav"])[kind]
    noise = make(3 * SAMPLE_RATE, np.random.default_rng(0))
    assert len(noise) == 3 * SAMPLE_RATE and np.isfinite(noise).all()
    np.testing.assert_array_equal(noise, make(3 * SAMPLE_RATE, np.random.default_rng(0)))
    clean = np.pad(speech(), SAMPLE_RATE)
    mixed = mix(clean, noise, 12)
    assert mixed.dtype == np.float32 and np.abs(mixed).max() <= 1
    scale = float(np.dot(mixed - clean, noise) / np.dot(noise, noise))
    assert 10 * np.log10(loudest(clean) / loudest(scale * noise)) == pytest.approx(12, abs=0.5)
