"""Forced alignment: the likeliest CTC path of a known text, and the steps at which it emits each token.

A labelling of L tokens has 2L + 1 states: its tokens, and a blank before, between and after them. A path goes
through them in order, one state in each step; it may stay, go on to the next, or pass over a blank between two tokens
that differ (Graves et al. 2006, section 4.1). The best path is found by Viterbi's recursion.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain, islice, pairwise
from typing import NamedTuple

import numpy as np

from asr.acoustic.ctc import BLANK, required_steps
from sluice_core.errors import UserError
from sluice_core.jit import compiled
from sluice_core.threads import thread_count
from sluice_core.wording import plural

MUCH = 1_000_000
"""Where steps times tokens of a batch are fewer, threads cost more time than they save."""


class AlignmentError(UserError):
    """A text cannot be aligned with its audio: it is empty, too long, or not of the model's alphabet."""


@dataclass(frozen=True)
class Path:
    """The steps at which the best path of a labelling emits each token."""

    starts: tuple[int, ...]
    """The step at which each token begins."""
    ends: tuple[int, ...]
    """The step after the last step of each token."""
    confidences: tuple[float, ...]
    """Posterior probability of each token, the highest over its steps."""
    score: float
    """Natural log of the path's probability."""


def force_align(log_probs: np.ndarray, lengths: np.ndarray, targets: Sequence[Sequence[int]]) -> list[Path]:
    """Find the likeliest path of one target of each utterance; arguments and errors as in `force_align_each`.

    Example:
        >>> log_probs = np.log(np.array([[[0.1, 0.9], [0.9, 0.1], [0.2, 0.8]]]))
        >>> (path,) = force_align(log_probs, np.array([3]), [[1, 1]])
        >>> path.starts, path.ends
        ((0, 2), (1, 3))
    """
    return [path for (path,) in force_align_each(log_probs, lengths, [[target] for target in targets])]


def force_align_each(
    log_probs: np.ndarray, lengths: np.ndarray, targets: Sequence[Sequence[Sequence[int]]]
) -> list[list[Path]]:
    """Find the likeliest path of each of an utterance's targets, on several threads (see `sluice_core.threads`).

    Time and memory of a target are proportional to steps times tokens; it takes about one byte for each.

    Args:
        log_probs: `[batch, time, tokens]` natural logs.
        lengths: `[batch]` int64, the number of steps of each utterance; the steps past it are not read.
        targets: any number of targets for each utterance, each a sequence of tokens without blanks. The path of an
            empty one is all blanks.

    Raises:
        AlignmentError: a target needs more steps than its utterance has, has tokens that the model lacks, or has no
            path with a finite score.
    """
    work = _work_of(log_probs, lengths, targets)
    threads = min(thread_count(), len(targets))
    if threads <= 1 or work.steps[work.owners] @ np.diff(work.bounds) < MUCH:
        _viterbi_each(work, 0, len(work.owners))
    else:
        with ThreadPoolExecutor(threads) as pool:
            cuts = np.linspace(0, len(work.owners), 4 * threads + 1).astype(int).tolist()
            list(pool.map(lambda share: _viterbi_each(work, *share), pairwise(cuts)))
    impossible = np.flatnonzero(~np.isfinite(work.scores))
    if len(impossible):
        raise AlignmentError(
            f"{_place(len(work.steps), work.owners[impossible[0]])}the model gives this text no probability at all; "
            "its posteriors are zero or not numbers"
        )
    return _paths(work, [len(some) for some in targets])


class _Work(NamedTuple):
    """All targets of a batch in flat arrays; the tokens of target i are `tokens[bounds[i] : bounds[i + 1]]`."""

    emissions: np.ndarray
    """`[batch, time, tokens]` natural logs, float32."""
    steps: np.ndarray
    """`[batch]` int64, the number of steps of each utterance."""
    owners: np.ndarray
    """`[targets]`, the utterance of each target."""
    tokens: np.ndarray
    bounds: np.ndarray
    """`[targets + 1]`."""
    starts: np.ndarray
    ends: np.ndarray
    best: np.ndarray
    """`starts`, `ends` and `best` hold each token's first step, the step after its last, and its highest
    log-probability."""
    scores: np.ndarray
    """`[targets]`, the log-probability of each path."""


