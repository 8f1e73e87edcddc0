"""Tonal noise, as machines and music make it: harmonics of a pitch that stays, wanders or fades."""

import numpy as np

TONES_PER_SECOND = 3.0
SECONDS = (0.15, 6.0)
"""A tone lasts so long, drawn on a logarithmic scale, as its pitch is."""
PITCH_HZ = (45.0, 900.0)
HARMONICS = (1, 40)
SLOPE = (0.0, 1.5)
"""The n-th harmonic is n to the power of minus this as strong, and differs from that by a factor of 0.2 to 1."""
WANDER = 0.06
"""How far a pitch moves while its tone lasts, as a natural logarithm, at most."""
FADE_DB = (0.0, 40.0)
"""By how much a tone falls until its end."""
LEVEL_DB = 15.0
"""Tones differ by at most so many decibels."""
ONSET_SECONDS = 0.02


def tones(count: int, sample_rate: int, generator: np.random.Generator) -> np.ndarray:
    """Generate `count` samples of tones, some at once, float32; the end goes on into the beginning."""
    result = np.zeros(count, np.float32)
    for start in generator.integers(0, count, max(1, round(TONES_PER_SECOND * count / sample_rate))):
        tone = _tone(count, sample_rate, generator)
        places = (start + np.arange(len(tone))) % count
        result[places] += tone
    return result


def _tone(most: int, sample_rate: int, generator: np.random.Generator) -> np.ndarray:
    """Generate one tone of at most `most` samples."""
    seconds = np.exp(generator.uniform(*np.log(SECONDS)))
    count = min(most, round(seconds * sample_rate))
    time = np.linspace(0, 1, count)
    wander = generator.uniform(-WANDER, WANDER) * np.sin(generator.uniform(0.5, 8) * time)
    pitch_hz = np.exp(generator.uniform(*np.log(PITCH_HZ)) + wander)
    phase = 2 * np.pi * np.cumsum(pitch_hz) / sample_rate
    highest = int(0.45 * sample_rate / pitch_hz.max())
    slope, sound = generator.uniform(*SLOPE), np.zeros(count)
    for number in range(1, min(highest, int(generator.integers(*HARMONICS))) + 1):
        strength = generator.uniform(0.2, 1) * number**-slope
        sound += strength * np.sin(number * phase + generator.uniform(0, 2 * np.pi))
    sound *= 10 ** (-generator.uniform(*FADE_DB) / 20 * time)
    onset = max(1, min(count // 2, round(ONSET_SECONDS * sample_rate)))
    sound[:onset] *= np.linspace(0, 1, onset)
    sound[-onset:] *= np.linspace(1, 0, onset)
    level = np.sqrt(np.mean(np.square(sound))) or 1.0
    return (sound / level * 10 ** (-generator.uniform(0, LEVEL_DB) / 20)).astype(np.float32)
