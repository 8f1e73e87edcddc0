import numpy as np
import pytest
import torch

from asr.acoustic.features import FeatureError, Features, dct, deltas, hz_to_mel, mel_filters, normalize
from asr.config import FeatureConfig

RATES = [8000, 16000]


def speechlike(rate: int, seconds: float = 1.3, seed: int = 0) -> torch.Tensor:
    """Noise with an envelope, far enough above the floor that adding it and clamping to it agree."""
    count = round(rate * seconds)
    envelope = 1.5 + torch.sin(torch.arange(count) * 20 / rate)
    return 3 * envelope * torch.randn(count, generator=torch.Generator().manual_seed(seed))


def plain(rate: int, **settings: object) -> FeatureConfig:
    return FeatureConfig(sample_rate=rate, mels=40, normalize="none", **settings)


def alone(config: FeatureConfig, samples: torch.Tensor) -> np.ndarray:
    return Features(config)(samples[None], torch.tensor([len(samples)]))[0][0].numpy()


def librosa_mel(samples: torch.Tensor, config: FeatureConfig) -> np.ndarray:
    import librosa

    window = round(config.sample_rate * config.window_ms / 1000)
    return librosa.feature.melspectrogram(
        y=samples.double().numpy(),
        sr=config.sample_rate,
        n_fft=1 << (window - 1).bit_length(),
        win_length=window,
        hop_length=round(config.sample_rate * config.hop_ms / 1000),
        pad_mode="constant",
        n_mels=config.mels,
        fmin=config.low_hz,
        fmax=config.high_hz,
    )


def torchaudio_transforms():
    """The module, or a skip that says why: its wheel loads only beside the published torch of its line."""
    try:
        from torchaudio import transforms
    except (ImportError, OSError) as error:
        pytest.skip(f"torchaudio does not load here: {error}")
    return transforms


def torchaudio_mel(config: FeatureConfig) -> dict[str, object]:
    window = round(config.sample_rate * config.window_ms / 1000)
    return {
        "n_fft": 1 << (window - 1).bit_length(),
        "win_length": window,
        "hop_length": round(config.sample_rate * config.hop_ms / 1000),
        "pad_mode": "constant",
        "n_mels": config.mels,
        "f_min": config.low_hz,
        "f_max": config.high_hz,
        "mel_scale": "slaney",
        "norm": "slaney",
    }


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("band", [(20.0, None), (300.0, 3400.0)])
def test_log_mel_is_librosas(rate, band):
    config = plain(rate, low_hz=band[0], high_hz=band[1])
    samples = speechlike(rate)
    expected = np.log(np.maximum(librosa_mel(samples, config), config.floor)).T
    np.testing.assert_allclose(alone(config, samples), expected, atol=1e-4)


def test_the_floor_is_the_smallest_energy():
    config = plain(16000, floor=1e-3)
    samples = 0.01 * speechlike(16000)
    expected = np.log(np.maximum(librosa_mel(samples, config), 1e-3)).T
    features = alone(config, samples)
    np.testing.assert_allclose(features, expected, atol=1e-4)
    assert 0.05 < np.mean(features == np.log(np.float32(1e-3))) < 0.95


@pytest.mark.parametrize("rate", RATES)
def test_log_mel_is_torchaudios(rate):
    transforms = torchaudio_transforms()
    config = plain(rate)
    samples = speechlike(rate)
    expected = transforms.MelSpectrogram(rate, **torchaudio_mel(config))(samples).log().T
    np.testing.assert_allclose(alone(config, samples), expected.numpy(), atol=1e-4)


@pytest.mark.parametrize("rate", RATES)
def test_mfcc_is_librosas(rate):
    import librosa

    config = plain(rate, kind="mfcc", coefficients=13)
    samples = speechlike(rate)
    expected = librosa.feature.mfcc(S=np.log(librosa_mel(samples, config)), n_mfcc=13).T
    np.testing.assert_allclose(alone(config, samples), expected, atol=1e-4)


