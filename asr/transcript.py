"""The result of a recognizer: text, words with their times, alternatives."""

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Word:
    """A recognized word, its time and its confidence."""

    text: str
    start: float
    """Seconds from the beginning of the audio."""
    end: float
    """Seconds from the beginning of the audio; `asr.alignment.word_timestamps` describes how both are found."""
    confidence: float
    """From 0 to 1. In a tuned run it is the probability that the word is right; before, it is the geometric mean of the
    posteriors of its letters."""


@dataclass(frozen=True)
class Transcript:
    """What was said in one recording, as the recognizer understood it."""

    text: str
    words: tuple[Word, ...]
    score: float
    """Natural log of what the decoder ranks by; with greedy decoding, of the probability of the best path."""
    duration_seconds: float
    source: str | None = None
    """The file, where the recording was one."""
    alternatives: tuple["Transcript", ...] = ()
    """Alternative transcripts, best first; greedy decoding has none."""

    def to_dict(self) -> dict[str, Any]:
        """Return the same facts as plain values, for JSON."""
        return asdict(self)
