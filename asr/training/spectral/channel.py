"""What microphones and lines do to a voice: frequencies raised, lowered and lost."""

import numpy as np
import torch
from torch import Tensor

LOST_DB = 50.0
"""How far what is lost is lowered."""

SLOPE_DB = 0.06
"""… by so much for each Hz beyond the edge, as filters are not infinitely steep."""


def draw_curve(mels: int, most_db: float, generator: np.random.Generator) -> np.ndarray:
    """Draw factors `[mels]` of energies: a curve through a few random points, at most so many decibels up or down."""
    count = int(generator.integers(3, 7))
    points = generator.uniform(-most_db, most_db, count)
    return 10 ** (np.interp(np.linspace(0, 1, mels), np.linspace(0, 1, count), points) / 10)


def equalize(energies: Tensor, most_db: float, generator: np.random.Generator) -> Tensor:
    """Return mel energies `[time, mels]` with frequencies raised and lowered smoothly."""
    return energies * torch.from_numpy(draw_curve(energies.shape[1], most_db, generator)).float()


def lose_bands(
    energies: Tensor, centres_hz: np.ndarray, low_hz: float, high_hz: float, generator: np.random.Generator
) -> Tensor:
    """Return mel energies `[time, mels]` without what is below or above edges that are drawn.

    Args:
        energies: what is said.
        centres_hz: `[mels]`.
        low_hz: the lower edge is drawn between 0 and this.
        high_hz: the upper edge is drawn between this and the highest band.
        generator: decides.
    """
    low = generator.uniform(0, low_hz)
    high = generator.uniform(high_hz, max(high_hz, centres_hz[-1]))
    beyond = np.maximum(low - centres_hz, 0) + np.maximum(centres_hz - high, 0)
    lowered = np.minimum(beyond * SLOPE_DB, LOST_DB)
    return energies * torch.from_numpy(10 ** (-lowered / 10)).float()