@pytest.mark.parametrize("rate", RATES)
def test_mfcc_is_torchaudios(rate):
    transforms = torchaudio_transforms()
    config = plain(rate, kind="mfcc", coefficients=20)
    samples = speechlike(rate)
    mfcc = transforms.MFCC(rate, n_mfcc=20, log_mels=True, melkwargs=torchaudio_mel(config))
    np.testing.assert_allclose(alone(config, samples), mfcc(samples).T.numpy(), atol=1e-4)


@pytest.mark.parametrize("kind", ["log_mel", "mfcc"])
def test_deltas_are_librosas_and_torchaudios(kind):
    import librosa

    samples = speechlike(16000)
    features = alone(plain(16000, kind=kind, deltas=2), samples)
    statics, first, second = np.split(features, 3, axis=1)
    np.testing.assert_allclose(statics, alone(plain(16000, kind=kind), samples), atol=1e-6)
    np.testing.assert_allclose(
        first, librosa.feature.delta(statics, width=5, axis=0, mode="nearest"), atol=1e-4
    )
    np.testing.assert_allclose(
        second, librosa.feature.delta(first, width=5, axis=0, mode="nearest"), atol=1e-4
    )
    compute = torchaudio_transforms().ComputeDeltas(win_length=5, mode="replicate")
    np.testing.assert_allclose(first, compute(torch.from_numpy(statics.T.copy())).T.numpy(), atol=1e-4)


def test_deltas_by_hand():
    line = torch.arange(6.0)[:, None]
    # Inside a straight line the slope is 1; at the edges the outermost frames are repeated.
    expected = torch.tensor([0.5, 0.8, 1.0, 1.0, 0.8, 0.5])
    torch.testing.assert_close(deltas(line)[:, 0], expected)
    assert deltas(torch.ones(1, 2)).tolist() == [[0.0, 0.0]]


def test_dct_is_orthonormal():
    matrix = dct(40, 40)
    torch.testing.assert_close(matrix.T @ matrix, torch.eye(40), atol=1e-6, rtol=0)
    torch.testing.assert_close(dct(40, 13), matrix[:, :13])


def test_mel_filters_are_librosas_and_have_unit_area():
    import librosa

    filters = mel_filters(16000, 2048, 40, 50.0, 7600.0)
    expected = librosa.filters.mel(sr=16000, n_fft=2048, n_mels=40, fmin=50.0, fmax=7600.0).T
    np.testing.assert_allclose(filters.numpy(), expected, atol=1e-7)
    area = filters.sum(dim=0) * 16000 / 2048
    torch.testing.assert_close(area, torch.ones(40), atol=0.02, rtol=0)
    assert hz_to_mel(1000.0) == 15
    assert hz_to_mel(6400.0) == pytest.approx(42)


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("speed", [0.5, 0.8, 0.9, 0.98, 1.025, 1.1, 1.25, 2.0])
def test_another_speed_is_that_of_resampled_samples(rate, speed):
    import soxr

    config = plain(rate, high_hz=0.4 * rate * min(speed, 1.0))  # slower, there is nothing to hear above
    samples = speechlike(rate, 4.0)
    samples[rate : 2 * rate] *= 0.01
    resampled = torch.from_numpy(soxr.resample(samples.numpy(), speed, 1.0, quality="VHQ"))
    found, expected = Features(config).of(samples, speed), Features(config).of(resampled)
    assert found.shape == expected.shape
    differences = (found - expected)[2:-2]
    # Where the filters are narrow, a band has one bin more or less at another speed; all others agree.
    assert differences.abs().mean() < 0.08 and differences[:, 20:].abs().mean() < 0.05
    assert differences.mean().abs() < 0.03


