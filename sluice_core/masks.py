"""Masks of padded batches of sequences."""

import torch
from torch import Tensor


def padding_mask(lengths: Tensor, size: int) -> Tensor:
    """Return the padding mask of a batch: true at the items of each sequence, false at its padding.

    Args:
        lengths: `[batch]` int64.
        size: padded length of the batch.

    Returns:
        `[batch, size]` bool, on the device of the lengths.

    Example:
        >>> padding_mask(torch.tensor([1, 3]), 3).tolist()
        [[True, False, False], [True, True, True]]
    """
    return torch.arange(size, device=lengths.device) < lengths[:, None]
