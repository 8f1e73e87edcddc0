"""Stitching: emissions of overlapping windows joined to one, without a token lost or doubled."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from asr.acoustic.ctc import BLANK
from asr.decoding.greedy import greedy_decode
from asr.long_form.segmentation import Window
from asr.tokens import Tokens

EDGE_SHARE = 0.25
"""The share of an overlap, on each side, in which one of the windows has heard too little of the surroundings."""

AROUND_STEPS = 2
"""Steps before and after a stitch that should hold no token, because windows may place a token a step apart."""


@dataclass(frozen=True)
class Stretch:
    """Log-probabilities that are decoded as one."""

    start: int
    """The sample at its first step, counted in the recording."""
    end: int
    """The sample after its last."""
    log_probs: np.ndarray
    """`[time, tokens]` natural logs."""
    speech: np.ndarray
    """`[frames]` bool: whether each frame of its audio may be speech (see `detect_speech`)."""


def stitch_windows(
    windows: Iterable[tuple[Window, np.ndarray]],
    step_samples: int,
    frame_samples: int,
    longest_steps: int,
    find_gap: Callable[[np.ndarray], int],
) -> Iterator[Stretch]:
    """Join the log-probabilities of chains of overlapping windows.

    Args:
        windows: windows in the recording's order, each with its log-probabilities `[time, tokens]`.
        step_samples: samples of a step; windows of a chain begin a whole number of them apart.
        frame_samples: samples of a frame of speech detection.
        longest_steps: a chain with more steps than this, besides its last window, is divided on the way.
        find_gap: finds the step at which log-probabilities `[time, tokens]` are best divided (see `find_word_gap`).

    Yields:
        One stretch for each piece between pauses; several for a very long piece.
    """
    held: Stretch | None = None
    for window, log_probs in windows:
        speech, end = window.speech, window.start + len(window.samples)
        if held is None:
            held = Stretch(window.start, end, log_probs, speech)
        else:
            later = window.start - held.start
            first, known = later // step_samples, held.log_probs
            stitch = find_stitch(known[first:], log_probs[: len(known) - first])
            joined = np.concatenate([known[: first + stitch], log_probs[stitch:]])
            speech = np.concatenate([held.speech[: later // frame_samples], speech])
            held = Stretch(held.start, end, joined, speech)
        settled = len(held.log_probs) - len(log_probs)  # steps that no window to come reaches
        if not window.continues:
            yield held
            held = None
        elif settled > longest_steps:
            done, held = _divide(held, find_gap(held.log_probs[:settled]), step_samples, frame_samples)
            yield done
    assert held is None, "the last window of a recording cannot continue"


def _divide(stretch: Stretch, step: int, step_samples: int, frame_samples: int) -> tuple[Stretch, Stretch]:
    """Return what lies before a step, and what lies after."""
    sample = stretch.start + step * step_samples
    frame = step * step_samples // frame_samples
    before = Stretch(stretch.start, sample, stretch.log_probs[:step], stretch.speech[:frame])
    return before, Stretch(sample, stretch.end, stretch.log_probs[step:].copy(), stretch.speech[frame:])


def find_stitch(earlier: np.ndarray, later: np.ndarray) -> int:
    """Find the step of an overlap from which on the later window is taken.

    It is the step where both windows are surest that there is no token from `AROUND_STEPS` before to as many after;
    of equally sure ones, the step nearest the middle.

    Args:
        earlier: log-probabilities `[time, tokens]` of the overlap by the window that ends there.
        later: log-probabilities of the same steps by the window that begins there.
    """
    steps = len(later)
    # The number of tokens expected at each step, in both windows together.
    expected = 2 - np.exp(earlier[:, BLANK]) - np.exp(later[:, BLANK])
    total = np.concatenate([[0.0], np.cumsum(expected, dtype=np.float64)])
    candidates = np.arange(round(EDGE_SHARE * steps), max(1, round((1 - EDGE_SHARE) * steps)))
    before, after = np.maximum(candidates - AROUND_STEPS, 0), np.minimum(candidates + AROUND_STEPS, steps)
    cost = total[after] - total[before] + 1e-3 * np.abs(candidates - steps / 2) / steps
    return int(candidates[cost.argmin()])


def find_word_gap(log_probs: np.ndarray, tokens: Tokens) -> int:
    """Find the middle of the longest gap between two words, in the second half if there is one, as a step.

    Args:
        log_probs: `[time, tokens]` natural logs, at least one step.
        tokens: the alphabet.

    Returns:
        At least 1; the number of steps where there are no two words.
    """
    steps = len(log_probs)
    (best,) = greedy_decode(log_probs[None], np.array([steps]))
    spans = [(best.starts[word[0]], best.ends[word[-1]]) for word in tokens.words(best.tokens)]
    gaps = [(start - end, (start + end + 1) // 2) for (_, end), (start, _) in pairwise(spans)]
    later = [gap for gap in gaps if 2 * gap[1] > steps]
    return max(later or gaps, default=(0, steps))[1]
