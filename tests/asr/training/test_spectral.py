"""Augmentation in the spectrum."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from asr.acoustic.features import Features, mel_edges
from asr.acoustic.speech_frames import speech_frames
from asr.config import FeatureConfig
from asr.spectral_config import SpectralConfig
from asr.training.augmentation import AugmentError
from asr.training.experiment import prepare
from asr.training.spectral.augmenter import SpectralAugmenter, warps
from asr.training.spectral.channel import LOST_DB, equalize, lose_bands
from asr.training.spectral.clatter import clatter
from asr.training.spectral.noise_bank import NoiseBank
from asr.training.spectral.pauses import add_pauses
from asr.training.spectral.rooms import reverberate
from asr.training.spectral.tempo import draw_centres
from asr.training.spectral.tones import tones
from tests.asr.training.test_experiment import config as recipe
from tests.tones import write_corpus

RATE = 16000
FEATURES = Features(FeatureConfig(mels=40))
CENTRES = mel_edges(FEATURES.config)[1:-1].numpy()


def talk(generator: np.random.Generator | None = None, seconds: float = 1.5) -> np.ndarray:
    """Noise that swells like syllables, in different ways."""
    generator = generator or np.random.default_rng(3)
    count = round(seconds * RATE)
    envelope = np.interp(np.arange(count), np.linspace(0, count, 12), generator.uniform(0, 0.2, 12))
    return (envelope * generator.standard_normal(count)).astype(np.float32)


def tone(hz: float, seconds: float = 1.0) -> np.ndarray:
    return (0.1 * np.sin(2 * np.pi * hz * np.arange(round(seconds * RATE)) / RATE)).astype(np.float32)


def augmenter(noise_files: list[Path] | None = None, **settings: object) -> SpectralAugmenter:
    return SpectralAugmenter(SpectralConfig(**settings), FEATURES, talk, noise_files or [], 17)


def augmented(samples: np.ndarray, seed: int = 0, **settings: object) -> torch.Tensor:
    return augmenter(**settings)(samples, np.random.default_rng(seed), lambda frames: True)


EVERYTHING = {
    "vocal_tract": (0.85, 1.2),
    "tempo": (0.8, 1.3),
    "tempo_jitter": 0.2,
    "pause_probability": 1,
    "equalizer_probability": 1,
    "room_probability": 1,
    "band_probability": 1,
    "noise_probability": 1,
    "noise_kinds": {"coloured": 1, "babble": 1, "clatter": 1},
    "floor_db": (30, 60),
}


def test_off_is_the_identity():
    assert not SpectralConfig().active and SpectralConfig(tempo_jitter=0.1).active
    torch.testing.assert_close(augmented(talk()), FEATURES.energies(torch.from_numpy(talk())), atol=0, rtol=0)


def test_the_same_generator_state_gives_the_same_energies_and_another_others():
    make, other, samples = augmenter(**EVERYTHING), augmenter(**EVERYTHING), talk()
    before, seen = samples.copy(), []
    for seed in range(6):
        energies = make(samples, np.random.default_rng(seed), lambda frames: True)
        assert energies.equal(other(samples, np.random.default_rng(seed), lambda frames: True))
        assert energies.isfinite().all() and (energies >= 0).all() and energies.dtype == torch.float32
        seen.append(energies)
    assert not any(one.shape == seen[0].shape and one.equal(seen[0]) for one in seen[1:])
    np.testing.assert_array_equal(samples, before)


def test_vocal_tracts_are_drawn_from_the_whole_range_and_move_formants():
    factors = warps(0.8, 1.25)
    assert len(factors) == 31 and (factors[0], factors[-1]) == (0.8, pytest.approx(1.25))
    assert np.diff(np.log(factors)) == pytest.approx(np.log(1.25 / 0.8) / 30)
    assert warps(1.0, 1.0) == [1.0]
    moved = augmented(tone(1000), vocal_tract=(1.2, 1.2))
    expected, plain = FEATURES.energies(torch.from_numpy(tone(1200))), augmented(tone(1000))
    assert moved.shape == expected.shape
    assert moved[50].argmax() == expected[50].argmax() != plain[50].argmax()


def test_tempo_changes_the_number_of_frames_and_not_their_pitch():
    for tempo in (0.8, 1.25):
        energies = augmented(tone(1000), tempo=(tempo, tempo))
        assert len(energies) == pytest.approx(100 / tempo, abs=2)
        assert energies[40].argmax() == FEATURES.energies(torch.from_numpy(tone(1000)))[40].argmax()


def test_a_changing_tempo_goes_forward_from_the_first_sample_to_the_last():
    settings = SpectralConfig(tempo_jitter=0.4)
    for seed in range(20):
        centres = draw_centres(24000, 160, settings, np.random.default_rng(seed))
        assert centres is not None and len(centres) == 151
        assert centres[0] == 0 and centres[-1] == 24000
        steps = centres.diff()[:-1]
        assert (steps >= 160 / 2.3).all() and (steps <= 160 * 2.3).all() and len(set(steps.tolist())) > 5


def test_a_tempo_at_which_the_text_would_not_fit_is_left():
    make = augmenter(tempo=(1.5, 1.5))
    for most, expected in ((200, 101), (60, 68)):
        frames = len(
            make(talk(seconds=1), np.random.default_rng(0), lambda frames, most=most: frames >= most)
        )
        assert frames == pytest.approx(expected, abs=1)


def test_pauses_are_empty_and_no_longer_than_they_may_be():
    energies, lengths = FEATURES.energies(torch.from_numpy(talk())), []
    for seed in range(30):
        padded = add_pauses(energies, 0.5, 0.01, np.random.default_rng(seed))
        start = int(padded.sum(dim=1).nonzero()[0])
        assert start < 50 and padded[start : start + len(energies)].equal(energies)
        lengths.append(len(padded) - len(energies))
    assert max(lengths) <= 100 and len(set(lengths)) > 15


def test_a_room_decays_as_its_time_says_after_the_sound_and_never_before():
    hit = torch.zeros(120, 40)
    hit[20] = 1
    heard = reverberate(hit, (0.5, 0.5), (0.0, 0.0), 0.01, np.random.default_rng(0))
    assert heard[:20].abs().max() == 0 and heard[20].allclose(torch.ones(40))
    lowest = 10 * torch.log10(heard[:, 0])
    assert (lowest[30] - lowest[40]).item() == pytest.approx(60 * 0.1 / 0.5, abs=0.5)
    assert (heard[40] > 0).all() and heard[40, 0] > heard[40, -1]  # high frequencies decay faster
    assert heard[21:, 0].sum().item() == pytest.approx(1, abs=0.01)  # 0 dB: as much as what comes directly


def test_an_equalizer_stays_within_its_range_and_keeps_time():
    energies = FEATURES.energies(torch.from_numpy(talk())) + 1e-6
    for seed in range(10):
        change = 10 * torch.log10(equalize(energies, 6, np.random.default_rng(seed)) / energies)
        assert change.abs().max() <= 6.001 and change.std(dim=0).max() < 1e-3 and change[0].std() > 0.1


def test_lost_bands_are_lost():
    ones = torch.ones(10, 40)
    heard = lose_bands(ones, CENTRES, 0, 3400, np.random.default_rng(1))[0]
    assert (heard[CENTRES < 3400] == 1).all() and (heard >= 0.99 * 10 ** (-LOST_DB / 10)).all()
    lows = [lose_bands(ones, CENTRES, 400, 8000, np.random.default_rng(seed))[0] for seed in range(10)]
    assert min(low[0].item() for low in lows) < 0.1 and all((low[CENTRES > 500] > 0.5).all() for low in lows)


def bank(kinds: dict[str, float], recordings: list[Path] | None = None) -> NoiseBank:
    return NoiseBank(kinds, FEATURES, talk, recordings or [], 17)


def test_noise_of_every_kind_has_level_1_and_starts_anywhere(tmp_path):
    soundfile.write(tmp_path / "hum.wav", tone(300, 2), RATE)
    for kinds in ({"coloured": 1.0}, {"babble": 1.0}, {"clatter": 1.0}, {"tones": 1.0}, {"files": 1.0}):
        source = bank(kinds, [tmp_path / "hum.wav"])
        pieces = [source.draw(300, np.random.default_rng(seed)) for seed in range(4)]
        for piece in pieces:
            assert piece.shape == (300, 40) and piece.isfinite().all()
            assert (piece.mean(dim=0) @ FEATURES.level_weights).item() == pytest.approx(1, rel=1e-3)
        assert not pieces[0].equal(pieces[1])


def test_kinds_are_drawn_as_often_as_they_should():
    source = bank({"coloured": 3.0, "clatter": 1.0})
    quiet = [
        (source.draw(200, np.random.default_rng(seed)).sum(dim=1) < 1e-3).float().mean() > 0.1
        for seed in range(80)
    ]
    assert 6 <= sum(quiet) <= 30  # clatter has silence between its hits: of 80 pieces some 15


def test_noise_comes_at_its_ratio_to_speech():
    samples = talk()
    energies = FEATURES.energies(torch.from_numpy(samples))
    weights = FEATURES.level_weights
    speech = energies[speech_frames(energies, weights, 1e-8)].mean(dim=0) @ weights
    for snr_db in (0.0, 12.0):
        noisy = augmented(samples, noise_probability=1, noise_snr_db=(snr_db, snr_db))
        noise = (noisy - energies).mean(dim=0) @ weights
        assert 10 * torch.log10(speech / noise).item() == pytest.approx(snr_db, abs=0.1)


def test_tones_are_lines_in_the_spectrum():
    samples = tones(5 * RATE, RATE, np.random.default_rng(0))
    np.testing.assert_array_equal(samples, tones(5 * RATE, RATE, np.random.default_rng(0)))
    power = np.abs(np.fft.rfft(samples[: RATE // 2] * np.hanning(RATE // 2))) ** 2
    white = (
        np.abs(np.fft.rfft(np.random.default_rng(1).standard_normal(RATE // 2) * np.hanning(RATE // 2))) ** 2
    )
    loudest = len(power) // 50
    assert (
        np.sort(power)[-loudest:].sum() / power.sum() > 0.8
    )  # a fiftieth of the frequencies has nearly all of it
    assert np.sort(white)[-loudest:].sum() / white.sum() < 0.2


def test_clatter_is_hits_with_silence_between_them():
    samples = clatter(5 * RATE, RATE, np.random.default_rng(0))
    levels = np.square(samples.reshape(-1, RATE // 20)).mean(axis=1)
    assert levels.max() > 20 * np.median(levels) and len(samples) == 5 * RATE
    np.testing.assert_array_equal(samples, clatter(5 * RATE, RATE, np.random.default_rng(0)))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"tempo": (1.2, 0.9)}, "spectral.tempo: the range 1.2 to 0.9 is backwards"),
        ({"tempo": (0.1, 0.9)}, "spectral.tempo: factors must lie between 0.5 and 2"),
        ({"vocal_tract": (0.5, 1.0)}, "spectral.vocal_tract: factors must lie between 0.7 and 1.4"),
        ({"floor_db": (60, 30)}, "spectral.floor_db: the range"),
        ({"room_seconds": (0.0, 0.3)}, "room needs more than 0 seconds"),
        ({"noise_kinds": {"coloured": 0}}, "noise_kinds: each kind needs a share"),
        ({"noise_probability": 0.5, "noise_kinds": {"files": 1}}, "give augment.noise_files"),
    ],
)
def test_settings_that_make_no_sense(settings, message):
    with pytest.raises(AugmentError, match=message):
        augmenter(**settings)


def test_batches_are_the_same_whoever_makes_them(tmp_path):
    manifest = write_corpus(tmp_path / "train", 12)
    changes = [f"augment.spectral.{name}={value}" for name, value in (
        ("tempo", "[0.9, 1.1]"), ("pause_probability", 1), ("noise_probability", 1), ("noise_kinds", "{babble: 1}")
    )]  # fmt: skip
    changes += ["augment.start_epoch=0", "augment.speed=[1, 1]"]
    batches = []
    for workers in (0, 2):
        settings = recipe(manifest, *changes, f"training.workers={workers}")
        experiment = prepare(settings, tmp_path / f"run{workers}", tmp_path / "cache")
        batches.append(list(experiment.loader("train", train=True)))
    for one, other in zip(*batches, strict=True):
        assert one.items == other.items and one.features.equal(other.features)


def test_speed_and_spectral_settings_exclude_each_other(tmp_path):
    manifest = write_corpus(tmp_path / "train", 12)
    settings = recipe(manifest, "augment.spectral.tempo=[0.9, 1.1]", "augment.speed=[0.9, 1.1]")
    with pytest.raises(AugmentError, match="leave speed at"):
        prepare(settings, tmp_path / "run", tmp_path / "cache").loader("train", train=True)
