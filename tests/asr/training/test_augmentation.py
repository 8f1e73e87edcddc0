import numpy as np
import pytest
import soundfile
import torch

from asr.audio.reading import AudioError
from asr.config import AugmentConfig
from asr.training.augmentation import (
    GENERATED_SAMPLES,
    NOISE_COLOURS,
    AugmentError,
    SpecAugment,
    WaveAugmenter,
    add_noise,
    generate_noise,
    speech_level,
)

RATE = 16000

EVERYTHING = {
    "speed": (0.9, 1.1),
    "gain_db": (-6.0, 6.0),
    "noise_probability": 0.5,
    "frequency_masks": 2,
    "frequency_mask_bins": 10,
    "time_masks": 3,
    "time_mask_frames": 12,
}


def tone(seconds: float = 1.0, hz: float = 1000.0, level: float = 0.1) -> np.ndarray:
    return (level * np.sin(2 * np.pi * hz * np.arange(round(seconds * RATE)) / RATE)).astype(np.float32)


def augmented(samples: np.ndarray, seed: int = 0, **settings: object) -> np.ndarray:
    return WaveAugmenter(AugmentConfig(**settings), RATE)(samples, np.random.default_rng(seed))


def decibels(ratio: float) -> float:
    return 20 * np.log10(ratio)


def rms(samples: np.ndarray) -> float:
    return float(np.sqrt(np.mean(samples.astype(np.float64) ** 2)))


def test_off_is_the_identity():
    loud = 3 * tone()  # even beyond full scale
    features = torch.randn(100, 40)
    generator = np.random.default_rng(0)
    assert WaveAugmenter(AugmentConfig(), RATE)(loud, generator) is loud
    assert SpecAugment(AugmentConfig())(features, generator) is features


def test_the_same_generator_state_gives_the_same_result_and_another_another():
    samples, features = tone(), torch.randn(100, 40)
    config = AugmentConfig(**{**EVERYTHING, "noise_probability": 1.0})

    def both(seed: int) -> tuple[np.ndarray, torch.Tensor]:
        generator = np.random.default_rng(seed)
        augmenter = WaveAugmenter(config, RATE)
        speeds.append(augmenter.draw_speed(generator))
        wave = augmenter(samples, generator)
        return wave, SpecAugment(config)(features, generator)

    speeds: list[float] = []
    (wave, spec), (same_wave, same_spec), (other_wave, other_spec) = both(1), both(1), both(2)
    assert speeds[0] == speeds[1] != speeds[2]
    np.testing.assert_array_equal(wave, same_wave)
    assert torch.equal(spec, same_spec)
    assert not np.array_equal(wave[:1000], other_wave[:1000])
    assert not torch.equal(spec, other_spec)


def test_inputs_are_kept():
    samples, features = tone(), torch.randn(100, 40)
    config = AugmentConfig(**EVERYTHING)
    kept = samples.copy(), features.clone()
    for seed in range(10):
        generator = np.random.default_rng(seed)
        assert WaveAugmenter(config, RATE)(samples, generator).dtype == np.float32
        SpecAugment(config)(features, generator)
    np.testing.assert_array_equal(samples, kept[0])
    assert torch.equal(features, kept[1])


def test_speed_is_drawn_from_its_range_with_its_probability():
    augmenter = WaveAugmenter(AugmentConfig(speed=(0.8, 1.25), speed_probability=0.5), RATE)
    speeds = np.array([augmenter.draw_speed(np.random.default_rng(seed)) for seed in range(200)])
    assert 60 < np.count_nonzero(speeds == 1) < 140
    assert 0.8 <= speeds.min() < 0.85 and 1.2 < speeds.max() <= 1.25
    assert WaveAugmenter(AugmentConfig(), RATE).draw_speed(np.random.default_rng(0)) == 1


def test_gain_is_drawn_in_decibels():
    samples = tone(level=0.01)
    gains = np.array(
        [decibels(rms(augmented(samples, seed, gain_db=(-12.0, 6.0))) / rms(samples)) for seed in range(100)]
    )
    assert -12 <= gains.min() < -10
    assert 4 < gains.max() <= 6


def test_what_gain_puts_above_full_scale_is_scaled_back_not_clipped():
    loud = augmented(tone(level=0.9), gain_db=(20.0, 20.0))
    assert np.abs(loud).max() == pytest.approx(1)
    np.testing.assert_allclose(loud, tone(level=0.9) / np.abs(tone(level=0.9)).max(), atol=1e-6)


def test_noise_has_the_wanted_ratio_to_the_part_that_is_not_silent():
    speech = np.concatenate([np.zeros(3 * RATE, np.float32), tone()])
    noisy = augmented(speech, noise_probability=1.0, noise_snr_db=(15.0, 15.0))
    assert len(noisy) == len(speech)
    assert decibels(rms(tone()) / rms(noisy - speech)) == pytest.approx(15, abs=0.01)


