"""Forced alignment: the best CTC path of a text that is known, and when its tokens are heard.

A labelling of L tokens has 2L + 1 states: its tokens, and a blank before, between and after them. A path goes
through them in order, a state a step; it may stay, go on to the next, or pass over a blank between two tokens
that differ (Graves et al. 2006, section 4.1). The best path is found by Viterbi's recursion.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from asr.ctc import BLANK, required_steps
from training.compiling import compiled
from training.errors import UserError

MUCH = 1_000_000
"""Steps times tokens, of a whole batch, from which on threads take less time than they cost."""


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
    """The likeliest path of each utterance's target; see `force_align_each`."""
    return [path for (path,) in force_align_each(log_probs, lengths, [[target] for target in targets])]


def force_align_each(
    log_probs: Tensor, lengths: Tensor, targets: Sequence[Sequence[Sequence[int]]]
) -> list[list[Path]]:
    """The likeliest path of each of an utterance's targets, utterances side by side on as many threads as torch uses.

    A target takes time in proportion to steps x tokens, and so many bytes.

    Args:
        log_probs: `[batch, steps, tokens]` natural logs.
        lengths: `[batch]` int64 steps of each utterance; what stands past them is not read.
        targets: of each utterance some, each its tokens without blanks; where there are none the path is all blanks.

    Raises:
        AlignmentError: a target needs more steps than there are, has tokens that the model lacks, or has no
            path of a finite score.
    """
    emissions = log_probs.detach().float().cpu().contiguous().numpy()
    work = [
        (emission[:length], some, f"utterance {item}: " if len(emissions) > 1 else "")
        for item, (emission, length, some) in enumerate(
            zip(emissions, lengths.tolist(), targets, strict=True)
        )
    ]
    threads = min(torch.get_num_threads(), len(work))
    if threads <= 1 or sum(len(steps) * sum(map(len, some)) for steps, some, _ in work) < MUCH:
        return [_align(*item) for item in work]
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(lambda item: _align(*item), work))


def _align(log_probs: np.ndarray, targets: Sequence[Sequence[int]], where: str) -> list[Path]:
    """The path of each target on `log_probs [steps, tokens]`; `where` opens the message of an error."""
    for target in targets:
        _check(log_probs, target, where)
    bounds = np.cumsum([0, *map(len, targets)])
    starts, ends, tokens = np.zeros((3, bounds[-1]), np.int64)
    tokens[:] = [token for target in targets for token in target]
    best, scores = np.full(len(tokens), -np.inf), np.zeros(len(targets))
    if len(log_probs):
        _viterbi_each(log_probs, tokens, bounds, starts, ends, best, scores)
    if not np.isfinite(scores).all():
        raise AlignmentError(
            f"{where}the model gives this text no probability at all; its posteriors are zero or not numbers"
        )
    places = tuple(starts.tolist()), tuple(ends.tolist())
    confidences = tuple(np.exp(best).tolist())
    return [
        Path(places[0][first:last], places[1][first:last], confidences[first:last], score)
        for (first, last), score in zip(pairwise(bounds.tolist()), scores.tolist(), strict=True)
    ]


def _check(log_probs: np.ndarray, target: Sequence[int], where: str) -> None:
    steps, size = log_probs.shape
    if target and not 0 < min(target) <= max(target) < size:
        raise AlignmentError(f"{where}tokens must lie between 1 and {size - 1}: {list(target)}")
    needed = required_steps(target)
    if needed > steps:
        raise AlignmentError(
            f"{where}the text is too long for its audio: its {len(target)} tokens need at least {needed} steps "
            f"of the model, and the audio has {steps}. Is it the text of this recording?"
        )


DROP = 30.0
"""States so much (nats) less likely than the best of their step are at first left out of the search for a path."""


@compiled
def _viterbi_each(log_probs, targets, bounds, starts, ends, best_of, scores):  # type: ignore[no-untyped-def]
    """`_viterbi` of each target, `targets[bounds[i] : bounds[i + 1]]`."""
    for item in range(len(scores)):
        first, last = bounds[item], bounds[item + 1]
        scores[item] = _viterbi(
            log_probs, targets[first:last], starts[first:last], ends[first:last], best_of[first:last]
        )


