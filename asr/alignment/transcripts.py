"""From emissions to transcripts: decode, place words in time, and judge how sure each is."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from asr.acoustic.emissions import Emission, pad_log_probs
from asr.alignment.confidence import Agreement, word_confidences
from asr.alignment.word_timestamps import spoken_words
from asr.decoding.config import ConfidenceConfig
from asr.decoding.decoder import Decoder
from asr.decoding.hypothesis import Hypothesis
from asr.tokens import Tokens
from asr.transcript import Transcript

COMPARED = 16
"""The number of other hypotheses by which calibrated confidences are judged."""


@dataclass(frozen=True)
class EmissionDecoder:
    """Makes transcripts of emissions."""

    decoder: Decoder
    tokens: Tokens
    seconds_per_step: float
    """The time between two steps of emissions."""
    confidence: ConfidenceConfig | None = None
    """The weights of calibrated confidences; without them a word's confidence is the geometric mean of the posteriors
    of its letters."""

    def decode(self, emissions: Sequence[Emission], *, alternatives: int = 0) -> list[Transcript]:
        """Return the transcript of each emission, with at most so many alternatives."""
        log_probs, lengths = pad_log_probs([each.log_probs for each in emissions])
        compared = COMPARED if self.confidence else 0
        found = self.decoder.decode(log_probs, lengths, n_best=1 + max(alternatives, compared))
        return [
            self._transcript(hypotheses, each, alternatives)
            for hypotheses, each in zip(found, emissions, strict=True)
        ]

    def _transcript(
        self, hypotheses: Sequence[Hypothesis], emission: Emission, alternatives: int
    ) -> Transcript:
        """Return the first hypothesis of an n-best list as a transcript, and others as its alternatives."""
        agreement = Agreement(hypotheses[: 1 + COMPARED], self.tokens) if self.confidence else None
        best, *others = [self._read(each, agreement, emission) for each in hypotheses[: 1 + alternatives]]
        return replace(best, alternatives=tuple(others))

    def _read(self, hypothesis: Hypothesis, agreement: Agreement | None, emission: Emission) -> Transcript:
        """Return one hypothesis as text and words with their times and confidences."""
        confidences = word_confidences(hypothesis, self.tokens, self.confidence, agreement)
        seconds = emission.duration_seconds
        words = spoken_words(
            hypothesis, self.tokens, self.seconds_per_step, seconds, emission.silences, confidences
        )
        text = " ".join(word.text for word in words)
        return Transcript(text, words, hypothesis.score, seconds, emission.source)
