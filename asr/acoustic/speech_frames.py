"""Which frames of an utterance may be speech, the statistics of these alone, and a noise floor below their level.

Recordings of people begin and end with pauses of any length, some of them digital silence. Statistics over all frames
then say how long the pauses are; statistics over speech say how this voice sounds through this microphone.
"""

import torch
from torch import Tensor

RANGE_DB = 25.0
"""Frames farther than this below the loud ones are not speech."""

LOUD_FRAMES = 30
"""The level of loud speech is that of the loudest frames but so many, a third of a second at the usual hop."""

NOISE_SHARE = 0.1
"""The level of noise is what this share of the frames is below."""

ABOVE_NOISE_DB = 4.0
"""Frames nearer than this to the level of noise are not speech, while loud speech is well above it."""

LOUD_DB = 6.0
"""Frames nearer than this to the loud ones are always speech."""

SMOOTHED_FRAMES = 5
"""Levels are means over so many frames, in decibels, so that a click does not count for much."""

FLOOR_HZ = 200.0
"""The noise floor is pink above this frequency, and flat below."""

_DECIBELS = 10 / torch.log(torch.tensor(10.0)).item()


def speech_frames(energies: Tensor, weights: Tensor, smallest: float) -> Tensor:
    """Decide which frames may be speech: those near the loud ones and clearly above what is always there.

    Args:
        energies: mel energies `[time, mels]`.
        weights: `[mels]`, what each band counts for in the level of a frame.
        smallest: a frame's level is at least that of bands with this energy.

    Returns:
        `[time]` bool, true at least once.
    """
    levels = (energies @ weights).clamp_(min=smallest).log_().mul_(_DECIBELS)
    smooth = _smooth(levels)
    ordered = smooth.sort().values
    count = len(ordered)
    loud = ordered[count - 1 - min(LOUD_FRAMES, count // 4)]
    noise = ordered[int(NOISE_SHARE * (count - 1))]
    threshold = torch.maximum(loud - RANGE_DB, torch.minimum(noise + ABOVE_NOISE_DB, loud - LOUD_DB))
    return smooth >= threshold


def level_weights(centres_hz: Tensor) -> Tensor:
    """Return what each band `[mels]` counts for in a level, together 1: more the higher, as rumble is no speech."""
    return centres_hz / centres_hz.sum()


def floor_shape(centres_hz: Tensor) -> Tensor:
    """Return the energies `[mels]` of pink noise whose level is 1."""
    shape = 1 / centres_hz.clamp(min=FLOOR_HZ)
    return shape / (shape @ level_weights(centres_hz))


def add_floor(energies: Tensor, speech: Tensor, shape: Tensor, weights: Tensor, below_db: float) -> None:
    """Add noise without fluctuations to mel energies `[time, mels]`, in place, so far below the level of speech.

    What a quiet room, a gate or a codec leaves between words differs by many decibels; below the floor, nobody sees it.
    """
    level = energies[speech].mean(dim=0) @ weights
    energies += shape * (level * 10 ** (-below_db / 10))


def normalize_speech(features: Tensor, speech: Tensor, epsilon: float = 1e-5) -> Tensor:
    """Bring each feature `[time, size]` to mean 0 and variance 1 over the frames `[time]` that may be speech."""
    shifted = features - features[:1]  # keeps precision where there is a large constant offset
    spoken = shifted[speech]
    mean = spoken.mean(dim=0)
    variance = (spoken - mean).square_().mean(dim=0)
    return (shifted - mean).mul_(torch.rsqrt(variance + epsilon))


def _smooth(levels: Tensor) -> Tensor:
    """Return means of `SMOOTHED_FRAMES` levels `[time]` around each; the first and the last are repeated."""
    half = SMOOTHED_FRAMES // 2
    padded = torch.cat([levels[:1].expand(half), levels, levels[-1:].expand(half)])
    return padded.unfold(0, SMOOTHED_FRAMES, 1).mean(dim=1)
