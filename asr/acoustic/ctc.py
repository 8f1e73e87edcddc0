"""Connectionist temporal classification (Graves et al. 2006): lengths, loss, and collapsing a path.

Blank is token 0. A path emits one token a step; its labelling is what remains when repeats are merged and
blanks dropped, so two equal letters in a row need a blank between them: 好棒棒 takes at least four steps.
"""

from collections.abc import Iterable, Sequence
from operator import eq

from torch import Tensor
from torch.nn import functional

from sluice_core.masks import within

BLANK = 0


def collapse(path: Iterable[int]) -> list[int]:
    """The labelling of a path: repeats merged, then blanks dropped."""
    labels = []
    previous = BLANK
    for token in path:
        if token != previous and token != BLANK:
            labels.append(token)
        previous = token
    return labels


def required_steps(tokens: Sequence[int]) -> int:
    """The fewest steps in which CTC can emit `tokens`: one each, and a blank between equal neighbours."""
    return len(tokens) + sum(map(eq, tokens, tokens[1:]))


def ctc_loss(log_probs: Tensor, lengths: Tensor, targets: Tensor, target_lengths: Tensor) -> Tensor:
    """Negative log-probability of each target, in nats.

    Args:
        log_probs: `[batch, steps, tokens]` natural logs.
        lengths: `[batch]` int64 steps of each utterance.
        targets: `[batch, longest]` int64 tokens, padded with anything.
        target_lengths: `[batch]` int64.

    Returns:
        `[batch]` float32; infinite where a target needs more steps than there are (see `required_steps`).
    """
    return functional.ctc_loss(
        log_probs.float().transpose(0, 1),  # [steps, batch, tokens]
        targets,
        lengths,
        target_lengths,
        blank=BLANK,
        reduction="none",
    )


def consistency_loss(first: Tensor, second: Tensor, lengths: Tensor) -> Tensor:
    """How far the posteriors of two views of the same utterances differ, in nats (CR-CTC, Yao et al. 2025).

    The mean of the two divergences, summed over steps: half of KL(second || first) + KL(first || second), in each of
    which the gradient reaches only the view after the bars, that learns from the other.

    Args:
        first: `[batch, steps, tokens]` natural logs.
        second: the same of the other view.
        lengths: `[batch]` int64 steps of each utterance.

    Returns:
        `[batch]` float32.
    """
    fixed_first, fixed_second = first.detach(), second.detach()
    to_first = fixed_second.exp() * (fixed_second - first)
    to_second = fixed_first.exp() * (fixed_first - second)
    return 0.5 * ((to_first + to_second).sum(2) * within(lengths, first.shape[1])).sum(1)
