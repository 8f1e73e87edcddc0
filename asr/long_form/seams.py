"""Posteriors of overlapping windows joined into one, without a token lost or doubled."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from asr.ctc import BLANK
from asr.decoding import greedy_decode
from asr.long_form.windows import Window
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


def join_windows(
    windows: Iterable[tuple[Window, Tensor]],
    step_samples: int,
    longest_steps: int,
    gap: Callable[[Tensor], int],
) -> Iterator[Stretch]:
    """Join chains of overlapping windows.

    Args:
        windows: in the recording's order, each with its log-probabilities `[steps, tokens]`.
        step_samples: samples of a step; windows of a chain begin a whole number of them apart.
        longest_steps: a chain with more steps than this, besides its last window, is divided on the way.
        gap: says at which step log-probabilities `[steps, tokens]` are best divided (see `word_gap`).

    Yields:
        A stretch for each piece between pauses, or several of a very long one.
    """
    held: Tensor | None = None
    start = 0
    for window, log_probs in windows:
        if held is None:
            held, start = log_probs, window.start
        else:
            first = (window.start - start) // step_samples
            place = seam(held[first:], log_probs[: len(held) - first])
            held = torch.cat([held[: first + place], log_probs[place:]])
        end = window.start + len(window.samples)
        if not window.continues:
            yield Stretch(start, end, held)
            held = None
        elif (settled := len(held) - len(log_probs)) > longest_steps:  # the next window begins after these
            cut = gap(held[:settled])
            yield Stretch(start, start + cut * step_samples, held[:cut])
            held, start = held[cut:].clone(), start + cut * step_samples
    assert held is None, "the last window of a recording cannot go on"


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
