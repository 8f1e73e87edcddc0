"""Confidences of words: the probability that a recognized word is right.

The posteriors of a word's tokens are features, not that probability: they are nearly always close to 1, and a word
is wrong when any one of its letters is. A logistic regression makes it one (Platt 1999; for words, as in Evermann and
Woodland 2000, with the share of the n-best list that agrees); `asr.tuning.confidence_calibration` fits it.
"""

import math
from collections.abc import Sequence

import numpy as np

from asr.decoding.config import ConfidenceConfig
from asr.decoding.hypothesis import Hypothesis
from asr.tokens import Tokens
from sluice_core.calibration import predict_logistic

SMALLEST = 1e-3
"""Posteriors are taken to lie this far from 0 and 1: models are not sure beyond."""


def word_confidences(
    hypothesis: Hypothesis,
    tokens: Tokens,
    settings: ConfidenceConfig | None = None,
    agreement: "Agreement | None" = None,
) -> list[float]:
    """Return the confidence of each word, 0 to 1.

    Args:
        hypothesis: what was recognized.
        tokens: the alphabet.
        settings: the weights of this run and decoder; without them, a confidence is the geometric mean of the
            posteriors of the word's tokens.
        agreement: how far the whole n-best list, which contains the hypothesis, agrees; without it the hypothesis
            is taken to be the whole list.
    """
    if settings is None:
        return _means(hypothesis, tokens.words(hypothesis.tokens))
    weights = np.array([settings.bias, settings.lowest, settings.mean, settings.share])
    return predict_logistic(weights, word_features(hypothesis, tokens, agreement)).tolist()


def word_features(hypothesis: Hypothesis, tokens: Tokens, agreement: "Agreement | None" = None) -> np.ndarray:
    """Return what speaks for each word, as log-odds `[words, 3]`: lowest, mean and share (see `ConfidenceConfig`)."""
    words = tokens.words(hypothesis.tokens)
    if not words:
        return np.zeros((0, 3))
    before = [-1, *(word[-1] for word in words)]
    after = [*(word[0] for word in words[1:]), len(hypothesis.tokens)]
    lowest = [
        min(hypothesis.confidences[first + 1 : last])  # a wrong space makes two words wrong
        for first, last in zip(before, after, strict=False)
    ]
    shares = (agreement or Agreement([hypothesis], tokens)).shares(hypothesis)
    features = zip(lowest, _means(hypothesis, words), shares, strict=True)
    return np.array([[_log_odds(feature) for feature in word] for word in features])


def _means(hypothesis: Hypothesis, words: Sequence[Sequence[int]]) -> list[float]:
    """Return the geometric mean of the posteriors of each word's tokens."""
    logs = [math.log(max(confidence, 1e-10)) for confidence in hypothesis.confidences]
    return [math.exp(sum(logs[position] for position in word) / len(word)) for word in words]


def _log_odds(probability: float) -> float:
    kept = min(max(probability, SMALLEST), 1 - SMALLEST)
    return math.log(kept) - math.log1p(-kept)


PlacedWord = tuple[tuple[int, ...], int, int]
"""Tokens of a word, its first step, and the step after its last."""


class Agreement:
    """The share of an n-best list, weighted by the probabilities of its hypotheses, that has a word at its time."""

    def __init__(self, hypotheses: Sequence[Hypothesis], tokens: Tokens) -> None:
        """Index the words of a whole n-best list."""
        self._tokens = tokens
        scores = [each.score for each in hypotheses]
        masses = np.exp(np.array(scores) - max(scores))
        self._masses: list[float] = (masses / masses.sum()).tolist()
        self._places: dict[tuple[int, ...], list[tuple[int, int, int]]] = {}
        for number, each in enumerate(hypotheses):
            for text, start, end in _placed_words(each, tokens):
                self._places.setdefault(text, []).append((number, start, end))

    def shares(self, hypothesis: Hypothesis) -> list[float]:
        """Return for each word of a hypothesis the share of the list that has it too, at an overlapping time."""
        return [self._share(word) for word in _placed_words(hypothesis, self._tokens)]

    def _share(self, word: PlacedWord) -> float:
        text, start, end = word
        having = {
            number for number, first, last in self._places.get(text, ()) if first < end and start < last
        }
        return sum(self._masses[number] for number in having)


def _placed_words(hypothesis: Hypothesis, tokens: Tokens) -> list[PlacedWord]:
    return [
        (
            tuple(hypothesis.tokens[position] for position in word),
            hypothesis.starts[word[0]],
            hypothesis.ends[word[-1]],
        )
        for word in tokens.words(hypothesis.tokens)
    ]
