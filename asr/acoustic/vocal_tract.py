"""Vocal tracts: mel filters that hear a voice as that of a longer or shorter throat, and several of them averaged.

Formants lie higher the shorter the vocal tract is. Filters on a warped axis move them (Jaitly and Hinton 2013),
whatever the pitch; up to a hinge frequencies are multiplied, above it they go on linearly to half the sample rate,
which stays.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from asr.acoustic.emissions import BATCH_SECONDS
from asr.acoustic.features import Features, mel_edges, triangles
from asr.acoustic.network import AcousticModel

HINGE = 0.6
"""The share of half the sample rate up to which frequencies are multiplied."""


class VocalTracts:
    """Hears recordings as from several vocal tracts, and averages what a model says of each.

    Factors do not change time, so that the outputs of the model belong together step by step. The average is that of
    log-probabilities, normalized again: the geometric mean of the distributions.

    Example:
        >>> from asr.config import FeatureConfig
        >>> tracts = VocalTracts(Features(FeatureConfig()), [0.93, 1.0, 1.07])
        >>> [tuple(each.shape) for each in tracts.features_of(torch.zeros(16000))]
        [(101, 80), (101, 80), (101, 80)]
    """

    def __init__(self, features: Features, factors: Sequence[float]) -> None:
        """Make the filters.

        Args:
            features: what computes spectra, and features of mel energies.
            factors: of the frequencies of a voice, at least one; 1 leaves them as they are.
        """
        self.features = features
        self.filters = [warped_filters(features, factor) for factor in factors]

    def to(self, device: torch.device) -> None:
        """Move features and filters to a device."""
        self.features.to(device)
        self.filters = [filters.to(device) for filters in self.filters]

    def features_of(self, samples: Tensor) -> list[Tensor]:
        """Compute the features `[time, size]` float32 of one utterance `[samples]` at each factor."""
        with torch.autocast(samples.device.type, enabled=False):
            power = self.features.power(samples)
            return [self.features.finish(power @ filters) for filters in self.filters]

    def log_probs(self, model: AcousticModel, batch: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """Compute the log-probabilities of recordings by a model.

        Args:
            model: the acoustic model.
            batch: recordings `[samples]` on the model's device.

        Returns:
            Natural log-probabilities `[batch, time, tokens]` float32, and lengths `[batch]` int64 in steps.
        """
        utterances = [self.features_of(samples) for samples in batch]
        frames = torch.tensor([len(heard[0]) for heard in utterances], device=batch[0].device)
        inputs = [pad_sequence(list(rows), batch_first=True) for rows in zip(*utterances, strict=True)]
        if len(inputs) == 1:
            log_probs, steps = model(inputs[0], frames)
            return log_probs, steps
        seconds = len(inputs) * len(batch) * int(frames.max()) * self.features.seconds_per_frame
        if seconds <= BATCH_SECONDS:  # a few recordings take less time together; many take more memory
            log_probs, steps = model(torch.cat(inputs), frames.repeat(len(inputs)))
            outputs, steps = log_probs.chunk(len(inputs)), steps[: len(batch)]
        else:
            computed = [model(each, frames) for each in inputs]
            outputs, steps = tuple(log_probs for log_probs, _ in computed), computed[0][1]
        return torch.stack(outputs).mean(dim=0).log_softmax(dim=2), steps


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