def test_speech_level_leaves_silence_out():
    speech = np.concatenate([1e-4 * tone(2), tone(), np.zeros(RATE, np.float32)])
    assert speech_level(speech, RATE) == pytest.approx(rms(tone()), rel=1e-3)
    assert speech_level(tone(0.01), RATE) == pytest.approx(rms(tone(0.01)))  # shorter than one frame


def test_noise_comes_with_its_probability():
    changed = [
        not np.array_equal(augmented(tone(0.1), seed, noise_probability=0.2), tone(0.1))
        for seed in range(300)
    ]
    assert 35 < sum(changed) < 90


def test_silence_gets_no_noise_and_silent_noise_changes_nothing():
    silence = np.zeros(RATE, np.float32)
    np.testing.assert_array_equal(augmented(silence, noise_probability=1.0), silence)
    np.testing.assert_array_equal(add_noise(tone(), silence, 10, RATE), tone())


@pytest.mark.parametrize(("colour", "slope"), [("white", 0.0), ("pink", -3.0), ("brown", -6.0)])
def test_colours_fall_by_so_many_decibels_an_octave(colour, slope):
    noise = generate_noise(10 * RATE + 7, colour, RATE, np.random.default_rng(0))
    assert noise.shape == (10 * RATE + 7,)
    assert noise.dtype == np.float32
    assert rms(noise) == pytest.approx(1, rel=1e-4)
    power = np.abs(np.fft.rfft(noise[: 10 * RATE])) ** 2  # ten bins to the Hz
    octaves = [power[10 * low : 20 * low].mean() for low in (250, 500, 1000, 2000)]
    np.testing.assert_allclose(10 * np.log10(octaves[1:]) - 10 * np.log10(octaves[:-1]), slope, atol=0.5)


def test_every_colour_is_drawn():
    augmenter = WaveAugmenter(AugmentConfig(noise_probability=1.0), RATE)

    def brightness(noise: np.ndarray) -> float:
        return rms(np.diff(noise)) / rms(noise)

    drawn = [brightness(augmenter.draw_noise(RATE, np.random.default_rng(seed))) for seed in range(40)]
    references = [
        brightness(generate_noise(RATE, colour, RATE, np.random.default_rng(0))) for colour in NOISE_COLOURS
    ]
    nearest = {int(np.argmin([abs(value - reference) for reference in references])) for value in drawn}
    assert nearest == {0, 1, 2}


def test_generated_noise_starts_anywhere_and_is_repeated_if_short():
    augmenter = WaveAugmenter(AugmentConfig(noise_probability=1.0), RATE)
    drawn = [augmenter.draw_noise(3000, np.random.default_rng(seed)) for seed in range(40)]
    for number, noise in enumerate(drawn):
        assert noise.shape == (3000,) and rms(noise) > 0.3
        alike = [float(np.corrcoef(noise, other)[0, 1]) for other in drawn[:number]]
        assert max(alike, default=0) < 0.9
    long = augmenter.draw_noise(GENERATED_SAMPLES + 500, np.random.default_rng(3))
    np.testing.assert_array_equal(long[:500], long[GENERATED_SAMPLES:])


@pytest.fixture
def noise_folder(tmp_path):
    """One long recording whose samples tell their place, at another rate, and one short one."""
    (tmp_path / "noise" / "deep").mkdir(parents=True)
    soundfile.write(tmp_path / "noise" / "ramp.wav", np.linspace(0.1, 0.9, 80000), 8000, subtype="FLOAT")
    soundfile.write(tmp_path / "noise" / "deep" / "short.flac", np.full(1600, -0.5), RATE)
    return tmp_path / "noise"


def test_noise_files_are_cut_at_random_and_repeated_if_short(noise_folder):
    config = AugmentConfig(noise_probability=1.0, noise_files=noise_folder)
    augmenter = WaveAugmenter(config, RATE)
    starts, short = [], 0
    for seed in range(40):
        noise = augmenter.draw_noise(RATE, np.random.default_rng(seed))
        assert noise.shape == (RATE,)
        if noise.mean() < 0:
            np.testing.assert_allclose(noise, -0.5, atol=1e-3)
            short += 1
        else:
            assert noise[-500] - noise[500] == pytest.approx(
                0.08 * 15000 / 16000, abs=1e-3
            )  # one second of ten
            starts.append(noise[500])
    assert 5 < short < 35
    assert min(starts) < 0.3 and max(starts) > 0.6


def test_a_tiny_utterance_gets_noise_of_a_file_too(noise_folder):
    noisy = augmented(tone(0.018), noise_probability=1.0, noise_files=noise_folder)
    assert len(noisy) == 288
    assert not np.array_equal(noisy, tone(0.018))


