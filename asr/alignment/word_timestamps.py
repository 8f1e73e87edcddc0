"""Word times in seconds, from the steps at which CTC emits the tokens and from the silences of the audio.

A CTC model is free to emit a letter anywhere in its sound, for a step or two, so a word is bounded neither by the step
of its first letter nor by that of its last. Words are bounded instead (measured by `benchmarks.word_times` on audio
with known times):

- between words that follow each other closely, by the step at which the space begins;
- around a longer gap, by the silence in it; without silence, again by the space;
- at both ends of a recording, by the silence before and after.

A step stands for the audio around it: step t, whose features are centred on t times the seconds of a step, stands for
half a step before to half a step after.
"""

from collections.abc import Sequence
from itertools import pairwise

from asr.acoustic.voice_activity import Silences
from asr.alignment.confidence import word_confidences
from asr.decoding.hypothesis import Hypothesis
from asr.tokens import Tokens
from asr.transcript import Word

CLOSE_SECONDS = 0.1
"""The longest gap between the letters of two words that follow each other without a pause."""


def spoken_words(
    hypothesis: Hypothesis,
    tokens: Tokens,
    seconds_per_step: float,
    duration_seconds: float,
    silences: Silences | None = None,
    confidences: Sequence[float] | None = None,
) -> tuple[Word, ...]:
    """Return the words of a hypothesis with their times and confidences.

    Args:
        hypothesis: the labelling and the steps of its tokens.
        tokens: the alphabet.
        seconds_per_step: the time between two steps.
        duration_seconds: the length of the audio; no word goes beyond it.
        silences: the silences of the same audio; without them a word next to a pause ends with its last letter.
        confidences: one for each word (see `asr.alignment.confidence`); the geometric mean of the posteriors of its
            tokens if not given.
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
    """Return start and end of each word in seconds, in order and without overlaps.

    Args:
        words: the positions of each word's tokens (see `Tokens.words`); tokens between words are spaces.
        starts: the step at which each token begins.
        ends: the step after each token's last step.
        seconds_per_step: the time between two steps.
        duration_seconds: the length of the audio.
        silences: the silences of the audio, if they are known.

    Example:
        >>> word_times([[0], [2]], starts=[1, 3, 4], ends=[2, 4, 5], seconds_per_step=0.02, duration_seconds=0.1)
        [(0.01, 0.05), (0.05, 0.09)]
    """
    if not words:
        return []
    first = [step_seconds(starts[word[0]], seconds_per_step) for word in words]
    last = [step_seconds(ends[word[-1]], seconds_per_step) for word in words]
    # A pause may reach into a word's first letter, which is often emitted too early, but not into the next one.
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
    """Return the time at which the audio of a step begins; it is negative for step 0."""
    return (step - 0.5) * seconds_per_step
