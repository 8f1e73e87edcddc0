"""Whether confidences are probabilities of being right, and whether they know which answers are wrong."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

BINS = 10

Floats = Sequence[float] | NDArray[np.floating]
Bools = Sequence[bool] | NDArray[np.bool_]


class Bin(NamedTuple):
    """The answers whose confidence lies in one stretch of [0, 1]."""

    size: int
    confidence: float
    """Their mean confidence."""
    right: float
    """The share of them that is right."""


def reliability(confidences: Floats, right: Bools, bins: int = BINS) -> list[Bin]:
    """Bins of equal width that have answers, least sure first: a reliability diagram (Niculescu-Mizil 2005)."""
    sure, good = np.asarray(confidences, float), np.asarray(right, bool)
    numbers = np.clip((sure * bins).astype(int), 0, bins - 1)
    inside = [numbers == number for number in np.unique(numbers)]
    return [Bin(int(at.sum()), float(sure[at].mean()), float(good[at].mean())) for at in inside]


def expected_calibration_error(confidences: Floats, right: Bools, bins: int = BINS) -> float:
    """How far confidences are from the share of right answers, on average over answers (Naeini et al. 2015).

    Answers are put into bins of equal width by confidence; a bin's error is the distance of its mean confidence
    from its share of right answers.
    """
    total = len(confidences)
    gaps = (item.size * abs(item.confidence - item.right) for item in reliability(confidences, right, bins))
    return sum(gaps) / total if total else 0.0


def risk_coverage(confidences: Floats, right: Bools) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """What is wrong among the surest answers (El-Yaniv and Wiener 2010).

    Returns:
        Coverage [N], 1/N to 1: the share of answers that is kept, the surest first; and risk [N], the share of
        wrong ones among those kept. Equally sure answers share their errors evenly.
    """
    errors = _errors_by_confidence(confidences, right)
    kept = np.arange(1, len(errors) + 1)
    return kept / max(len(errors), 1), errors.cumsum() / kept


def errors_among_surest(confidences: Floats, right: Bools, share: float = 0.5) -> float:
    """The part of all errors that the surest `share` of answers has: `share` by chance, 0 at best; 0 without errors."""
    errors = _errors_by_confidence(confidences, right)
    kept = round(len(errors) * share)
    return float(errors[:kept].sum() / errors.sum()) if errors.any() else 0.0


def _errors_by_confidence(confidences: Floats, right: Bools) -> NDArray[np.float64]:
    """Errors [N], surest answer first; ties have their mean, so that no order among them flatters."""
    sure, wrong = np.asarray(confidences, float), 1.0 - np.asarray(right, float)
    _, group, counts = np.unique(-sure, return_inverse=True, return_counts=True)
    means = np.bincount(group, wrong, len(counts)) / counts
    return np.repeat(means, counts)