def test_noise_of_files_has_the_wanted_ratio(noise_folder):
    (noise_folder / "ramp.wav").unlink()
    noisy = augmented(tone(), noise_probability=1.0, noise_snr_db=(20.0, 20.0), noise_files=noise_folder)
    assert decibels(rms(tone()) / rms(noisy - tone())) == pytest.approx(20, abs=0.01)


def test_a_folder_without_noise_is_an_error_only_if_noise_is_wanted(tmp_path):
    with pytest.raises(AudioError, match="no audio files in this folder"):
        WaveAugmenter(AugmentConfig(noise_probability=0.2, noise_files=tmp_path), RATE)
    with pytest.raises(AudioError, match="no such file"):
        WaveAugmenter(AugmentConfig(noise_probability=0.2, noise_files=tmp_path / "none"), RATE)
    WaveAugmenter(AugmentConfig(noise_files=tmp_path), RATE)


def masked(features: torch.Tensor, config: AugmentConfig, seed: int, streams: int = 1) -> torch.Tensor:
    """Where a mask changed features `[time, size]`, which must be random so that every change shows."""
    return SpecAugment(config, streams)(features, np.random.default_rng(seed)) != features


def test_frequency_masks_cover_whole_bins_up_to_their_width():
    features, widths = torch.randn(50, 40), []
    config = AugmentConfig(frequency_masks=1, frequency_mask_bins=6)
    for seed in range(100):
        changed = masked(features, config, seed)
        assert (changed.all(dim=0) == changed.any(dim=0)).all()
        bins = changed.all(dim=0).nonzero().flatten()
        widths.append(len(bins))
        assert len(bins) == 0 or int(bins[-1] - bins[0]) == len(bins) - 1
    assert set(widths) == set(range(7))


def test_time_masks_cover_whole_frames_up_to_their_width():
    features, widths, places = torch.randn(100, 20), [], set()
    config = AugmentConfig(time_masks=1, time_mask_frames=5)
    for seed in range(300):
        changed = masked(features, config, seed)
        assert (changed.all(dim=1) == changed.any(dim=1)).all()
        frames = changed.all(dim=1).nonzero().flatten().tolist()
        widths.append(len(frames))
        places.update(frames)
    assert set(widths) == set(range(6))
    assert {0, 99} <= places  # the edges too


@pytest.mark.parametrize("share", [0.0, 0.1, 0.25])
@pytest.mark.parametrize("frames", [1, 7, 40, 200])
def test_time_masks_together_keep_to_their_share(frames, share):
    features = torch.randn(frames, 8)
    config = AugmentConfig(time_masks=20, time_mask_frames=50, time_mask_share=share)
    covered = [int(masked(features, config, seed).any(dim=1).sum()) for seed in range(20)]
    assert max(covered) <= share * frames
    if share * frames >= 10:
        assert max(covered) > 0


def test_masks_hold_the_mean_of_the_utterance():
    features = torch.randn(60, 10) + 5 * torch.arange(10.0)
    config = AugmentConfig(frequency_masks=2, frequency_mask_bins=4, time_masks=2, time_mask_frames=10)
    result = SpecAugment(config)(features, np.random.default_rng(3))
    changed = result != features
    assert changed.any() and not changed.all()
    torch.testing.assert_close(result[changed], features.mean(dim=0).expand(60, 10)[changed])


def test_masks_hold_zero_where_features_are_normalized():
    features = torch.randn(60, 10)
    features = (features - features.mean(dim=0)) / features.std(dim=0)
    config = AugmentConfig(frequency_masks=1, frequency_mask_bins=8, time_masks=2)
    result = SpecAugment(config)(features, np.random.default_rng(3))
    assert result[result != features].abs().max() < 1e-6


def test_deltas_are_masked_in_the_same_bins_as_their_statics():
    features = torch.randn(30, 3 * 20)
    config = AugmentConfig(frequency_masks=2, frequency_mask_bins=10)
    changed = masked(features, config, 1, streams=3).view(30, 3, 20)
    assert changed.any()
    assert (changed == changed[:, :1]).all()


def test_masks_wider_than_the_features_are_cut():
    features = torch.randn(3, 4)
    config = AugmentConfig(
        frequency_masks=3, frequency_mask_bins=50, time_masks=3, time_mask_frames=50, time_mask_share=1
    )
    for seed in range(20):
        assert SpecAugment(config)(features, np.random.default_rng(seed)).shape == (3, 4)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"speed": (1.1, 0.9)}, r"augment.speed: the range 1.1 to 0.9 is backwards"),
        ({"speed": (0.0, 1.0)}, "factors must lie between 0.5 and 2, not 0 to 1"),
        ({"gain_db": (3.0, -3.0)}, "augment.gain_db: the range 3 to -3"),
        ({"noise_snr_db": (30.0, 10.0)}, "augment.noise_snr_db: the range 30 to 10"),
    ],
)
def test_settings_that_make_no_sense(settings, message):
    with pytest.raises(AugmentError, match=message):
        WaveAugmenter(AugmentConfig(**settings), RATE)
