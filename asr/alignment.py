"""Forced alignment: the best CTC path of a text that is known, and when its tokens are heard.

A labelling of L tokens has 2L + 1 states: its tokens, and a blank before, between and after them. A path goes
through them in order, a state a step; it may stay, go on to the next, or pass over a blank between two tokens
that differ (Graves et al. 2006, section 4.1). The best path is found by Viterbi's recursion.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from asr.compiling import compiled
from asr.ctc import BLANK, required_steps
from training.errors import UserError


class AlignmentError(UserError):
    """A text cannot be aligned with its audio: it is empty, too long, or not of the model's alphabet."""


@dataclass(frozen=True)
class Path:
    """Where the best path of a labelling emits each token."""

    starts: tuple[int, ...]
    """The step at which each token begins."""
    ends: tuple[int, ...]
    """The step after the last one of each token."""
    confidences: tuple[float, ...]
    """Posterior probability of each token, the highest over its steps."""
    score: float
    """Natural log of the path's probability."""


def force_align(log_probs: Tensor, lengths: Tensor, targets: Sequence[Sequence[int]]) -> list[Path]:
    """The likeliest path of each target, utterances side by side on as many threads as torch uses.

    An utterance takes time in proportion to steps x (2 tokens + 1), and so many bytes.

    Args:
        log_probs: `[batch, steps, tokens]` natural logs.
        lengths: `[batch]` int64 steps of each utterance; what stands past them is not read.
        targets: tokens of each utterance, without blanks; where there are none the path is all blanks.

    Raises:
        AlignmentError: a target needs more steps than there are, has tokens that the model lacks, or has no
            path of a finite score.
    """
    emissions = log_probs.detach().float().cpu().contiguous().numpy()
    work = [
        (emission[:length], np.asarray(target, np.int64), f"utterance {item}: " if len(emissions) > 1 else "")
        for item, (emission, length, target) in enumerate(
            zip(emissions, lengths.tolist(), targets, strict=True)
        )
    ]
    threads = min(torch.get_num_threads(), len(work))
    if threads <= 1:
        return [_align(*item) for item in work]
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(lambda item: _align(*item), work))


def _align(log_probs: np.ndarray, target: np.ndarray, where: str) -> Path:
    """The path of one `target [tokens]` on `log_probs [steps, tokens]`; `where` opens the message of an error."""
    _check(log_probs, target, where)
    starts, ends = np.zeros((2, len(target)), np.int64)
    score = _viterbi(log_probs, target, starts, ends) if len(log_probs) else 0.0
    if not np.isfinite(score):
        raise AlignmentError(
            f"{where}the model gives this text no probability at all; its posteriors are zero or not numbers"
        )
    best = (log_probs[a:b, token].max() for token, a, b in zip(target, starts, ends, strict=True))
    return Path(
        tuple(starts.tolist()), tuple(ends.tolist()), tuple(float(np.exp(value)) for value in best), score
    )


def _check(log_probs: np.ndarray, target: np.ndarray, where: str) -> None:
    steps, size = log_probs.shape
    if len(target) and not 0 < target.min() <= target.max() < size:
        raise AlignmentError(f"{where}tokens must lie between 1 and {size - 1}: {target.tolist()}")
    needed = required_steps(target.tolist())
    if needed > steps:
        raise AlignmentError(
            f"{where}the text is too long for its audio: its {len(target)} tokens need at least {needed} steps "
            f"of the model, and the audio has {steps}. Is it the text of this recording?"
        )


@compiled
def _viterbi(log_probs, target, starts, ends):  # type: ignore[no-untyped-def]
    """Fill `starts` and `ends [L]` of `target [L]` on `log_probs [T, V]`, T > 0; the score of the path.

    State 2i + 1 is token i, the even ones are blanks. Of two equal paths the one that moves on later is taken.
    """
    steps, states = len(log_probs), 2 * len(target) + 1
    scores = np.full(states, -np.inf)
    moves = np.zeros((steps, states), np.uint8)  # states that the best path to a state advanced by
    scores[0] = 0.0
    for step in range(steps):
        # Only states that the start reaches by now and that reach the end in time; downward, for in place the
        # scores of lower states must still be those of the step before.
        first, last = max(0, states - 2 * (steps - step)), min(states - 1, 2 * step + 1)
        for state in range(last, first - 1, -1):
            token = target[state // 2] if state % 2 else BLANK
            best, move = scores[state], 0
            if state > 0 and scores[state - 1] > best:
                best, move = scores[state - 1], 1
            skips = state > 1 and state % 2 == 1 and target[state // 2] != target[state // 2 - 1]
            if skips and scores[state - 2] > best:
                best, move = scores[state - 2], 2
            scores[state] = best + log_probs[step, token]
            moves[step, state] = move
    state = states - 1
    if states > 1 and scores[state - 1] > scores[state]:
        state -= 1
    score = scores[state]
    for step in range(steps - 1, -1, -1):
        if state % 2:
            starts[state // 2] = step
            ends[state // 2] = max(ends[state // 2], step + 1)
        state -= moves[step, state]
    return score