def _work_of(log_probs: np.ndarray, lengths: np.ndarray, targets: Sequence[Sequence[Sequence[int]]]) -> _Work:
    """Check the targets of a batch and lay them out flat, with room for the results."""
    emissions = np.ascontiguousarray(log_probs, np.float32)
    steps = lengths.tolist()
    for item, (emission, length, some) in enumerate(zip(emissions, steps, targets, strict=True)):
        for target in some:
            _check(length, emission.shape[1], target, _place(len(steps), item))
    labellings = [target for some in targets for target in some]
    owners = np.array([item for item, some in enumerate(targets) for _ in some], np.int64)
    tokens = np.fromiter(chain.from_iterable(labellings), np.int64)
    bounds = np.cumsum([0, *map(len, labellings)])
    starts, ends = np.zeros((2, len(tokens)), np.int64)
    best, scores = np.full(len(tokens), -np.inf), np.zeros(len(labellings))
    return _Work(emissions, np.array(steps, np.int64), owners, tokens, bounds, starts, ends, best, scores)


def _paths(work: _Work, counts: list[int]) -> list[list[Path]]:
    """Return the paths found, grouped by utterance; `counts` says how many targets each utterance has."""
    starts, ends, scores = tuple(work.starts.tolist()), tuple(work.ends.tolist()), work.scores.tolist()
    confidences = tuple(np.exp(work.best).tolist())
    paths = (
        Path(starts[first:last], ends[first:last], confidences[first:last], score)
        for (first, last), score in zip(pairwise(work.bounds.tolist()), scores, strict=True)
    )
    return [list(islice(paths, count)) for count in counts]


def _place(utterances: int, item: int) -> str:
    """Return the words that open an error message: which utterance it is about, where there are several."""
    return f"utterance {item}: " if utterances > 1 else ""


def _check(steps: int, size: int, target: Sequence[int], where: str) -> None:
    if target and not 0 < min(target) <= max(target) < size:
        raise AlignmentError(f"{where}tokens must lie between 1 and {size - 1}: {list(target)}")
    needed = required_steps(target)
    if needed > steps:
        raise AlignmentError(
            f"{where}the text is too long for its audio: its {plural(len(target), 'token')} need "
            f"at least {plural(needed, 'step')} "
            f"of the model, and the audio has {steps}. Is it the text of this recording?"
        )


DROP = 30.0
"""The first search for a path leaves out states that are less likely than the best of their step by this many nats."""


@compiled
def _viterbi_each(work, start, stop):  # type: ignore[no-untyped-def]
    """Run `_viterbi` for the targets from `start` to `stop`; the path of an utterance without steps scores 0."""
    for item in range(start, stop):
        first, last, steps = work.bounds[item], work.bounds[item + 1], work.steps[work.owners[item]]
        if steps > 0:
            work.scores[item] = _viterbi(
                work.emissions[work.owners[item], :steps],
                work.tokens[first:last],
                work.starts[first:last],
                work.ends[first:last],
                work.best[first:last],
            )


@compiled
def _viterbi(log_probs, target, starts, ends, best_of):  # type: ignore[no-untyped-def]
    """Find the best path of `target [L]` on `log_probs [T, V]`, T > 0.

    Fill `starts`, `ends` and `best_of` (the highest log-probability) `[L]` of the tokens; return the path's score.
    Blank i stands before token i, blank L after the last. Of two equal paths, take the one that moves on later.
    """
    # In each step: 1 where the best path comes to blank i from token i - 1, plus 2 * (the states by which it came to
    # token i).
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
    """Fill `moves [T, L + 1]`; leave out states below `least`, and those `drop` below the best of their step.

    Returns:
        The score of the best path, whether it ends on the last token, and the highest score of a state left out.
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
