"""How sure a recognizer is of a word, as a probability that the word is right.

The posteriors of a word's tokens are features, not that probability: they are nearly always close to 1, and a word
is wrong when any one of its letters is. A logistic regression on a dev split makes it one (Platt 1999; for words,
as in Evermann and Woodland 2000, with the share of the n-best list that agrees).
"""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from asr.config import ConfidenceConfig
from asr.evaluation.error_rates import align_texts
from sluice_core.calibration import expected_calibration_error

if TYPE_CHECKING:
    from asr.decoding import Hypothesis
    from asr.tokens import Tokens

SMALLEST = 1e-3
"""Posteriors are taken to lie this far from 0 and 1: models are not sure beyond."""

FOLDS = 5
FEWEST_WORDS = 50
PENALTY = 1.0
"""On the squares of weights of standardized features."""


def word_confidences(
    hypothesis: "Hypothesis",
    tokens: "Tokens",
    settings: ConfidenceConfig | None = None,
    agreement: "Agreement | None" = None,
) -> list[float]:
    """The confidence of each word, 0 to 1.

    Args:
        hypothesis: what was recognized.
        tokens: the alphabet.
        settings: of this run and decoder; without them, the geometric mean of the posteriors of a word's letters.
        agreement: of the whole n-best list, the hypothesis with it.
    """
    if settings is None:
        return _means(hypothesis, tokens.words(hypothesis.tokens))
    return _probabilities(_weights(settings), word_features(hypothesis, tokens, agreement)).tolist()


def word_features(
    hypothesis: "Hypothesis", tokens: "Tokens", agreement: "Agreement | None" = None
) -> np.ndarray:
    """What speaks for each word, as log-odds `[words, 3]`: lowest, mean and share (see `ConfidenceConfig`)."""
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


def _means(hypothesis: "Hypothesis", words: Sequence[Sequence[int]]) -> list[float]:
    """Geometric mean of the posteriors of each word's tokens."""
    logs = [math.log(max(confidence, 1e-10)) for confidence in hypothesis.confidences]
    return [math.exp(sum(logs[position] for position in word) / len(word)) for word in words]


def _log_odds(probability: float) -> float:
    kept = min(max(probability, SMALLEST), 1 - SMALLEST)
    return math.log(kept) - math.log1p(-kept)


PlacedWord = tuple[tuple[int, ...], int, int]
"""Tokens, first step, and the step after the last."""


class Agreement:
    """How much of an n-best list, by the probabilities that its scores are, has a word where it stands."""

    def __init__(self, hypotheses: "Sequence[Hypothesis]", tokens: "Tokens") -> None:
        """Look at a whole list."""
        self._tokens = tokens
        scores = [each.score for each in hypotheses]
        masses = np.exp(np.array(scores) - max(scores))
        self._masses: list[float] = (masses / masses.sum()).tolist()
        self._places: dict[tuple[int, ...], list[tuple[int, int, int]]] = {}
        for number, each in enumerate(hypotheses):
            for text, start, end in _placed_words(each, tokens):
                self._places.setdefault(text, []).append((number, start, end))

    def shares(self, hypothesis: "Hypothesis") -> list[float]:
        """Of each word of a hypothesis the probability of those that have it too, at an overlapping time."""
        return [self._share(word) for word in _placed_words(hypothesis, self._tokens)]

    def _share(self, word: PlacedWord) -> float:
        text, start, end = word
        having = {
            number for number, first, last in self._places.get(text, ()) if first < end and start < last
        }
        return sum(self._masses[number] for number in having)


def _placed_words(hypothesis: "Hypothesis", tokens: "Tokens") -> list[PlacedWord]:
    return [
        (
            tuple(hypothesis.tokens[position] for position in word),
            hypothesis.starts[word[0]],
            hypothesis.ends[word[-1]],
        )
        for word in tokens.words(hypothesis.tokens)
    ]


def _weights(settings: ConfidenceConfig) -> np.ndarray:
    return np.array([settings.bias, settings.lowest, settings.mean, settings.share])


def _probabilities(weights: np.ndarray, features: np.ndarray) -> np.ndarray:
    """`[words]` of `weights` `[1 + features]`, the bias first, and `features` `[words, features]`."""
    return 1 / (1 + np.exp(-weights[0] - features @ weights[1:]))


@dataclass(frozen=True)
class Calibration:
    """Confidences made probabilities on one split."""

    settings: ConfidenceConfig
    words: int
    """Recognized words it was fitted to."""
    right: int
    """How many of them were right."""
    error_before: float
    """Expected calibration error of the geometric mean of posteriors."""
    error: float
    """That of calibrated confidences, each word's by weights fitted to other speakers."""

    def to_dict(self) -> dict[str, Any]:
        """The figures as plain values."""
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
        word_features(h, tokens, Agreement(hypotheses, tokens))
        for h, hypotheses in zip(best, decoded, strict=True)
    ]
    features = np.concatenate([np.zeros((0, 3)), *per_utterance])
    if len(features) < FEWEST_WORDS:
        return None
    right = right_words(references, [tokens.decode(hypothesis.tokens) for hypothesis in best])
    folds = np.repeat(_folds(speakers), [len(each) for each in per_utterance])
    held_out = np.zeros(len(features))
    for fold in range(FOLDS):
        inside = folds == fold
        held_out[inside] = _probabilities(fit_logistic(features[~inside], right[~inside]), features[inside])
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
    """A number below `FOLDS` for each utterance: by speaker, or in turn where speakers are fewer or unknown."""
    names = sorted({speaker for speaker in speakers if speaker})
    if len(names) < FOLDS or not all(speakers):
        return np.arange(len(speakers)) % FOLDS
    return np.array([names.index(speaker) % FOLDS for speaker in speakers if speaker])


def fit_logistic(features: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Weights of a logistic regression, the bias first, by Newton's method.

    Features are standardized for the fit, weights held small, and targets are Platt's: short of 0 and 1 by what so
    few examples leave open, so that all right or all wrong words still have a finite fit.

    Args:
        features: `[words, features]`.
        right: `[words]` bool.
    """
    centre, spread = features.mean(axis=0), features.std(axis=0)
    spread = np.where(spread > 1e-9, spread, 1.0)  # one that never changes gets no weight
    inputs = np.column_stack([np.ones(len(features)), (features - centre) / spread])
    targets = np.where(right, (right.sum() + 1) / (right.sum() + 2), 1 / ((~right).sum() + 2))
    penalty = PENALTY * np.diag([1e-6] + [1.0] * features.shape[1])
    weights = np.zeros(inputs.shape[1])
    for _ in range(100):
        found = 1 / (1 + np.exp(-inputs @ weights))
        gradient = inputs.T @ (targets - found) - penalty @ weights
        curvature = (inputs * (found * (1 - found))[:, None]).T @ inputs + penalty
        change = np.linalg.solve(curvature, gradient)
        weights += change / max(1.0, np.abs(change).max())  # no step so long that it overshoots
        if np.abs(change).max() < 1e-8:
            break
    return np.array([weights[0] - (weights[1:] * centre / spread).sum(), *(weights[1:] / spread)])


def right_words(references: Sequence[str], hypotheses: Sequence[str]) -> np.ndarray:
    """Whether each recognized word is right, by the alignment with the fewest edits: bool `[words]`, in order."""
    edits = align_texts(references, hypotheses, "words")
    return np.array(
        [edit.kind == "equal" for utterance in edits for edit in utterance for _ in edit.hypothesis], bool
    )