@compiled
def _viterbi(log_probs, target, starts, ends, best_of):  # type: ignore[no-untyped-def]
    """Find the best path of `target [L]` on `log_probs [T, V]`, T > 0.

    Fills `starts`, `ends` and `best_of` (highest log-probability) `[L]` of the tokens; returns the path's score.
    Blank i stands before token i, blank L after the last. Of two equal paths the one that moves on later is taken.
    """
    # Of each step: 1 where the best path comes to blank i from token i - 1, and twice the states it came to token i by.
    moves = np.zeros((len(log_probs), len(target) + 1), np.uint8)
    drop = DROP if log_probs.max() <= 0.0 else np.inf
    score, on_token, left_out = _advance(log_probs, target, moves, -np.inf, drop)
    if left_out > score:
        # A path through what was left out may be better. Then no part of it is below the one that was found.
        score, on_token, left_out = _advance(log_probs, target, moves, score, np.inf)
    item = len(target)
    for step in range(len(log_probs) - 1, -1, -1):
        if not on_token:
            on_token = moves[step, item] % 2 == 1
            continue
        token = item - 1
        starts[token] = step
        ends[token] = max(ends[token], step + 1)
        best_of[token] = max(best_of[token], log_probs[step, target[token]])
        move = moves[step, token] // 2
        item -= move > 0
        on_token = move != 1
    return score


@compiled
def _advance(log_probs, target, moves, least, drop):  # type: ignore[no-untyped-def]
    """Fill `moves [T, L + 1]`, states below `least` or `drop` below the best of their step left out.

    Returns:
        The best path's score; whether it ends on the last token; the highest score of a state that was left out.
    """
    steps, count = moves.shape[0], len(target)
    blanks, tokens = np.full(count + 1, -np.inf), np.full(count + 1, -np.inf)  # tokens[i + 1] is token i
    skipped = np.zeros(count)  # added where a path passes over blank i: impossible between equal tokens
    skipped[1:][target[1:] == target[:-1]] = -np.inf
    blanks[0] = 0.0
    low, high, left_out = 0, 0, -np.inf  # blanks low to high, and the tokens after them, are in the search
    for step in range(steps):
        now, blank_now = log_probs[step], log_probs[step, BLANK]
        # Only what the start reaches by now and what reaches the end in time; downward, for in place the scores
        # of lower states must still be those of the step before.
        first, last = max(low, count - steps + step), min(count, high + 1)
        best_now = -np.inf
        if last == count:
            moves[step, count] = tokens[count] > blanks[count]
            blanks[count] = max(blanks[count], tokens[count]) + blank_now
            best_now = blanks[count]
        for item in range(min(last, count - 1), first - 1, -1):
            before, blank, best = tokens[item], blanks[item], tokens[item + 1]
            skip = before + skipped[item]
            move = 0
            if blank > best:
                best, move = blank, 2
            if skip > best:
                best, move = skip, 4
            tokens[item + 1] = best + now[target[item]]
            if before > blank:
                blank = before
                move += 1
            blanks[item] = blank + blank_now
            moves[step, item] = move
            best_now = max(best_now, blanks[item], tokens[item + 1])
        low, high, limit = first, last, max(best_now - drop, least)
        while low < high and max(blanks[low], tokens[low + 1]) < limit:
            left_out = max(left_out, blanks[low], tokens[low + 1])
            blanks[low] = tokens[low + 1] = -np.inf
            low += 1
        while low < high and max(blanks[high], tokens[high + 1] if high < count else -np.inf) < limit:
            left_out = max(left_out, blanks[high], tokens[high + 1] if high < count else -np.inf)
            blanks[high] = -np.inf
            if high < count:
                tokens[high + 1] = -np.inf
            high -= 1
    return max(blanks[count], tokens[count]), tokens[count] > blanks[count], left_out
