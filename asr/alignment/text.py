"""A known text laid along its recording: when each token and word is said."""

from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor

from asr.alignment.word_timestamps import Silences, spoken_words, step_seconds
from asr.decoding import Hypothesis
from asr.decoding.forced_alignment import AlignmentError, force_align
from asr.tokens import Tokens
from asr.transcript import Word


@dataclass(frozen=True)
class AlignedToken:
    """A token, and where the best path emits it."""

    text: str
    start: float
    """Seconds. CTC emits a token somewhere in its sound, for a step or two: for bounds see the words."""
    end: float
    """Seconds."""
    confidence: float
    """Posterior probability, the highest over its steps."""


@dataclass(frozen=True)
class Alignment:
    """A text laid along its recording."""

    tokens: tuple[AlignedToken, ...]
    """Spaces among them."""
    words: tuple[Word, ...]
    score: float
    """Natural log of the best path's probability."""

    def to_dict(self) -> dict[str, Any]:
        """The same facts as plain values, for JSON."""
        return asdict(self)


def align_text(
    log_probs: Tensor,
    text: str,
    tokens: Tokens,
    seconds_per_step: float,
    duration_seconds: float,
    silences: Silences | None = None,
    where: str = "",
) -> Alignment:
    """Find when each token and word of a known text is said.

    Args:
        log_probs: `[steps, tokens]` natural logs of one recording.
        text: what is said in it; any white space parts words.
        tokens: the alphabet.
        seconds_per_step: time between two steps.
        duration_seconds: of the recording.
        silences: of the audio; the words' ends are worse without.
        where: opens the message of an error, such as the file's name.

    Raises:
        AlignmentError: there is no text, or it is too long for the recording.
        TokensError: the text has characters outside the alphabet.
    """
    before = f"{where}: " if where else ""
    target = tokens.encode(" ".join(text.split()), where)
    if not target:
        raise AlignmentError(f"{before}there is no text to align")
    try:
        (path,) = force_align(log_probs[None], torch.tensor([len(log_probs)]), [target])
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
