"""Fit word confidences to a dev split, so that a confidence is the probability that the word is right."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from asr.alignment.confidence import Agreement, word_confidences, word_features
from asr.decoding.config import ConfidenceConfig
from asr.evaluation.error_rates import right_words
from sluice_core.calibration import expected_calibration_error, fit_logistic, predict_logistic

if TYPE_CHECKING:
    from asr.decoding import Hypothesis
    from asr.tokens import Tokens

FOLDS = 5
FEWEST_WORDS = 50


@dataclass(frozen=True)
class Calibration:
    """The weights of word confidences that were fitted to one split, and how honest they are."""

    settings: ConfidenceConfig
    words: int
    """Recognized words that the weights were fitted to."""
    right: int
    """How many of them were right."""
    error_before: float
    """Expected calibration error of the geometric mean of posteriors."""
    error: float
    """Expected calibration error of calibrated confidences, each word's by weights fitted to other speakers."""

    def to_dict(self) -> dict[str, Any]:
        """Return the figures as plain values."""
        return {**asdict(self), "settings": self.settings.model_dump()}


def calibrate(
    decoded: "Sequence[Sequence[Hypothesis]]",
    references: Sequence[str],
    speakers: Sequence[str | None],
    tokens: "Tokens",
) -> Calibration | None:
    """Fit confidences to a split that was not trained on.

    Args:
        decoded: the n-best list of each utterance.
        references: what was said in it.
        speakers: who said it; decides what is held out of the fits that the error is measured by.
        tokens: the alphabet.

    Returns:
        None where fewer than `FEWEST_WORDS` words were recognized.
    """
    best = [hypotheses[0] for hypotheses in decoded]
    per_utterance = [
        word_features(hypothesis, tokens, Agreement(hypotheses, tokens))
        for hypothesis, hypotheses in zip(best, decoded, strict=True)
    ]
    features = np.concatenate([np.zeros((0, 3)), *per_utterance])
    if len(features) < FEWEST_WORDS:
        return None
    right = np.array(right_words(references, [tokens.decode(hypothesis.tokens) for hypothesis in best]), bool)
    folds = np.repeat(_folds(speakers), [len(each) for each in per_utterance])
    held_out = np.zeros(len(features))
    for fold in range(FOLDS):
        inside = folds == fold
        held_out[inside] = predict_logistic(fit_logistic(features[~inside], right[~inside]), features[inside])
    means = [confidence for hypothesis in best for confidence in word_confidences(hypothesis, tokens)]
    bias, lowest, mean, share = (round(weight, 4) + 0.0 for weight in fit_logistic(features, right).tolist())
    return Calibration(
        ConfidenceConfig(bias=bias, lowest=lowest, mean=mean, share=share),
        len(right),
        int(right.sum()),
        expected_calibration_error(means, right),
        expected_calibration_error(held_out, right),
    )


def _folds(speakers: Sequence[str | None]) -> np.ndarray:
    """Return a number below `FOLDS` for each utterance: by speaker, or in turn where speakers are fewer or unknown."""
    names = sorted({speaker for speaker in speakers if speaker})
    if len(names) < FOLDS or not all(speakers):
        return np.arange(len(speakers)) % FOLDS
    return np.array([names.index(speaker) % FOLDS for speaker in speakers if speaker])