def test_a_tone_at_another_speed_is_higher():
    config = FeatureConfig(normalize="none")
    tone = torch.sin(2 * torch.pi * 1000 * torch.arange(32000) / 16000)
    for speed in (0.9, 1.1):
        higher = torch.sin(2 * torch.pi * 1000 * speed * torch.arange(round(32000 / speed)) / 16000)
        found, expected = Features(config).of(tone, speed), Features(config).of(higher)
        assert len(found) == len(expected) == 1 + int(32000 / speed) // 160
        loudest = int(expected.mean(0).argmax())
        assert int(found.mean(0).argmax()) == loudest
        torch.testing.assert_close(found[5:-5, loudest], expected[5:-5, loudest], atol=0.2, rtol=0)


CONFIGS = [
    FeatureConfig(),
    FeatureConfig(kind="mfcc", deltas=2),
    FeatureConfig(deltas=1, normalize="none"),
    FeatureConfig(sample_rate=8000, mels=40, deltas=2),
    FeatureConfig(mels=40, normalize="speech", noise_floor_db=25.0),
]


def batch_of(lengths: list[int], seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    # What lies past a length is loud, so that looking at it would show.
    samples = 10 * torch.randn(len(lengths), max(lengths), generator=generator)
    for row, length in enumerate(lengths):
        samples[row, :length] *= 0.01 / (row + 1)
    return samples, torch.tensor(lengths)


@pytest.mark.parametrize("config", CONFIGS)
def test_a_batch_is_each_utterance_alone(config):
    features = Features(config)
    samples, lengths = batch_of([16000, 333, 15999, 7840, 1, 8000, 160, 2000])
    together, frames = features(samples, lengths)
    assert together.shape == (8, 1 + 16000 // features.hop_samples, features.size)
    assert frames.tolist() == [1 + length // features.hop_samples for length in lengths.tolist()]
    assert frames.dtype == torch.int64
    for row, (length, count) in enumerate(zip(lengths.tolist(), frames.tolist(), strict=True)):
        single, single_frames = features(samples[row : row + 1, :length], lengths[row : row + 1])
        assert single.shape[1] == single_frames.item() == count
        # Over two or three frames the deviation is small, and normalization enlarges rounding.
        tolerance = 1e-5 if count > 5 else 1e-4
        torch.testing.assert_close(together[row, :count], single[0], atol=tolerance, rtol=0)
        assert (together[row, count:] == 0).all()


def test_what_lies_past_a_length_is_not_looked_at_even_if_it_is_no_number():
    features = Features(FeatureConfig())
    samples, lengths = batch_of([8000, 4000])
    expected, _ = features(samples, lengths)
    samples[1, 4000:] = torch.nan
    torch.testing.assert_close(features(samples, lengths)[0], expected, atol=0, rtol=0)


@pytest.mark.parametrize("config", [FeatureConfig(), FeatureConfig(kind="mfcc", deltas=2)])
def test_normalized_features_have_mean_0_and_variance_1_over_valid_frames(config):
    features, frames = Features(config)(*batch_of([16000, 9000]))
    for utterance, count in zip(features, frames.tolist(), strict=True):
        valid = utterance[:count].double()
        assert valid.mean(dim=0).abs().max() < 1e-5
        deviation = valid.std(dim=0, correction=0)
        torch.testing.assert_close(deviation, torch.ones_like(deviation), atol=1e-2, rtol=0)


def test_normalization_keeps_precision_far_from_zero_and_constants_become_zero():
    generator = torch.Generator().manual_seed(0)
    values = torch.randn(500, 3, generator=generator)
    values[:, 2] = -13.815511
    first = values[:, 0].double()
    expected = (first - first.mean()) / first.std(correction=0)
    shifted = values + torch.tensor([0.0, 4096.0, 0.0])
    normalized = normalize(shifted)
    torch.testing.assert_close(normalized[:, 0].double(), expected, atol=1e-4, rtol=0)
    assert normalized[:, 1].std() == pytest.approx(1, abs=1e-2)
    assert (normalized[:, 2] == 0).all()


@pytest.mark.parametrize("config", CONFIGS)
def test_digital_silence_gives_finite_features(config):
    features, _ = Features(config)(torch.zeros(1, 4000), torch.tensor([4000]))
    assert features.isfinite().all()
    if config.normalize == "utterance":
        assert (features == 0).all()


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16, torch.float64])
def test_every_float_type_is_computed_in_single_precision(kind):
    features = Features(FeatureConfig())
    samples, lengths = batch_of([8000, 4000])
    samples = samples.to(kind)
    result, _ = features(samples, lengths)
    assert result.dtype == torch.float32
    torch.testing.assert_close(result, features(samples.float(), lengths)[0], atol=0, rtol=0)


def test_neither_a_half_precision_model_nor_autocast_changes_features():
    samples, lengths = batch_of([8000, 4000])
    features = Features(FeatureConfig(kind="mfcc"))
    expected, _ = features(samples, lengths)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        torch.testing.assert_close(features(samples, lengths)[0], expected, atol=0, rtol=0)
    torch.testing.assert_close(features.half()(samples, lengths)[0], expected, atol=0, rtol=0)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_gives_the_same_features():
    samples, lengths = batch_of([16000, 7000])
    features = Features(FeatureConfig(kind="mfcc", deltas=2))
    expected, _ = features(samples, lengths)
    result, frames = features.cuda()(samples.cuda(), lengths)
    assert frames.device.type == "cuda"
    torch.testing.assert_close(result.cpu(), expected, atol=1e-3, rtol=0)


def test_constants_are_no_weights():
    assert Features(FeatureConfig(kind="mfcc")).state_dict() == {}


def test_sizes_and_times():
    features = Features(FeatureConfig(kind="mfcc", coefficients=13, deltas=2))
    assert features.size == 39
    assert features.seconds_per_frame == 0.01
    assert features.frames(16000) == 101
    assert features.frames(torch.tensor([0, 159, 160])).tolist() == [1, 1, 2]
    assert Features(FeatureConfig(sample_rate=11025)).seconds_per_frame == pytest.approx(110 / 11025)


@pytest.mark.parametrize(
    ("samples", "lengths", "message"),
    [
        (torch.zeros(1000), torch.tensor([1000]), r"\[batch, samples\], found torch.float32 \[1000\]"),
        (torch.zeros(1, 1000, dtype=torch.int16), torch.tensor([1000]), "found torch.int16"),
        (torch.zeros(2, 1000), torch.tensor([1000]), r"lengths \[2\]"),
        (torch.zeros(1, 1000), torch.tensor([1000.0]), "integer lengths"),
        (
            torch.zeros(2, 1000),
            torch.tensor([1000, 0]),
            "row 1 has length 0; .* between 1 and the 1000 samples",
        ),
        (torch.zeros(1, 1000), torch.tensor([1001]), "row 0 has length 1001"),
    ],
)
def test_batches_that_are_refused(samples, lengths, message):
    with pytest.raises(FeatureError, match=message):
        Features(FeatureConfig())(samples, lengths)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"high_hz": 9000.0}, "at most half of sample_rate, 8000"),
        ({"low_hz": 4000.0, "high_hz": 4000.0}, "low_hz 4000 must be below high_hz 4000"),
        ({"hop_ms": 30.0}, "hop_ms 30 must be .* at most window_ms 25"),
        ({"hop_ms": 0.01}, "at least one sample"),
        ({"kind": "mfcc", "mels": 10}, "13 coefficients cannot come of 10 mels"),
    ],
)
def test_settings_that_contradict_each_other(settings, message):
    with pytest.raises(FeatureError, match=message):
        Features(FeatureConfig(**settings))


def test_mel_filters_too_narrow_for_the_spectrum_are_logged(caplog):
    Features(FeatureConfig(sample_rate=8000, mels=300))
    assert "stay empty" in caplog.text
    caplog.clear()
    Features(FeatureConfig())
    assert caplog.text == ""
