"""Posteriors of overlapping windows joined into one, without a token lost or doubled."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from asr.acoustic.ctc import BLANK
from asr.decoding import greedy_decode
from asr.long_form.segmentation import Window
from asr.tokens import Tokens

EDGE_SHARE = 0.25
"""Of an overlap, on each side: there one of the windows has heard too little of what is around."""

AROUND_STEPS = 2
"""Steps before and after a seam that should hold no token: windows may place the same one a step apart."""


@dataclass(frozen=True)
class Stretch:
    """Posteriors to be decoded as one."""

    start: int
    """The sample, counted in the recording, at the first step."""
    end: int
    """The sample after the last."""
    log_probs: Tensor
    """`[steps, tokens]` natural logs."""
    speech: np.ndarray
    """`[frames]` bool: marks of the audio (see `mark_speech`)."""


def join_windows(
    windows: Iterable[tuple[Window, Tensor]],
    step_samples: int,
    frame_samples: int,
    longest_steps: int,
    gap: Callable[[Tensor], int],
) -> Iterator[Stretch]:
    """Join chains of overlapping windows.

    Args:
        windows: in the recording's order, each with its log-probabilities `[steps, tokens]`.
        step_samples: samples of a step; windows of a chain begin a whole number of them apart.
        frame_samples: samples of a mark of speech.
        longest_steps: a chain with more steps than this, besides its last window, is divided on the way.
        gap: says at which step log-probabilities `[steps, tokens]` are best divided (see `word_gap`).

    Yields:
        A stretch for each piece between pauses, or several of a very long one.
    """
    held: Stretch | None = None
    for window, log_probs in windows:
        speech, end = window.speech, window.start + len(window.samples)
        if held is None:
            held = Stretch(window.start, end, log_probs, speech)
        else:
            later = window.start - held.start
            first, known = later // step_samples, held.log_probs
            place = seam(known[first:], log_probs[: len(known) - first])
            joined = torch.cat([known[: first + place], log_probs[place:]])
            speech = np.concatenate([held.speech[: later // frame_samples], speech])
            held = Stretch(held.start, end, joined, speech)
        settled = len(held.log_probs) - len(log_probs)  # steps that no window to come reaches
        if not window.continues:
            yield held
            held = None
        elif settled > longest_steps:
            done, held = _divide(held, gap(held.log_probs[:settled]), step_samples, frame_samples)
            yield done
    assert held is None, "the last window of a recording cannot go on"


def _divide(stretch: Stretch, step: int, step_samples: int, frame_samples: int) -> tuple[Stretch, Stretch]:
    """What lies before a step, and what lies after."""
    sample = stretch.start + step * step_samples
    frame = step * step_samples // frame_samples
    before = Stretch(stretch.start, sample, stretch.log_probs[:step], stretch.speech[:frame])
    return before, Stretch(sample, stretch.end, stretch.log_probs[step:].clone(), stretch.speech[frame:])


def seam(earlier: Tensor, later: Tensor) -> int:
    """The step of an overlap from which on the later window is believed.

    Where both are surest, from `AROUND_STEPS` before to as many after, that there is no token; of equals the
    one nearest the middle.

    Args:
        earlier: log-probabilities `[steps, tokens]` of the overlap, as the window hears it that ends there.
        later: the same steps as the window hears them that begins there.
    """
    steps = len(later)
    busy = (
        2 - earlier[:, BLANK].exp() - later[:, BLANK].exp()
    )  # tokens expected at each step, of both windows
    total = torch.nn.functional.pad(busy.double().cumsum(0), (1, 0))
    places = torch.arange(round(EDGE_SHARE * steps), max(1, round((1 - EDGE_SHARE) * steps)))
    before, after = (places - AROUND_STEPS).clamp(min=0), (places + AROUND_STEPS).clamp(max=steps)
    cost = total[after] - total[before] + 1e-3 * (places - steps / 2).abs() / steps
    return int(places[cost.argmin()])


def word_gap(log_probs: Tensor, tokens: Tokens) -> int:
    """The middle of the longest gap between two words, of the second half if it has any, as a step.

    Args:
        log_probs: `[steps, tokens]` natural logs, at least one step.
        tokens: the alphabet.

    Returns:
        At least 1; the number of steps where there are no two words.
    """
    steps = len(log_probs)
    (best,) = greedy_decode(log_probs[None], torch.tensor([steps]))
    spans = [(best.starts[word[0]], best.ends[word[-1]]) for word in tokens.words(best.tokens)]
    gaps = [(start - end, (start + end + 1) // 2) for (_, end), (start, _) in pairwise(spans)]
    later = [gap for gap in gaps if 2 * gap[1] > steps]
    return max(later or gaps, default=(0, steps))[1]
