"""Confidences of words: their features, and the probabilities that weights make of them."""

import numpy as np
import pytest

from asr.alignment.confidence import Agreement, word_confidences, word_features
from asr.decoding import Hypothesis
from asr.decoding.config import ConfidenceConfig
from asr.tokens import Tokens

TOKENS = Tokens(["<blank>", " ", "a", "b"])


def said(text: str, confidences: list[float] | None = None, score: float = 0.0, first: int = 0) -> Hypothesis:
    """A text whose letters take a step each from step `first` on."""
    count = len(text)
    steps = tuple(range(first, first + count))
    after = tuple(step + 1 for step in steps)
    return Hypothesis(
        tuple(TOKENS.encode(text)), steps, after, tuple(confidences or [0.9] * count), score, score
    )


def odds(probability: float) -> float:
    return float(np.log(probability / (1 - probability)))


def test_features_are_log_odds_of_the_lowest_the_mean_and_the_share() -> None:
    hypothesis = said("ab b", [0.9, 0.4, 0.3, 0.8])
    assert word_features(hypothesis, TOKENS) == pytest.approx(
        np.array([[odds(0.3), odds(0.6), odds(0.999)], [odds(0.3), odds(0.8), odds(0.999)]])
    )


def test_the_share_counts_the_same_word_at_the_same_time() -> None:
    best = said("ab b", score=np.log(0.5))
    alternatives = [
        best,
        said("ab a", score=np.log(0.3)),  # another second word
        said("bb b", score=np.log(0.1)),  # another first word
        said("ab b", score=np.log(0.1), first=30),  # elsewhere
    ]
    shares = 1 / (1 + np.exp(-word_features(best, TOKENS, Agreement(alternatives, TOKENS))[:, 2]))
    assert shares == pytest.approx([0.8, 0.6])


def test_without_calibration_it_is_the_geometric_mean() -> None:
    assert word_confidences(said("ab b", [0.9, 0.4, 0.3, 0.8]), TOKENS) == pytest.approx([0.6, 0.8])
    assert word_confidences(said(" ", [0.9]), TOKENS) == []
    assert word_confidences(said(" ", [0.9]), TOKENS, ConfidenceConfig(bias=1)) == []


def test_weights_make_a_probability() -> None:
    settings = ConfidenceConfig(bias=-1, lowest=0.5, mean=2)
    found = word_confidences(said("ab", [0.9, 0.4]), TOKENS, settings)
    assert found == pytest.approx([1 / (1 + np.exp(1 - 0.5 * odds(0.4) - 2 * odds(0.6)))])
