"""Losses of connectionist temporal classification: the likelihood of targets, and the consistency of two views."""

from torch import Tensor
from torch.nn import functional

from asr.acoustic.ctc import BLANK
from sluice_core.masks import padding_mask


def ctc_loss(log_probs: Tensor, lengths: Tensor, targets: Tensor, target_lengths: Tensor) -> Tensor:
    """Return the negative log-probability of each target in nats (Graves et al. 2006, section 4).

    Args:
        log_probs: `[batch, time, tokens]` natural logs.
        lengths: `[batch]` int64, the number of steps of each utterance.
        targets: `[batch, longest]` int64 tokens; the padding may hold anything.
        target_lengths: `[batch]` int64, the number of tokens of each target.

    Returns:
        `[batch]` float32; infinite where a target needs more steps than the utterance has (see `required_steps`).
    """
    return functional.ctc_loss(
        log_probs.float().transpose(0, 1),  # [time, batch, tokens]
        targets,
        lengths,
        target_lengths,
        blank=BLANK,
        reduction="none",
    )


def consistency_loss(first: Tensor, second: Tensor, lengths: Tensor) -> Tensor:
    """Return how far the posteriors of two views of the same utterances differ, in nats (CR-CTC, Yao et al. 2025).

    The loss is the mean of KL(second || first) and KL(first || second), summed over steps. In each divergence the
    gradient reaches only the view after the bars, which learns from the other.

    Args:
        first: `[batch, time, tokens]` natural logs of the first view.
        second: `[batch, time, tokens]` natural logs of the second view.
        lengths: `[batch]` int64, the number of steps of each utterance.

    Returns:
        `[batch]` float32.
    """
    fixed_first, fixed_second = first.detach(), second.detach()
    to_first = fixed_second.exp() * (fixed_second - first)
    to_second = fixed_first.exp() * (fixed_first - second)
    return 0.5 * ((to_first + to_second).sum(2) * padding_mask(lengths, first.shape[1])).sum(1)
