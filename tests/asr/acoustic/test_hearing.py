"""Hearing: several vocal tracts averaged, and a second pass where the first has heard something."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from asr.acoustic import hearing
from asr.acoustic.features import Features
from asr.acoustic.hearing import Hearing
from asr.acoustic.network import AcousticModel
from asr.acoustic.vocal_tract import warped_filters
from asr.config import FeatureConfig, HearingConfig, ModelConfig, RecognizerConfig
from asr.tokens import Tokens
from asr.transcriber import Transcriber
from sluice_core.config import ConfigError

RATE = 16000
FEATURES = Features(FeatureConfig(mels=40, normalize="speech", noise_floor_db=25))
FACTORS = [0.93, 1.0, 1.07]
TRACTS = HearingConfig(vocal_tracts=FACTORS)
RECIPE = {
    "name": "hearing",
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


@pytest.mark.parametrize(
    "config", [FEATURES.config, FeatureConfig(kind="mfcc", deltas=1), FeatureConfig(mels=24)]
)
def test_features_at_each_factor_are_those_of_its_filters_alone(config: FeatureConfig) -> None:
    features, samples = Features(config), talk(1.3)
    before = samples.clone()
    heard = [features.finish(each) for each in Hearing(features, TRACTS).energies(samples)]
    assert len(heard) == 3 and heard[1].equal(features.of(samples)) and samples.equal(before)
    for each, factor in zip(heard, FACTORS, strict=True):
        assert each.equal(features.finish(features.power(samples) @ warped_filters(features, factor)))
    assert not heard[0].allclose(heard[1], atol=0.1) and not heard[2].allclose(heard[1], atol=0.1)


@torch.inference_mode()
def test_the_average_is_the_geometric_mean_of_distributions() -> None:
    model, samples = make_model(), talk(1.3)
    log_probs, steps = Hearing(FEATURES, TRACTS).log_probs(model, [samples])
    expected = by_hand(model, FEATURES, samples, FACTORS)
    assert steps.tolist() == [len(expected)] and log_probs.dtype == torch.float32
    torch.testing.assert_close(log_probs[0].double(), expected, atol=1e-5, rtol=0)
    torch.testing.assert_close(log_probs.exp().sum(dim=2), torch.ones(1, len(expected)))
    assert not expected.allclose(by_hand(model, FEATURES, samples, [1.0]), atol=0.01)


@torch.inference_mode()
@pytest.mark.parametrize("limit", [120.0, 0.0], ids=["together", "one after another"])
def test_a_recording_alone_and_in_any_batch(limit: float, monkeypatch: pytest.MonkeyPatch) -> None:
    model, thrice = make_model(), Hearing(FEATURES, TRACTS)
    batch = [talk(seconds, seed) for seed, seconds in enumerate((0.4, 1.7, 0.02, 1.1))]
    alone = [by_hand(model, FEATURES, each, FACTORS) for each in batch]
    rows: list[int] = []
    model.register_forward_pre_hook(lambda _, inputs: rows.append(len(inputs[0])))
    monkeypatch.setattr(hearing, "BATCH_SECONDS", limit)
    log_probs, steps = thrice.log_probs(model, batch)
    assert rows == ([12] if limit else [4, 4, 4])  # what would take too much memory goes one after another
    assert steps.tolist() == [len(each) for each in alone]
    for row, length, expected in zip(log_probs, steps.tolist(), alone, strict=True):
        torch.testing.assert_close(row[:length].double(), expected, atol=1e-5, rtol=0)


@torch.inference_mode()
def test_by_default_a_recognizer_hears_once_bit_for_bit(tmp_path: Path) -> None:
    transcriber = Transcriber.load(write_run(tmp_path / "run"))
    assert transcriber.config.hearing == HearingConfig()
    batch = [talk(0.9), talk(1.4, 4)]
    heard = [transcriber.features.of(each) for each in batch]
    expected, lengths = transcriber.model(
        pad_sequence(heard, batch_first=True), torch.tensor(list(map(len, heard)))
    )
    log_probs, steps = transcriber.emissions([each.numpy() for each in batch])
    np.testing.assert_array_equal(log_probs, expected.numpy())
    np.testing.assert_array_equal(steps, lengths.numpy())


def test_the_setting_is_saved_and_loaded_and_replaced(tmp_path: Path) -> None:
    run, samples = write_run(tmp_path / "run", hearing={"vocal_tracts": FACTORS}), talk(1.2).numpy()
    averaged = Transcriber.load(run)
    assert averaged.config.hearing == TRACTS
    once = Transcriber.load(run, hearing=HearingConfig())
    assert not np.allclose(averaged.emissions([samples])[0], once.emissions([samples])[0], atol=1e-4)
    once.save(tmp_path / "once")
    assert Transcriber.load(tmp_path / "once").config.hearing == HearingConfig()
    again = Transcriber.load(tmp_path / "once", hearing=TRACTS)
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
def test_factors_that_are_refused(factors: list[float], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        RecognizerConfig.check(RECIPE | {"hearing": {"vocal_tracts": factors}}, "the test's recipe")


def told(model: AcousticModel, first: int, last: int) -> None:
    """Let a model hear a token at some steps, and nothing at the others, whatever it is given."""

    def output(_module: object, _inputs: object, result: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        log_probs = torch.full_like(result[0], -20.0)
        log_probs[:, :, 0] = 0.0
        log_probs[:, first:last, 0], log_probs[:, first:last, 1] = -20.0, 0.0
        return log_probs, result[1]

    model.register_forward_hook(output)


@torch.inference_mode()
def test_the_second_pass_looks_for_speech_near_what_the_first_has_heard() -> None:
    samples, (first, last) = talk(2.0), (20, 35)
    model, features = make_model(), Features(FEATURES.config)
    told(model, first, last)
    twice = Hearing(features, HearingConfig(two_passes=True))
    (near,) = twice._near_tokens(model, [FEATURES.energies(samples)])
    assert near is not None and len(near) == features.frames(len(samples))
    assert near.nonzero().flatten().tolist() == list(range(4 * first - 10, 4 * last + 10))

    seen: list[Tensor] = []
    model.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0][0]))
    twice.log_probs(model, [samples])
    plain, again = seen
    energies = features.energies(samples)
    expected = features.finish(energies.clone(), near)
    assert (
        plain.equal(features.of(samples)) and again.equal(expected) and not again.allclose(plain, atol=0.01)
    )


@torch.inference_mode()
def test_where_nothing_is_heard_the_second_pass_is_the_first() -> None:
    samples, model = talk(1.0), make_model()
    told(model, 0, 0)
    twice = Hearing(FEATURES, HearingConfig(two_passes=True))
    assert twice._near_tokens(model, [FEATURES.energies(samples)]) == [None]
    seen: list[Tensor] = []
    model.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0][0]))
    twice.log_probs(model, [samples])
    assert seen[0].equal(seen[1])


@torch.inference_mode()
@pytest.mark.parametrize("factors", [FACTORS, [0.93, 1.07]])
def test_two_passes_hear_a_recording_alone_as_in_any_batch(factors: list[float]) -> None:
    model = make_model()
    twice = Hearing(FEATURES, HearingConfig(vocal_tracts=factors, two_passes=True))
    batch = [talk(seconds, seed) for seed, seconds in enumerate((0.4, 1.7, 0.02, 1.1))]
    log_probs, steps = twice.log_probs(model, batch)
    for row, length, samples in zip(log_probs, steps.tolist(), batch, strict=True):
        (alone,), _ = twice.log_probs(model, [samples])
        torch.testing.assert_close(row[:length], alone, atol=1e-5, rtol=0)


def test_two_passes_need_statistics_over_speech() -> None:
    recipe = RECIPE | {"features": {"normalize": "utterance"}, "hearing": {"two_passes": True}}
    with pytest.raises(
        ConfigError, match=r"two_passes looks for speech again, which needs features.normalize"
    ):
        RecognizerConfig.check(recipe, "the test's recipe")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_the_same_on_a_gpu(tmp_path: Path) -> None:
    run, samples = write_run(tmp_path / "run", hearing={"vocal_tracts": FACTORS}), talk(1.2).numpy()
    expected, _ = Transcriber.load(run).emissions([samples])
    found, _ = Transcriber.load(run, "cuda").emissions([samples])
    np.testing.assert_allclose(found, expected, atol=1e-3, rtol=0)
