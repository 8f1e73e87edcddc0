"""Mel filters that hear a voice as that of a longer or shorter vocal tract.

Formants lie higher the shorter the vocal tract is. Filters on a warped axis move them (Jaitly and Hinton 2013),
whatever the pitch; up to a hinge frequencies are multiplied, above it they go on linearly to half the sample rate,
which stays.
"""

import math

import torch
from torch import Tensor

from asr.acoustic.features import Features, mel_edges, triangles

HINGE = 0.6
"""The share of half the sample rate up to which frequencies are multiplied."""


def warped_filters(features: Features, factor: float) -> Tensor:
    """Return filters `[2 * bins, mels]` that hear frequencies as so many times as high; the plain ones at 1."""
    if factor == 1:
        return features.filters
    nyquist = features.config.sample_rate / 2
    hz = torch.linspace(0, nyquist, features.filters.shape[0] // 2, dtype=torch.float64)
    return triangles(warp(hz, nyquist, factor), mel_edges(features.config)).repeat_interleave(2, dim=0)


def warp(hz: Tensor, nyquist: float, factor: float) -> Tensor:
    """Return what frequencies become: multiplied up to a hinge, linear from there to `nyquist`, which stays."""
    hinge = HINGE * nyquist / max(factor, 1.0)
    assert not math.isclose(hinge, nyquist)
    above = factor * hinge + (hz - hinge) * (nyquist - factor * hinge) / (nyquist - hinge)
    return torch.where(hz <= hinge, factor * hz, above)
