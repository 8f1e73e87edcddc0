"""Greedy decoding: the best path, collapsed, with the steps of each token."""

import numpy as np
import pytest
import torch

from asr.acoustic.ctc import collapse
from asr.decoding import greedy_decode


def posteriors(path: list[int], tokens: int = 4) -> np.ndarray:
    """Log-probabilities `[1, time, tokens]` whose best path is `path`."""
    return torch.nn.functional.one_hot(torch.tensor([path]), tokens).float().mul(5).log_softmax(2).numpy()


def test_tokens_with_their_steps() -> None:
    (hypothesis,) = greedy_decode(posteriors([0, 1, 1, 0, 2, 0, 2, 2]), np.array([8]))
    assert hypothesis.tokens == (1, 2, 2)  # 好棒棒 stays 好棒棒
    assert (hypothesis.starts, hypothesis.ends) == ((1, 4, 6), (3, 5, 8))
    assert all(0.9 < confidence < 1 for confidence in hypothesis.confidences)


def test_agrees_with_collapse_and_ignores_what_is_past_a_length() -> None:
    torch.manual_seed(0)
    log_probs = torch.randn(50, 12, 3).log_softmax(2)
    lengths = torch.randint(0, 13, (50,))
    for row, hypothesis in enumerate(greedy_decode(log_probs.numpy(), lengths.numpy())):
        best, path = log_probs[row, : lengths[row]].max(1)
        assert list(hypothesis.tokens) == collapse(path.tolist())
        assert hypothesis.score == pytest.approx(float(best.sum()), rel=1e-5)


def test_nothing_but_blanks_is_an_empty_hypothesis() -> None:
    (hypothesis,) = greedy_decode(posteriors([0, 0, 0]), np.array([3]))
    assert hypothesis.tokens == ()
    (hypothesis,) = greedy_decode(posteriors([1, 1, 1]), np.array([0]))
    assert hypothesis.tokens == ()
    assert hypothesis.score == 0
