"""Clatter: dishes, keys and cutlery, as hits that excite a few high resonances which ring for a moment."""

import numpy as np

HITS_PER_SECOND = 4.0
GROUPED = (1, 5)
"""Hits come in groups of so many, the second number not included …"""
APART_SECONDS = 0.12
"""… which are at most so far apart."""
RESONANCES = (3, 12)
RESONANCE_HZ = (500.0, 7500.0)
RING_SECONDS = (0.02, 0.4)
"""A resonance falls by 60 dB in a time drawn from this range, on a logarithmic scale."""
LEVEL_DB = 20.0
"""Hits differ by at most so many decibels."""
CLICK_SECONDS = 0.004


def clatter(count: int, sample_rate: int, generator: np.random.Generator) -> np.ndarray:
    """Generate `count` samples of clatter, float32; its end goes on into its beginning."""
    result = np.zeros(count, np.float32)
    groups = max(1, round(HITS_PER_SECOND / np.mean(GROUPED) * count / sample_rate))
    for start in generator.integers(0, count, groups):
        for _ in range(generator.integers(*GROUPED)):
            hit = _hit(sample_rate, generator)
            places = (start + np.arange(len(hit))) % count
            np.add.at(result, places, hit)
            start += int(generator.uniform(0, APART_SECONDS) * sample_rate)
    return result


def _hit(sample_rate: int, generator: np.random.Generator) -> np.ndarray:
    """Generate one hit: a click, and the resonances that it excites."""
    number = int(generator.integers(*RESONANCES))
    low, high = np.log(RESONANCE_HZ[0]), np.log(min(RESONANCE_HZ[1], 0.47 * sample_rate))
    hz = np.exp(generator.uniform(low, high, (number, 1)))
    ring_seconds = np.exp(generator.uniform(np.log(RING_SECONDS[0]), np.log(RING_SECONDS[1]), (number, 1)))
    seconds = np.arange(round(float(ring_seconds.max()) * sample_rate)) / sample_rate
    phases, levels = generator.uniform(0, 2 * np.pi, (number, 1)), generator.uniform(0.1, 1, (number, 1))
    rings = levels * 10 ** (-3 * seconds / ring_seconds) * np.sin(2 * np.pi * hz * seconds + phases)
    sound = rings.sum(axis=0)
    click = min(round(CLICK_SECONDS * sample_rate), len(sound))
    sound[:click] += generator.standard_normal(click) * np.linspace(1, 0, click)
    return (sound * 10 ** (-generator.uniform(0, LEVEL_DB) / 20)).astype(np.float32)
