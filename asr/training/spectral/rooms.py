"""Rooms: reverberation that decays exponentially in every band, in high ones faster (Polack 1988, of energies)."""

import numpy as np
import torch
from torch import Tensor

HIGHEST_SHARE = (0.4, 1.0)
"""How long the highest band reverberates, as a share of the lowest, is drawn from this range."""

LEAST_LEFT = 1e-3
"""Reverberation is followed until this share of its energy is left."""


def reverberate(
    energies: Tensor,
    seconds: tuple[float, float],
    direct_db: tuple[float, float],
    seconds_per_frame: float,
    generator: np.random.Generator,
) -> Tensor:
    """Return mel energies `[time, mels]` as a room gives them back; the same number of frames.

    Args:
        energies: what is said.
        seconds: the time in which sound falls by 60 dB is drawn from this range.
        direct_db: the level of direct sound over reverberation is drawn from this range.
        seconds_per_frame: from one frame to the next.
        generator: decides.
    """
    mels = energies.shape[1]
    decay_seconds = generator.uniform(*seconds) * np.linspace(1, generator.uniform(*HIGHEST_SHARE), mels)
    kept = 10 ** (-6 * seconds_per_frame / decay_seconds)  # of the energy, from a frame to the next
    share = torch.from_numpy((1 - kept) / kept * 10 ** (-generator.uniform(*direct_db) / 10)).float()
    kept_share = torch.from_numpy(kept).float()
    # 1 + az + (az)^2 + … = (1 + az)(1 + (az)^2)(1 + (az)^4) …: as many products as the logarithm of the decay's length.
    sums, distance = energies, 1
    while distance < len(energies) and float(kept_share[0]) ** distance > LEAST_LEFT:
        later = sums.clone()
        later[distance:].addcmul_(sums[:-distance], kept_share**distance)
        sums, distance = later, 2 * distance
    return energies + share * (sums - energies)
