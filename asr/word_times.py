"""Where words begin and end, in seconds, from the steps at which CTC emits their tokens.

A CTC model is free to emit a letter anywhere in its sound, for a step or two, so neither the first letter's step
nor the last one's bounds a word. What does, measured where the truth is known (`benchmarks/word_times.py`):

- between words that follow each other closely, the step at which the space begins;
- around a longer gap, the silence in it, if there is one; without silence, again the space;
- at both ends of a recording, likewise the silence before and after.

A step stands for the audio around it: step t, whose features are centred on t steps' time, for half a step before
to half a step after.
"""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from asr.confidence import word_confidences
from asr.decoding import Hypothesis
from asr.long_form.pauses import FRAME_SECONDS, mark_speech
from asr.tokens import Tokens
from asr.transcript import Word

CLOSE_SECONDS = 0.1
"""Words with at most so much between their letters follow each other without a pause."""

SHORTEST_SILENCE_SECONDS = 0.03


def speech_marks(samples: np.ndarray, sample_rate: int) -> np.ndarray:
    """Whether each hundredth of a second of `[samples]` may be speech: bool `[frames]`."""
    marks = [marks for _, marks in mark_speech([samples], sample_rate)]
    return np.concatenate(marks) if marks else np.zeros(0, bool)


def spoken_words(
    hypothesis: Hypothesis,
    tokens: Tokens,
    seconds_per_step: float,
    duration_seconds: float,
    speech: np.ndarray | None = None,
    confidences: Sequence[float] | None = None,
) -> tuple[Word, ...]:
    """The words of a labelling with their times and confidences.

    Args:
        hypothesis: the labelling and the steps of its tokens.
        tokens: the alphabet.
        seconds_per_step: time between two steps.
        duration_seconds: of the audio; no word goes beyond.
        speech: of the same audio (see `speech_marks`); without it a word by a pause ends with its last letter.
        confidences: of the words (see `asr.confidence`); the geometric mean of posteriors if not given.
    """
    groups = tokens.words(hypothesis.tokens)
    times = word_times(groups, hypothesis.starts, hypothesis.ends, seconds_per_step, duration_seconds, speech)
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
    speech: np.ndarray | None = None,
) -> list[tuple[float, float]]:
    """Start and end of each word in seconds, in order and without overlaps.

    Args:
        words: positions of each word's tokens (see `Tokens.words`); tokens between words are spaces.
        starts: the step at which each token begins.
        ends: the step after each token's last.
        seconds_per_step: time between two steps.
        duration_seconds: of the audio.
        speech: see `speech_marks`.
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
            if speech is None:
                continue
            silence = longest_silence(speech, last[item], latest[item + 1])
        if silence is None:
            has_space = after[0] - before[-1] > 1
            step = starts[before[-1] + 1] if has_space else sum(gap) / 2
            silence = (step_seconds(step, seconds_per_step),) * 2
        last[item], first[item + 1] = silence
    if speech is not None:
        first[0] = (longest_silence(speech, 0, latest[0]) or (0, first[0]))[1]
        last[-1] = (longest_silence(speech, last[-1], duration_seconds) or (last[-1],))[0]
    times = np.clip([first, last], 0, duration_seconds).T.tolist()
    return [(start, end) for start, end in times]


def step_seconds(step: float, seconds_per_step: float) -> float:
    """Where the audio of a step begins; before the recording for the first."""
    return (step - 0.5) * seconds_per_step


def longest_silence(speech: np.ndarray, start: float, end: float) -> tuple[float, float] | None:
    """Start and end in seconds of the longest stretch without speech, where there is any, from `start` to `end`."""
    first = max(0, round(start / FRAME_SECONDS))
    marks = speech[first : max(first, round(end / FRAME_SECONDS))]
    edges = np.flatnonzero(np.diff(marks, prepend=True, append=True))  # silences begin and end here, in turn
    begins, stops = edges[::2], edges[1::2]
    if not len(begins) or (stops - begins).max() * FRAME_SECONDS < SHORTEST_SILENCE_SECONDS - 1e-9:
        return None
    longest = int((stops - begins).argmax())
    return (first + int(begins[longest])) * FRAME_SECONDS, (first + int(stops[longest])) * FRAME_SECONDS
