"""Where words begin and end, in seconds, from the steps at which CTC emits their tokens.

A CTC model is free to emit a letter anywhere in its sound, for a step or two, so neither the first letter's step
nor the last one's bounds a word. What does, measured where the truth is known (`benchmarks/word_times.py`):

- between words that follow each other closely, the step at which the space begins;
- around a longer gap, the silence in it, if there is one; without silence, again the space;
- at both ends of a recording, likewise the silence before and after.

A step stands for the audio around it: step t, whose features are centred on t steps' time, for half a step before
to half a step after.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from asr.acoustic.voice_activity import frame_samples, mark_speech
from asr.alignment.confidence import word_confidences
from asr.decoding import Hypothesis
from asr.tokens import Tokens
from asr.transcript import Word

CLOSE_SECONDS = 0.1
"""Words with at most so much between their letters follow each other without a pause."""

SHORTEST_SILENCE_FRAMES = 3  # of a hundredth of a second, about


class Silences:
    """Where a recording holds no speech."""

    def __init__(self, speech: np.ndarray, sample_rate: int) -> None:
        """Of marks, whether each frame of `frame_samples(sample_rate)` may be speech: bool `[frames]`."""
        self._frame_seconds = frame_samples(sample_rate) / sample_rate
        edges = np.flatnonzero(np.diff(speech, prepend=True, append=True)).tolist()
        self._begins, self._stops = edges[::2], edges[1::2]  # frames; lists, which are faster to look into

    @classmethod
    def of(cls, samples: np.ndarray, sample_rate: int) -> "Silences":
        """Of `[samples]`."""
        marks = [marks for _, marks in mark_speech([samples], sample_rate)]
        return cls(np.concatenate(marks) if marks else np.zeros(0, bool), sample_rate)

    def longest(self, start: float, end: float) -> tuple[float, float] | None:
        """Start and end in seconds of the longest one, where there is any, from `start` to `end`; of several as long
        the first.
        """
        frame = self._frame_seconds
        first, last = max(0, round(start / frame)), round(end / frame)
        length, found = SHORTEST_SILENCE_FRAMES - 1, None
        for item in range(bisect_right(self._stops, first), bisect_left(self._begins, last)):
            begin, stop = max(self._begins[item], first), min(self._stops[item], last)
            if stop - begin > length:
                length, found = stop - begin, (begin * frame, stop * frame)
        return found


def spoken_words(
    hypothesis: Hypothesis,
    tokens: Tokens,
    seconds_per_step: float,
    duration_seconds: float,
    silences: Silences | None = None,
    confidences: Sequence[float] | None = None,
) -> tuple[Word, ...]:
    """The words of a labelling with their times and confidences.

    Args:
        hypothesis: the labelling and the steps of its tokens.
        tokens: the alphabet.
        seconds_per_step: time between two steps.
        duration_seconds: of the audio; no word goes beyond.
        silences: of the same audio; without them a word by a pause ends with its last letter.
        confidences: of the words (see `asr.alignment.confidence`); the geometric mean of posteriors if not given.
    """
    groups = tokens.words(hypothesis.tokens)
    times = word_times(
        groups, hypothesis.starts, hypothesis.ends, seconds_per_step, duration_seconds, silences
    )
    sure = word_confidences(hypothesis, tokens) if confidences is None else confidences
    return tuple(
        Word(
            text=tokens.decode(hypothesis.tokens[position] for position in group).strip(),
            start=round(start, 3),
            end=round(end, 3),
            confidence=confidence,
        )
        for group, (start, end), confidence in zip(groups, times, sure, strict=True)
    )


def word_times(
    words: Sequence[Sequence[int]],
    starts: Sequence[int],
    ends: Sequence[int],
    seconds_per_step: float,
    duration_seconds: float,
    silences: Silences | None = None,
) -> list[tuple[float, float]]:
    """Start and end of each word in seconds, in order and without overlaps.

    Args:
        words: positions of each word's tokens (see `Tokens.words`); tokens between words are spaces.
        starts: the step at which each token begins.
        ends: the step after each token's last.
        seconds_per_step: time between two steps.
        duration_seconds: of the audio.
        silences: of the audio.
    """
    if not words:
        return []
    first = [step_seconds(starts[word[0]], seconds_per_step) for word in words]
    last = [step_seconds(ends[word[-1]], seconds_per_step) for word in words]
    # A pause may reach into a word's first letter, which is often emitted too early, but not into what follows.
    inside = [starts[word[1]] if len(word) > 1 else ends[word[0]] - 1 for word in words]
    latest = [step_seconds(step, seconds_per_step) for step in inside]
    for item, (before, after) in enumerate(pairwise(words)):
        gap = ends[before[-1]], starts[after[0]]
        silence = None
        if (gap[1] - gap[0]) * seconds_per_step > CLOSE_SECONDS:
            if silences is None:
                continue
            silence = silences.longest(last[item], latest[item + 1])
        if silence is None:
            has_space = after[0] - before[-1] > 1
            step = starts[before[-1] + 1] if has_space else sum(gap) / 2
            silence = (step_seconds(step, seconds_per_step),) * 2
        last[item], first[item + 1] = silence
    if silences is not None:
        first[0] = (silences.longest(0, latest[0]) or (0, first[0]))[1]
        last[-1] = (silences.longest(last[-1], duration_seconds) or (last[-1],))[0]
    return [
        (min(max(start, 0.0), duration_seconds), min(max(end, 0.0), duration_seconds))
        for start, end in zip(first, last, strict=True)
    ]


def step_seconds(step: float, seconds_per_step: float) -> float:
    """Where the audio of a step begins; before the recording for the first."""
    return (step - 0.5) * seconds_per_step
