"""Vocal tracts: what is heard at several of them, and the average of what a model says."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from asr.acoustic import vocal_tract
from asr.acoustic.features import Features
from asr.acoustic.network import AcousticModel
from asr.acoustic.vocal_tract import VocalTracts, warp, warped_filters
from asr.config import FeatureConfig, ModelConfig, RecognizerConfig
from asr.tokens import Tokens
from asr.transcriber import Transcriber
from sluice_core.config import ConfigError

RATE = 16000
FEATURES = Features(FeatureConfig(mels=40, normalize="speech", noise_floor_db=25))
FACTORS = [0.93, 1.0, 1.07]
RECIPE = {
    "name": "tracts",
    "corpus": {"kind": "manifest"},
    "features": FEATURES.config.model_dump(),
    "model": {"hidden_size": 12},
}


def talk(seconds: float, seed: int = 3) -> Tensor:
    """Noise that swells like syllables."""
    generator = np.random.default_rng(seed)
    count = round(seconds * RATE)
    envelope = np.interp(np.arange(count), np.linspace(0, count, 12), generator.uniform(0, 0.2, 12))
    return torch.from_numpy((envelope * generator.standard_normal(count)).astype(np.float32))


def tone(hz: float) -> Tensor:
    return (0.1 * torch.sin(2 * torch.pi * hz * torch.arange(RATE, dtype=torch.float64) / RATE)).float()


def make_model() -> AcousticModel:
    torch.manual_seed(5)
    model = AcousticModel(ModelConfig(hidden_size=12), FEATURES.size, 7).eval()
    with torch.no_grad():
        for parameter in model.output.parameters():
            parameter.mul_(5)  # an untrained network is of one opinion on everything
    return model


def write_run(folder: Path, **settings: object) -> Path:
    config = RecognizerConfig.check(RECIPE | settings, "the test's recipe")
    Transcriber(config, Tokens.learn(["abcde "], config.tokens)).save(folder)
    return folder


def by_hand(model: AcousticModel, features: Features, samples: Tensor, factors: Sequence[float]) -> Tensor:
    """The definition, step by step, for one recording alone."""
    total = torch.zeros(())
    for factor in factors:
        filters = features.filters if factor == 1 else warped_filters(features, factor)
        heard = features.finish(features.power(samples) @ filters)
        total = total + model(heard[None], torch.tensor([len(heard)]))[0][0].double()
    mean = total / len(factors)
    return mean - mean.exp().sum(dim=1, keepdim=True).log()


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


@pytest.mark.parametrize(
    "config", [FEATURES.config, FeatureConfig(kind="mfcc", deltas=1), FeatureConfig(mels=24)]
)
def test_features_at_each_factor_are_those_of_its_filters_alone(config: FeatureConfig) -> None:
    features, samples = Features(config), talk(1.3)
    before = samples.clone()
    heard = VocalTracts(features, FACTORS).features_of(samples)
    assert len(heard) == 3 and heard[1].equal(features.of(samples)) and samples.equal(before)
    for each, factor in zip(heard, FACTORS, strict=True):
        assert each.equal(features.finish(features.power(samples) @ warped_filters(features, factor)))
    assert not heard[0].allclose(heard[1], atol=0.1) and not heard[2].allclose(heard[1], atol=0.1)


@torch.inference_mode()
def test_the_average_is_the_geometric_mean_of_distributions() -> None:
    model, samples = make_model(), talk(1.3)
    log_probs, steps = VocalTracts(FEATURES, FACTORS).log_probs(model, [samples])
    expected = by_hand(model, FEATURES, samples, FACTORS)
    assert steps.tolist() == [len(expected)] and log_probs.dtype == torch.float32
    torch.testing.assert_close(log_probs[0].double(), expected, atol=1e-5, rtol=0)
    torch.testing.assert_close(log_probs.exp().sum(dim=2), torch.ones(1, len(expected)))
    assert not expected.allclose(by_hand(model, FEATURES, samples, [1.0]), atol=0.01)


@torch.inference_mode()
@pytest.mark.parametrize("limit", [120.0, 0.0], ids=["together", "one after another"])
def test_a_recording_alone_and_in_any_batch(limit: float, monkeypatch: pytest.MonkeyPatch) -> None:
    model, tracts = make_model(), VocalTracts(FEATURES, FACTORS)
    batch = [talk(seconds, seed) for seed, seconds in enumerate((0.4, 1.7, 0.02, 1.1))]
    alone = [by_hand(model, FEATURES, each, FACTORS) for each in batch]
    rows: list[int] = []
    model.register_forward_pre_hook(lambda _, inputs: rows.append(len(inputs[0])))
    monkeypatch.setattr(vocal_tract, "BATCH_SECONDS", limit)
    log_probs, steps = tracts.log_probs(model, batch)
    assert rows == ([12] if limit else [4, 4, 4])  # what would take too much memory goes one after another
    assert steps.tolist() == [len(each) for each in alone]
    for row, length, expected in zip(log_probs, steps.tolist(), alone, strict=True):
        torch.testing.assert_close(row[:length].double(), expected, atol=1e-5, rtol=0)


@torch.inference_mode()
def test_by_default_a_recognizer_hears_once_bit_for_bit(tmp_path: Path) -> None:
    transcriber = Transcriber.load(write_run(tmp_path / "run"))
    assert transcriber.config.vocal_tracts == [1.0]
    batch = [talk(0.9), talk(1.4, 4)]
    heard = [transcriber.features.of(each) for each in batch]
    expected, lengths = transcriber.model(
        pad_sequence(heard, batch_first=True), torch.tensor(list(map(len, heard)))
    )
    log_probs, steps = transcriber.emissions([each.numpy() for each in batch])
    np.testing.assert_array_equal(log_probs, expected.numpy())
    np.testing.assert_array_equal(steps, lengths.numpy())


def test_the_setting_is_saved_and_loaded_and_replaced(tmp_path: Path) -> None:
    run, samples = write_run(tmp_path / "run", vocal_tracts=FACTORS), talk(1.2).numpy()
    averaged = Transcriber.load(run)
    assert averaged.config.vocal_tracts == FACTORS
    once = Transcriber.load(run, vocal_tracts=(1,))
    assert not np.allclose(averaged.emissions([samples])[0], once.emissions([samples])[0], atol=1e-4)
    once.save(tmp_path / "once")
    assert Transcriber.load(tmp_path / "once").config.vocal_tracts == [1.0]
    again = Transcriber.load(tmp_path / "once", vocal_tracts=FACTORS)
    np.testing.assert_array_equal(again.emissions([samples])[0], averaged.emissions([samples])[0])
    (emission,) = averaged.emitter.emit_many([samples])
    np.testing.assert_array_equal(emission.log_probs, averaged.emissions([samples])[0][0])


@pytest.mark.parametrize(
    ("factors", "message"),
    [
        ([], r"vocal_tracts: give at least one factor; \[1.0\] hears a recording once"),
        ([1.0, 1.5], r"vocal_tracts: factors must lie between 0.7 and 1.4, not 1.5"),
        ([0.6], "not 0.6"),
        ([float("nan")], "not nan"),
    ],
)
def test_factors_that_are_refused(factors: list[float], message: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=message):
        RecognizerConfig.check(RECIPE | {"vocal_tracts": factors}, "the test's recipe")
    with pytest.raises(ConfigError, match=message):
        Transcriber.load(write_run(tmp_path / "run"), vocal_tracts=factors)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_the_same_on_a_gpu(tmp_path: Path) -> None:
    run, samples = write_run(tmp_path / "run", vocal_tracts=FACTORS), talk(1.2).numpy()
    expected, _ = Transcriber.load(run).emissions([samples])
    found, _ = Transcriber.load(run, "cuda").emissions([samples])
    np.testing.assert_allclose(found, expected, atol=1e-3, rtol=0)
