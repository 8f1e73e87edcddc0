"""Calibration of confidences: how far they are from the share of right answers, and the fits that make them honest.

A confidence is calibrated when, of all answers given with that confidence, just this share is right. It is useful
when the wrong answers are among the least sure ones. The first is measured by `expected_calibration_error`, the
second by `risk_coverage`. `fit_logistic` and `fit_temperature` are the fits that both halves of the project use.
"""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

BINS = 10

PENALTY = 1.0
"""Weight of the penalty on the squared weights of standardized features in `fit_logistic`."""

LOWEST_TEMPERATURE, HIGHEST_TEMPERATURE = 0.1, 20.0
STEPS = 24
"""Golden sections of `fit_temperature`: each keeps 62% of the range, so that the result is exact to 0.01%."""

Floats = Sequence[float] | NDArray[np.floating]
Bools = Sequence[bool] | NDArray[np.bool_]


class Bin(NamedTuple):
    """The answers whose confidence lies in one interval of [0, 1]."""

    size: int
    confidence: float
    """Their mean confidence."""
    right: float
    """The share of them that is right."""


def reliability(confidences: Floats, right: Bools, bins: int = BINS) -> list[Bin]:
    """Return the bins of equal width that have answers, least sure first (Niculescu-Mizil and Caruana 2005).

    >>> reliability([0.82, 0.88, 1.0], [True, False, True])
    [Bin(size=2, confidence=0.85, right=0.5), Bin(size=1, confidence=1.0, right=1.0)]
    """
    sure, good = np.asarray(confidences, float), np.asarray(right, bool)
    numbers = np.clip((sure * bins).astype(int), 0, bins - 1)
    inside = [numbers == number for number in np.unique(numbers)]
    return [Bin(int(at.sum()), float(sure[at].mean()), float(good[at].mean())) for at in inside]


def expected_calibration_error(confidences: Floats, right: Bools, bins: int = BINS) -> float:
    """Return how far confidences are from the share of right answers, averaged over answers (Naeini et al. 2015).

    Answers are put into bins of equal width by confidence; a bin's error is the distance of its mean confidence
    from its share of right answers. Without answers the error is 0.

    >>> expected_calibration_error([0.75, 0.75], [True, False])
    0.25
    """
    total = len(confidences)
    gaps = (item.size * abs(item.confidence - item.right) for item in reliability(confidences, right, bins))
    return sum(gaps) / total if total else 0.0


def risk_coverage(confidences: Floats, right: Bools) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the share of wrong answers among the surest ones (El-Yaniv and Wiener 2010).

    Returns:
        Coverage `[N]`, 1/N to 1: the share of answers that is kept, the surest first; and risk `[N]`, the share of
        wrong ones among those kept. Equally sure answers share their errors evenly.
    """
    errors = _errors_by_confidence(confidences, right)
    kept = np.arange(1, len(errors) + 1)
    return kept / max(len(errors), 1), errors.cumsum() / kept


def errors_among_surest(confidences: Floats, right: Bools, share: float = 0.5) -> float:
    """Return which part of all errors the surest `share` of answers has: `share` by chance, 0 at best.

    Without errors it is 0.

    >>> errors_among_surest([0.9, 0.8, 0.3, 0.1], [True, False, False, False])
    0.3333333333333333
    """
    errors = _errors_by_confidence(confidences, right)
    kept = round(len(errors) * share)
    return float(errors[:kept].sum() / errors.sum()) if errors.any() else 0.0


def _errors_by_confidence(confidences: Floats, right: Bools) -> NDArray[np.float64]:
    """Return errors `[N]`, surest answer first; ties have their mean, so that no order among them flatters."""
    sure, wrong = np.asarray(confidences, float), 1.0 - np.asarray(right, float)
    _, group, counts = np.unique(-sure, return_inverse=True, return_counts=True)
    means = np.bincount(group, wrong, len(counts)) / counts
    return np.repeat(means, counts)


def fit_logistic(features: NDArray[np.float64], right: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Fit a logistic regression by Newton's method (Platt 1999).

    Features are standardized for the fit, weights held small, and targets are Platt's: short of 0 and 1 by what so
    few examples leave open, so that all right or all wrong answers still have a finite fit.

    Args:
        features: `[answers, features]`.
        right: which answers are right, `[answers]`.

    Returns:
        Weights `[1 + features]`, the bias first; `predict_logistic` applies them.
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


def predict_logistic(weights: NDArray[np.float64], features: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the probabilities `[answers]` that a logistic regression gives.

    Args:
        weights: `[1 + features]`, the bias first.
        features: `[answers, features]`.

    >>> predict_logistic(np.array([0.0, 1.0]), np.array([[0.0], [2.0]])).round(3).tolist()
    [0.5, 0.881]
    """
    return 1 / (1 + np.exp(-weights[0] - features @ weights[1:]))


def fit_temperature(cost: Callable[[float], float]) -> float:
    """Return the temperature of least cost, by golden-section search over its logarithm; 1 if all cost the same.

    Scores divided by the temperature are what costs, such as the negative log-likelihood of labelled sentences (Guo
    et al. 2017, "On Calibration of Modern Neural Networks").

    >>> fit_temperature(lambda temperature: (temperature - 2) ** 2)
    2.0
    """
    share = (math.sqrt(5) - 1) / 2
    low, high = math.log(LOWEST_TEMPERATURE), math.log(HIGHEST_TEMPERATURE)
    if cost(LOWEST_TEMPERATURE) == cost(HIGHEST_TEMPERATURE):
        return 1.0
    left, right = high - share * (high - low), low + share * (high - low)
    costs = cost(math.exp(left)), cost(math.exp(right))
    for _ in range(STEPS):
        if costs[0] < costs[1]:
            high, right = right, left
            left = high - share * (high - low)
            costs = cost(math.exp(left)), costs[0]
        else:
            low, left = left, right
            right = low + share * (high - low)
            costs = costs[1], cost(math.exp(right))
    return round(math.exp((low + high) / 2), 4)
