"""Vocal tracts: filters that hear frequencies higher or lower."""

import pytest
import torch
from torch import Tensor

from asr.acoustic.features import Features
from asr.acoustic.vocal_tract import warp, warped_filters
from asr.config import FeatureConfig

RATE = 16000
FEATURES = Features(FeatureConfig(mels=40))


def tone(hz: float) -> Tensor:
    return (0.1 * torch.sin(2 * torch.pi * hz * torch.arange(RATE, dtype=torch.float64) / RATE)).float()


def test_a_longer_or_shorter_vocal_tract_moves_formants_and_no_time() -> None:
    moved = FEATURES.power(tone(1000)) @ warped_filters(FEATURES, 1.2)
    plain, expected = FEATURES.energies(tone(1000)), FEATURES.energies(tone(1200))
    assert moved.shape == expected.shape
    assert moved[50].argmax() == expected[50].argmax() != plain[50].argmax()


@pytest.mark.parametrize("factor", [0.8, 1.0, 1.25])
def test_warped_frequencies_stay_in_order_and_end_where_they_ended(factor: float) -> None:
    hz = warp(torch.linspace(0, 8000, 257, dtype=torch.float64), 8000, factor)
    assert hz[0] == 0 and hz[-1] == pytest.approx(8000) and (hz.diff() > 0).all()
    assert hz[32] == pytest.approx(1000 * factor)


def test_filters_come_ever_closer_to_the_plain_ones() -> None:
    assert warped_filters(FEATURES, 1.0).equal(FEATURES.filters)
    torch.testing.assert_close(warped_filters(FEATURES, 1 + 1e-9), FEATURES.filters, atol=1e-6, rtol=0)
