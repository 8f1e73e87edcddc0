"""Vocal-tract-length perturbation: mel filters that hear a voice as that of a longer or shorter throat.

Formants lie higher the shorter the vocal tract is. Filters on a warped axis move them (Jaitly and Hinton 2013),
whatever the pitch; up to a hinge frequencies are multiplied, above it they go on linearly to half the sample rate,
which stays.
"""

import math

import torch
from torch import Tensor

from asr.acoustic.features import Features, mel_edges, triangles

WARPS = 31
"""The number of filter banks, evenly spaced over the logarithm of the factor."""

HINGE = 0.6
"""The share of half the sample rate up to which frequencies are multiplied."""


def warped_filters(features: Features, factors: tuple[float, float]) -> list[Tensor]:
    """Return banks of filters `[2 * bins, mels]` for factors from the least to the greatest; one if these are 1."""
    low, high = factors
    if low == high == 1:
        return [features.filters]
    steps = [low * (high / low) ** (number / (WARPS - 1)) for number in range(WARPS)]
    edges = mel_edges(features.config)
    nyquist = features.config.sample_rate / 2
    bins = features.filters.shape[0] // 2
    hz = torch.linspace(0, nyquist, bins, dtype=torch.float64)
    return [triangles(warp(hz, nyquist, factor), edges).repeat_interleave(2, dim=0) for factor in steps]


def warp(hz: Tensor, nyquist: float, factor: float) -> Tensor:
    """Return what frequencies become: multiplied up to a hinge, linear from there to `nyquist`, which stays."""
    hinge = HINGE * nyquist / max(factor, 1.0)
    assert not math.isclose(hinge, nyquist)
    above = factor * hinge + (hz - hinge) * (nyquist - factor * hinge) / (nyquist - hinge)
    return torch.where(hz <= hinge, factor * hz, above)
