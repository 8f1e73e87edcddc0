"""Another tempo: frames of a recording that lie closer together or farther apart; pitch and formants stay."""

import numpy as np
import torch
from torch import Tensor

from asr.spectral_config import SpectralConfig

STRETCHES = (3, 8)
"""A tempo that changes has from the first up to but not including the second number of given tempos."""


def draw_centres(
    samples: int, hop_samples: int, config: SpectralConfig, generator: np.random.Generator
) -> Tensor | None:
    """Draw the samples that frames are centred on, `[time]` int64, from the first to the last; None for one each hop.

    Args:
        samples: the number of samples.
        hop_samples: from one frame to the next at the tempo of the recording.
        config: the settings.
        generator: decides.
    """
    if config.tempo == (1.0, 1.0) and not config.tempo_jitter:
        return None
    last = (samples // hop_samples) * hop_samples
    frames = max(2, round(last / hop_samples / generator.uniform(*config.tempo)) + 1)
    if not config.tempo_jitter:
        return torch.from_numpy(np.linspace(0, last, frames).round().astype(np.int64))
    count = int(generator.integers(*STRETCHES))
    given = np.exp(generator.uniform(-config.tempo_jitter, config.tempo_jitter, count))
    steps = np.interp(np.linspace(0, 1, frames - 1), np.linspace(0, 1, count), given)
    centres = np.concatenate([[0.0], np.cumsum(steps)])
    return torch.from_numpy((centres * (last / centres[-1])).round().astype(np.int64))
