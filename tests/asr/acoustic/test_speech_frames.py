"""Statistics over speech alone, and a noise floor below it."""

import pytest
import torch

from asr.acoustic.features import Features
from asr.acoustic.speech_frames import floor_shape, level_weights, speech_frames
from asr.config import FeatureConfig

RATE, HOP = 16000, 160
CONFIG = FeatureConfig(mels=40, normalize="speech", noise_floor_db=25)


def noise(seconds: float, level: float, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return level * torch.randn(round(seconds * RATE), generator=generator)


def phrase(level: float = 0.1) -> torch.Tensor:
    """Two syllables with a quiet pause between them, and a little of it on both sides."""
    pause = noise(0.2, level * 1e-3, 1)
    return torch.cat([pause, noise(0.6, level, 2), pause, noise(0.5, level, 3), pause])


def features_of(samples: torch.Tensor, config: FeatureConfig = CONFIG) -> torch.Tensor:
    return Features(config).of(samples)


def found(samples: torch.Tensor) -> list[int]:
    features = Features(CONFIG)
    frames = speech_frames(features.energies(samples), features.level_weights, CONFIG.floor)
    return frames.nonzero().flatten().tolist()


def test_only_the_syllables_are_speech():
    frames = found(phrase())
    syllables = [*range(20, 80), *range(100, 150)]
    assert set(syllables) <= set(frames)
    assert all(min(abs(frame - each) for each in syllables) <= 4 for frame in frames)


@pytest.mark.parametrize("kind", ["log_mel", "mfcc"])
def test_silence_around_an_utterance_changes_nothing_of_it(kind):
    config = CONFIG.model_copy(update={"kind": kind})
    alone = features_of(phrase(), config)
    around = features_of(torch.cat([torch.zeros(RATE), phrase(), torch.zeros(4 * RATE)]), config)
    # The first and the last frame of an utterance alone see that it ends.
    torch.testing.assert_close(around[100:][: len(alone)][2:-2], alone[2:-2], atol=1e-3, rtol=0)
    every = config.model_copy(update={"normalize": "utterance"})
    ruined = features_of(torch.cat([torch.zeros(RATE), phrase(), torch.zeros(4 * RATE)]), every)
    assert (ruined[100:][: len(alone)] - features_of(phrase(), every)).abs().max() > 0.5


@pytest.mark.parametrize("snr_db", [6, 12, 20])
def test_in_noise_most_of_what_is_taken_for_speech_is(snr_db):
    samples = torch.cat([torch.zeros(RATE), phrase(), torch.zeros(4 * RATE)])
    noisy = samples + noise(len(samples) / RATE, 0.1 * 10 ** (-snr_db / 20), 9)
    frames = found(noisy)
    syllables = {*range(120, 180), *range(200, 250)}
    assert syllables <= set(frames)
    assert len(set(frames) - syllables) <= 20


def test_the_level_of_a_recording_changes_nothing():
    torch.testing.assert_close(features_of(phrase(0.2)), features_of(phrase(0.02)), atol=1e-3, rtol=0)


def test_speech_has_mean_0_and_variance_1():
    values = features_of(torch.cat([torch.zeros(RATE), phrase()]))
    spoken = values[[frame + 100 for frame in found(phrase())]]
    assert spoken.mean(dim=0).abs().max() < 0.05
    assert (spoken.std(dim=0) - 1).abs().max() < 0.05


def test_the_floor_is_pink_and_so_far_below_speech():
    config = FeatureConfig(mels=40, normalize="none", noise_floor_db=25)
    energies = features_of(torch.cat([torch.zeros(RATE), phrase()]), config).exp()
    weights = Features(config).level_weights
    speech = energies[100:][found(phrase())].mean(dim=0) @ weights
    assert 10 * torch.log10(speech / (energies[50] @ weights)).item() == pytest.approx(25, abs=0.1)
    centres = torch.tensor([100.0, 200.0, 400.0, 4000.0])
    shape = floor_shape(centres)
    assert (shape @ level_weights(centres)).item() == pytest.approx(1)
    torch.testing.assert_close(shape / shape[1], torch.tensor([1, 1, 0.5, 0.05]))


@pytest.mark.parametrize("count", [1, 100, 800, 4000])
def test_short_and_silent_utterances_give_finite_features(count):
    for samples in (torch.zeros(count), noise(count / RATE, 0.1)):
        assert features_of(samples).isfinite().all()
