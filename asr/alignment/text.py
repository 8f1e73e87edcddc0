"""Alignment of a known text with its recording: the times of each token and word."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from asr.acoustic.voice_activity import Silences
from asr.alignment.word_timestamps import spoken_words, step_seconds
from asr.decoding.forced_alignment import AlignmentError, force_align
from asr.decoding.hypothesis import Hypothesis
from asr.tokens import Tokens
from asr.transcript import Word


@dataclass(frozen=True)
class AlignedToken:
    """A token, and the time at which the best path emits it."""

    text: str
    start: float
    """Seconds. CTC emits a token somewhere in its sound, for a step or two; the times of words are bounds."""
    end: float
    """Seconds."""
    confidence: float
    """Posterior probability, the highest over its steps."""


@dataclass(frozen=True)
class Alignment:
    """The times of a text in its recording."""

    tokens: tuple[AlignedToken, ...]
    """All tokens of the text, including spaces."""
    words: tuple[Word, ...]
    score: float
    """Natural log of the best path's probability."""

    def to_dict(self) -> dict[str, Any]:
        """Return the same facts as plain values, for JSON."""
        return asdict(self)


def align_text(
    log_probs: np.ndarray,
    text: str,
    tokens: Tokens,
    seconds_per_step: float,
    duration_seconds: float,
    silences: Silences | None = None,
    where: str = "",
) -> Alignment:
    """Find when each token and word of a known text is said.

    Args:
        log_probs: `[time, tokens]` natural logs of one recording.
        text: what is said in it; words are separated by any white space.
        tokens: the alphabet.
        seconds_per_step: the time between two steps.
        duration_seconds: the length of the recording.
        silences: the silences of the recording; without them the ends of words are less exact.
        where: the words that open an error message, such as the name of the file.

    Raises:
        AlignmentError: there is no text, or it is too long for the recording.
        TokensError: the text has characters outside the alphabet.
    """
    before = f"{where}: " if where else ""
    target = tokens.encode(" ".join(text.split()), where)
    if not target:
        raise AlignmentError(f"{before}there is no text to align")
    try:
        (path,) = force_align(log_probs[None], np.array([len(log_probs)]), [target])
    except AlignmentError as error:
        raise AlignmentError(f"{before}{error}") from None
    found = Hypothesis(tuple(target), path.starts, path.ends, path.confidences, path.score, path.score)
    parts = zip(target, path.starts, path.ends, path.confidences, strict=True)

    def seconds(step: int) -> float:
        return round(min(max(step_seconds(step, seconds_per_step), 0.0), duration_seconds), 3)

    return Alignment(
        tuple(AlignedToken(tokens.texts[token], seconds(a), seconds(b), sure) for token, a, b, sure in parts),
        spoken_words(found, tokens, seconds_per_step, duration_seconds, silences),
        path.score,
    )
