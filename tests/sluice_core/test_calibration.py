"""Confidences against what was right."""

import numpy as np
import pytest

from sluice_core.calibration import (
    Bin,
    errors_among_surest,
    expected_calibration_error,
    fit_logistic,
    fit_temperature,
    reliability,
    risk_coverage,
)


def test_bins_by_hand():
    bins = reliability([0.82, 0.88, 1.0, 1.0, 0.0], [True, False, True, True, False])
    assert bins == [Bin(1, 0, 0), Bin(2, pytest.approx(0.85), 0.5), Bin(2, 1, 1)]


def test_expected_calibration_error_by_hand():
    assert expected_calibration_error([0.82, 0.88, 1.0, 1.0], [True, False, True, True]) == pytest.approx(
        0.35 / 2
    )
    assert expected_calibration_error([], []) == 0


def test_honest_confidences_have_hardly_an_error_and_boasts_a_large_one():
    random = np.random.default_rng(1)
    sure = random.uniform(size=40_000)
    assert expected_calibration_error(sure, random.uniform(size=40_000) < sure) < 0.02
    assert expected_calibration_error(np.ones(1000), random.uniform(size=1000) < 0.7) == pytest.approx(
        0.3, abs=0.05
    )


def test_risk_grows_with_coverage_where_confidence_knows():
    coverage, risk = risk_coverage([0.1, 0.9, 0.8, 0.3], [False, True, True, False])
    assert coverage.tolist() == [0.25, 0.5, 0.75, 1]
    assert risk.tolist() == [0, 0, pytest.approx(1 / 3), 0.5]


def test_errors_among_the_surest_half():
    assert errors_among_surest([0.1, 0.9, 0.8, 0.3], [False, True, True, False]) == 0
    assert errors_among_surest([0.9, 0.1, 0.3, 0.8], [False, True, True, False]) == 1
    assert errors_among_surest([0.5] * 4, [False, True, True, True]) == 0.5  # ties: neither luck nor skill
    assert errors_among_surest([0.5], [True]) == 0
    assert errors_among_surest([], []) == 0
    assert all(len(curve) == 0 for curve in risk_coverage([], []))


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


def test_the_temperature_of_least_cost_is_found_and_is_1_where_none_is_better():
    assert fit_temperature(lambda temperature: np.log(temperature / 0.3) ** 2) == pytest.approx(0.3, rel=1e-3)
    assert fit_temperature(lambda temperature: 0.0) == 1
