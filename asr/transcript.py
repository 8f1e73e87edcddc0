"""What a recognizer answers: text, words with their times, alternatives."""

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Word:
    """A word and where it was heard."""

    text: str
    start: float
    """Seconds from the beginning of the audio."""
    end: float
    """Seconds (`asr.alignment.word_timestamps` says how both are found)."""
    confidence: float
    """0 to 1: the probability that the word is right, once the run is tuned; before, the geometric mean of the
    posteriors of its letters."""


@dataclass(frozen=True)
class Transcript:
    """What was said in one recording."""

    text: str
    words: tuple[Word, ...]
    score: float
    """Natural log of what the decoder ranks by: of greedy decoding, the probability of the best path."""
    duration_seconds: float
    source: str | None = None
    """The file, when it was one."""
    alternatives: tuple["Transcript", ...] = ()
    """Other readings, best first; greedy decoding has none."""

    def to_dict(self) -> dict[str, Any]:
        """The same facts as plain values, for JSON."""
        return asdict(self)
