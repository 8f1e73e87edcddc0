"""Made noise of kinds that no training hears: dishes, water, a grinder, music, and people if there are recordings."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from asr.audio.reading import read_audio

SAMPLE_RATE = 16000
LOUDEST_SAMPLES = 2048
"""Levels are those of the loudest stretch of so many samples, as Picovoice's speech-to-intent benchmark has them."""

Maker = Callable[[int, np.random.Generator], np.ndarray]


def coloured(
    count: int, random: np.random.Generator, slope: float, low_hz: float = 60, high_hz: float = 7900
) -> np.ndarray:
    """Make stationary noise of root mean square 1, whose amplitudes fall as the frequency to the power of `-slope`."""
    size = 1 << (count - 1).bit_length()
    hz = np.fft.rfftfreq(size, 1 / SAMPLE_RATE)
    amplitudes = np.where((hz > low_hz) & (hz < high_hz), np.maximum(hz, 1) ** -slope, 0)
    spectrum = (random.standard_normal(len(hz)) + 1j * random.standard_normal(len(hz))) * amplitudes
    noise = np.fft.irfft(spectrum, size)[:count]
    return noise / np.sqrt(np.mean(noise**2))


def dishes(count: int, random: np.random.Generator) -> np.ndarray:
    """Make bursts of noise that excite sharp resonances: plates and cutlery."""
    result = 0.01 * coloured(count, random, 0.5)
    for _ in range(int(random.integers(6, 25))):
        start = int(random.integers(count))
        length = min(count - start, SAMPLE_RATE // 2)
        burst = random.standard_normal(min(length, int(SAMPLE_RATE * random.uniform(0.001, 0.02))))
        seconds = np.arange(length) / SAMPLE_RATE
        rings = [
            random.uniform(0.2, 1)
            * np.exp(-seconds / random.uniform(0.003, 0.06))
            * np.sin(2 * np.pi * np.exp(random.uniform(np.log(400), np.log(7000))) * seconds)
            for _ in range(int(random.integers(2, 7)))
        ]
        size = 1 << (length + len(burst)).bit_length()
        sound = np.fft.irfft(np.fft.rfft(sum(rings), size) * np.fft.rfft(burst, size), size)[:length]
        result[start : start + length] += sound / np.abs(sound).max() * 10 ** (random.uniform(-20, 0) / 20)
    return result


def water(count: int, random: np.random.Generator) -> np.ndarray:
    """Make noise in a band whose level trembles: a tap, something that boils."""
    band = random.uniform(200, 800), random.uniform(3000, 7900)
    flow = coloured(count, random, random.uniform(0, 0.4), *band)
    points = max(2, count * 8 // SAMPLE_RATE)
    trembling = np.interp(
        np.arange(count), np.linspace(0, count, points), 10 ** (random.uniform(-4, 4, points) / 20)
    )
    return flow * trembling + 0.5 * coloured(count, random, 1.0)


def grinder(count: int, random: np.random.Generator) -> np.ndarray:
    """Make a motor of many harmonics that starts and stops, with the noise of what it grinds."""
    seconds = np.arange(count) / SAMPLE_RATE
    wander = 1 + 0.02 * np.cumsum(random.standard_normal(count)) / np.sqrt(count)
    phase = 2 * np.pi * np.cumsum(random.uniform(80, 220) * wander) / SAMPLE_RATE
    motor = np.zeros(count)
    for harmonic in range(1, 30):
        level = random.uniform(0.2, 1) / np.sqrt(harmonic)
        motor += level * np.sin(harmonic * phase + random.uniform(0, 2 * np.pi))
    motor /= np.sqrt(np.mean(motor**2))
    power = np.interp(seconds, np.sort(random.uniform(0, seconds[-1], 6)), random.uniform(0.1, 1, 6))
    return (motor + 0.7 * coloured(count, random, 0.2, 1000)) * power + 0.1 * coloured(count, random, 1.0)


def music(count: int, random: np.random.Generator) -> np.ndarray:
    """Make chords of plucked tones with a drum."""
    result = np.zeros(count)
    scale = [48, 52, 55, 57, 60, 64, 67, 69, 72, 76]
    for start in range(0, count, int(random.uniform(0.2, 0.5) * SAMPLE_RATE)):
        length = min(count - start, SAMPLE_RATE * 3 // 2)
        seconds = np.arange(length) / SAMPLE_RATE
        for key in random.choice(scale, int(random.integers(1, 4)), replace=False):
            hz = 440 * 2 ** ((key - 69) / 12)
            for harmonic in range(1, 8):
                tone = np.sin(2 * np.pi * hz * harmonic * seconds) * np.exp(-seconds * (2 + harmonic))
                result[start : start + length] += tone / harmonic
        if random.random() < 0.6:
            length = min(length, SAMPLE_RATE // 10)
            drum = random.standard_normal(length) * np.exp(-np.arange(length) / 300)
            result[start : start + length] += 1.5 * drum
    return result


def people(count: int, random: np.random.Generator, recordings: Sequence[Path]) -> np.ndarray:
    """Mix three to eight people who talk at once, of recordings that are in no training."""
    result = np.zeros(count)
    for _ in range(int(random.integers(3, 9))):
        pieces, length = [], 0
        while length < count:
            samples, _ = read_audio(recordings[int(random.integers(len(recordings)))], SAMPLE_RATE)
            pieces.append(samples / np.sqrt(np.mean(samples**2) + 1e-9))
            length += len(samples)
        result += np.concatenate(pieces)[:count] * 10 ** (random.uniform(-6, 0) / 20)
    return result


def makers(recordings: Sequence[Path] = ()) -> dict[str, Maker]:
    """Return the kinds of noise, each a function of a number of samples and a generator."""
    kinds: dict[str, Maker] = {"dishes": dishes, "water": water, "grinder": grinder, "music": music}
    return kinds | ({"people": partial(people, recordings=recordings)} if recordings else {})


def mix(speech: np.ndarray, noise: np.ndarray, snr_db: float) -> np.ndarray:
    """Add noise to speech, both `[samples]`, their loudest stretches so many decibels apart; scaled to full scale."""
    mixed = speech + noise * np.sqrt(_loudest(speech) / (_loudest(noise) * 10 ** (snr_db / 10)))
    return (mixed / max(1.0, float(np.abs(mixed).max()))).astype(np.float32)


def _loudest(samples: np.ndarray) -> float:
    """Return the largest mean square of a stretch."""
    size = min(LOUDEST_SAMPLES, len(samples))
    whole = samples[: len(samples) // size * size].reshape(-1, size)
    return float(np.square(whole).mean(axis=1).max())
