"""The fit of word confidences to a dev split, and what is said of its error."""

import numpy as np
import pytest

from asr.alignment.confidence import word_confidences
from asr.decoding import Hypothesis
from asr.evaluation.error_rates import right_words
from asr.tuning.confidence_calibration import calibrate
from tests.asr.alignment.test_confidence import TOKENS, said


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
    assert found.right == sum(right_words(references, ["ab b"] * 600))
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
