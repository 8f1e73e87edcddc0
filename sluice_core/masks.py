"""Sequences of different lengths side by side."""

import torch
from torch import Tensor


def within(lengths: Tensor, size: int) -> Tensor:
    """Where a padded batch has its sequences: `[batch, size]` bool, true before each of the `[batch]` lengths."""
    return torch.arange(size, device=lengths.device) < lengths[:, None]
