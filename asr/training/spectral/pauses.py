"""Pauses before and after an utterance, in which there is nothing but what rooms and noise put there later."""

import numpy as np
import torch
from torch import Tensor


def add_pauses(
    energies: Tensor, longest_seconds: float, seconds_per_frame: float, generator: np.random.Generator
) -> Tensor:
    """Return mel energies `[time, mels]` with pauses of zeros on both sides, each of a length drawn uniformly."""
    before, after = (generator.uniform(0, longest_seconds, 2) / seconds_per_frame).astype(int).tolist()
    return torch.nn.functional.pad(energies, (0, 0, before, after))
