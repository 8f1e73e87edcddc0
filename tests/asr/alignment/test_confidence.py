"""Confidences of words: features, the fit, and what is said of its error."""

import numpy as np
import pytest

from asr.alignment.confidence import (
    Agreement,
    calibrate,
    fit_logistic,
    right_words,
    word_confidences,
    word_features,
)
from asr.config import ConfidenceConfig
from asr.decoding import Hypothesis
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


def test_the_fit_finds_the_weights_that_made_the_data() -> None:
    generator = np.random.default_rng(0)
    features = generator.normal([1, 0, 0], [2, 1, 0], (20000, 3))
    chance = 1 / (1 + np.exp(-(-1 + 0.8 * features[:, 0] + 0.4 * features[:, 1])))
    weights = fit_logistic(features, generator.random(20000) < chance)
    assert weights == pytest.approx([-1, 0.8, 0.4, 0], abs=0.1)


@pytest.mark.parametrize("right", [True, False])
def test_the_fit_is_finite_where_all_are_right_or_all_wrong(right: bool) -> None:
    features = np.random.default_rng(0).normal(size=(98, 3))
    weights = fit_logistic(features, np.full(98, right))
    sure = 1 / (1 + np.exp(-weights[0] - features @ weights[1:]))
    assert sure == pytest.approx(np.full(98, 0.99 if right else 0.01), abs=1e-3)


def test_right_words_by_the_fewest_edits() -> None:
    found = right_words(["a b c", "", "a"], ["a x c d", "b", ""])
    assert found.tolist() == [True, False, True, False, False]


def overconfident(utterances: int) -> tuple[list[list[Hypothesis]], list[str], list[str]]:
    """Two words each, with posteriors of 0.9 or 0.99 that are right in 60% and 95%."""
    generator = np.random.default_rng(1)
    decoded, references = [], []
    for _ in range(utterances):
        sure = generator.choice([0.9, 0.99], 2)
        decoded.append([said("ab b", [sure[0]] * 2 + [0.999, sure[1]])])
        right = generator.random(2) < np.where(sure > 0.95, 0.95, 0.6)
        references.append(f"{'ab' if right[0] else 'aa'} {'b' if right[1] else 'bb'}")
    return decoded, references, [f"speaker {item % 8}" for item in range(utterances)]


def test_calibration_makes_confidences_true() -> None:
    decoded, references, speakers = overconfident(600)
    found = calibrate(decoded, references, speakers, TOKENS)
    assert found is not None
    assert found.words == 1200
    assert found.right == right_words(references, ["ab b"] * 600).sum()
    assert found.error_before > 0.15
    assert found.error < 0.04
    assert found.settings.share == 0  # it never changes
    for posterior, share in ((0.9, 0.6), (0.99, 0.95)):
        (confidence,) = word_confidences(said("ab", [posterior] * 2), TOKENS, found.settings)
        assert confidence == pytest.approx(share, abs=0.04)


def test_calibration_error_is_of_words_that_the_fit_has_not_seen() -> None:
    # One speaker's words are all wrong and look like the others': no fit to the others can know it.
    decoded, references, _ = overconfident(200)
    references = ["a" if item % 5 == 0 else "ab b" for item in range(200)]
    speakers = [f"speaker {item % 5}" for item in range(200)]
    found = calibrate(decoded, references, speakers, TOKENS)
    assert found is not None
    assert found.error > 0.3


def test_too_few_words_are_not_calibrated() -> None:
    assert calibrate([[said("ab")]] * 49, ["ab"] * 49, [None] * 49, TOKENS) is None
    assert calibrate([], [], [], TOKENS) is None
