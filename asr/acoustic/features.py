"""Spectral features as one torch module: log-mel or MFCC, deltas, normalization; padding never changes a result."""

import logging
import math
from collections.abc import Callable
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from asr.acoustic.speech_frames import (
    add_floor,
    floor_shape,
    level_weights,
    normalize_speech,
    speech_frames,
)
from asr.config import FeatureConfig
from sluice_core.errors import UserError

log = logging.getLogger(__name__)

_CONSTANTS = ("window", "filters", "transform", "level_weights", "floor_shape")


class FeatureError(UserError):
    """Feature settings contradict each other, or features cannot be computed of a batch."""


class Features(nn.Module):
    """Computes features of utterances, on any device; padding never changes a result.

    Each utterance is taken to lie in endless silence: frame *t* is centred on sample `t * hop`, and samples before the
    first and past the last are zero. Frames are multiplied by a periodic Hann window, padded to the next power of two,
    and squared in the frequency domain. Triangular filters of unit area on Slaney's mel scale give mel energies, which
    are clamped to at least `config.floor` before the natural logarithm. `kind: mfcc` takes the first coefficients of
    their orthonormal DCT-II (Davis and Mermelstein 1980). Deltas (`deltas`) and normalization (`normalize`) follow.
    Statistics over speech alone and a noise floor relative to speech are those of `asr.acoustic.speech_frames`.

    Everything is computed in float32, whatever the type of the input or of autocast. The constants are not part of the
    weights.

    Attributes:
        size: the number of features of one frame.

    Example:
        >>> features, lengths = Features(FeatureConfig())(torch.zeros(1, 16000), torch.tensor([16000]))
        >>> tuple(features.shape), lengths.tolist()
        ((1, 101, 80), [101])
    """

    window: Tensor
    filters: Tensor
    transform: Tensor
    level_weights: Tensor
    floor_shape: Tensor

    def __init__(self, config: FeatureConfig):
        super().__init__()
        self.config = config
        self.hop_samples = round(config.sample_rate * config.hop_ms / 1000)
        self.window_samples = round(config.sample_rate * config.window_ms / 1000)
        _check(config, self.hop_samples, self.window_samples)
        window, filters = self._analysis(self.window_samples)
        if empty := int((filters.amax(dim=0) == 0).sum()):
            log.warning(
                "%d of %d mel filters are narrower than the spectrum's bins (%.0f Hz) and stay empty; "
                "fewer mels or a longer window would fill them",
                *(empty, config.mels, config.sample_rate / _fft_samples(self.window_samples)),
            )
        statics = config.mels if config.kind == "log_mel" else config.coefficients
        self.size = statics * (1 + config.deltas)
        self.register_buffer("window", window, persistent=False)
        self.register_buffer("filters", filters, persistent=False)
        self.register_buffer("transform", dct(config.mels, statics), persistent=False)
        centres_hz = mel_edges(config)[1:-1].float()
        self.register_buffer("level_weights", level_weights(centres_hz), persistent=False)
        self.register_buffer("floor_shape", floor_shape(centres_hz), persistent=False)
        self._faster: dict[int, tuple[Tensor, Tensor]] = {}  # windows and filters of other speeds

    @property
    def seconds_per_frame(self) -> float:
        """The time from the centre of one frame to that of the next."""
        return self.hop_samples / self.config.sample_rate

    def frames(self, lengths: Any) -> Any:
        """Return the number of frames, `1 + lengths // hop`, of so many samples (an int or a tensor of ints)."""
        return 1 + lengths // self.hop_samples

    def forward(self, samples: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Compute the features of a batch.

        Args:
            samples: `[batch, samples]` of any float type; samples past a length are not read.
            lengths: `[batch]` integers, the number of samples of each utterance, at least 1.

        Returns:
            Features `[batch, time, size]` float32, zero past each length, and lengths `[batch]` in frames.

        Raises:
            FeatureError: a shape or type is wrong, or a length is not between 1 and the number of samples.
        """
        _check_batch(samples, lengths)
        # One after another, since the spectrum of one utterance fits a processor's cache, and none is padding.
        features = [self.of(row[:length]) for row, length in zip(samples, lengths.tolist(), strict=True)]
        return pad_sequence(features, batch_first=True), self.frames(lengths.to(samples.device))

    def of(self, samples: Tensor, speed: float = 1.0) -> Tensor:
        """Compute the features `[time, size]` float32 of one utterance; arguments as in `energies`."""
        with torch.autocast(samples.device.type, enabled=False):
            return self.finish(self.energies(samples, speed))

    def power(self, samples: Tensor, centres: Tensor | None = None) -> Tensor:
        """Compute the power spectra of one utterance, which filters turn into mel energies.

        Args:
            samples: `[samples]` of any float type, at least one.
            centres: `[time]` int64, the samples that frames are centred on; one each hop if not given.

        Returns:
            `[time, 2 * bins]` float32, squares of real and imaginary parts side by side, for `filters`.
        """
        return self._power(samples, self.window, centres)

    def energies(self, samples: Tensor, speed: float = 1.0) -> Tensor:
        """Compute the mel energies of one utterance, where augmentation costs least.

        Played faster, a recording is shorter and higher (Ko et al. 2015). Its spectra are those of the recording as
        it is, in windows that are farther apart and longer, with frequencies that count as higher: the same as if
        samples were resampled first, without that work.

        Args:
            samples: `[samples]` of any float type, at least one.
            speed: the factor of tempo and pitch, rounded so that the window is a whole number of samples.

        Returns:
            `[time, mels]` float32, one frame for each hop at that speed.
        """
        width = max(1, round(self.window_samples * speed))
        speed = width / self.window_samples
        if speed != 1 and width not in self._faster:
            self._faster[width] = self._analysis(width)
        window, filters = (self.window, self.filters) if speed == 1 else self._faster[width]
        centres = None
        if speed != 1:
            frames = torch.arange(self.frames(int(len(samples) / speed)), device=samples.device)
            centres = frames.mul(self.hop_samples * speed).round().long()
        return self._power(samples, window, centres) @ filters.to(samples.device)

    def _power(self, samples: Tensor, window: Tensor, centres: Tensor | None) -> Tensor:
        width = len(window)
        fft_samples = _fft_samples(width)
        before = fft_samples // 2 - (fft_samples - width) // 2
        padded = nn.functional.pad(samples.float(), (before, width - before))
        if centres is None:
            frames = padded.as_strided((self.frames(len(samples)), width), (self.hop_samples, 1))
        else:
            frames = padded.unfold(0, width, 1)[centres]
        spectrum = torch.fft.rfft(frames * window.to(samples.device), n=fft_samples)
        # Squares of real and imaginary parts side by side, summed by the filters.
        return torch.view_as_real(spectrum).flatten(1).square()

    def finish(self, energies: Tensor, among: Tensor | None = None) -> Tensor:
        """Return the features `[time, size]` of mel energies `[time, mels]`, which are not kept.

        Speech is looked for among some frames `[time]` bool, if they are given and have any.
        """
        config, speech = self.config, None
        if config.noise_floor_db is not None or config.normalize == "speech":
            speech = speech_frames(energies, self.level_weights, config.floor)
            if among is not None and among.any():
                both = speech & among
                speech = both if both.any() else among
            if config.noise_floor_db is not None:
                add_floor(energies, speech, self.floor_shape, self.level_weights, config.noise_floor_db)
        statics = energies.clamp_(min=config.floor).log_()
        if config.kind == "mfcc":
            statics = statics @ self.transform
        streams = [statics]
        for _ in range(config.deltas):
            streams.append(deltas(streams[-1]))
        features = torch.cat(streams, dim=1) if len(streams) > 1 else statics
        if config.normalize == "speech":
            assert speech is not None
            return normalize_speech(features, speech)
        return normalize(features) if config.normalize == "utterance" else features

    def _analysis(self, width: int) -> tuple[Tensor, Tensor]:
        """Return a window of `width` samples, and filters `[2 * bins, mels]` that hear it at its speed."""
        config, speed, fft_samples = self.config, width / self.window_samples, _fft_samples(width)
        filters = mel_filters(
            config.sample_rate, fft_samples, config.mels, config.low_hz, config.high_hz, speed=speed
        )
        # A longer window holds more energy, in more bins if its transform is longer: per Hz of what is heard, as much.
        filters *= _fft_samples(self.window_samples) / fft_samples / speed
        return torch.hann_window(width, periodic=True), filters.repeat_interleave(2, dim=0)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        """Apply a conversion of the module; the constants follow it to a device but stay float32 in half precision."""
        kept = {name: getattr(self, name) for name in _CONSTANTS}
        super()._apply(fn, recurse)
        for name, constant in kept.items():
            setattr(self, name, constant.to(getattr(self, name).device))
        return self


def normalize(features: Tensor, epsilon: float = 1e-5) -> Tensor:
    """Normalize each feature `[time, size]` of an utterance to mean 0 and variance 1.

    Two passes over values relative to the first frame keep precision where there is a large constant offset, and turn
    a feature that never changes to exactly zero. `epsilon` is added to the variance.
    """
    shifted = features - features[:1]
    centred = shifted - shifted.mean(dim=0)
    return centred * torch.rsqrt(centred.square().mean(dim=0) + epsilon)


def deltas(features: Tensor, window: int = 2) -> Tensor:
    """Return the slopes of features `[time, size]` over time by regression (Young et al., The HTK Book, section 5.9).

    `d[t] = sum(k * (c[t + k] - c[t - k])) / (2 * sum(k ** 2))` over k = 1 … `window`, the number of frames on each
    side. The first frame is repeated before the beginning, the last one after the end.
    """
    time = len(features)
    steps = torch.arange(-window, time + window, device=features.device).clamp(0, time - 1)
    padded = features[steps]
    slopes = torch.zeros_like(features)
    for k in range(1, window + 1):
        later, earlier = padded[window + k :][:time], padded[window - k :][:time]
        slopes += k * (later - earlier)
    return slopes / (2 * sum(k * k for k in range(1, window + 1)))


def dct(inputs: int, outputs: int) -> Tensor:
    """Return the orthonormal DCT-II as a matrix `[inputs, outputs]`, to multiply by from the right."""
    n = torch.arange(inputs, dtype=torch.float64).unsqueeze(1)
    k = torch.arange(outputs, dtype=torch.float64)
    matrix = torch.cos(math.pi / inputs * (n + 0.5) * k) * math.sqrt(2 / inputs)
    matrix[:, 0] /= math.sqrt(2)
    return matrix.float()


def mel_filters(
    sample_rate: int,
    fft_samples: int,
    mels: int,
    low_hz: float = 0.0,
    high_hz: float | None = None,
    *,
    speed: float = 1.0,
) -> Tensor:
    """Return triangular filters of unit area, evenly spaced on Slaney's mel scale: `[bins, mels]` float32.

    The scale (Slaney, Auditory Toolbox, 1998; the default of librosa) is linear up to 1 kHz, with 200/3 Hz to the mel,
    and logarithmic above, with 27 mels to a factor of 6.4. Played at another speed, the frequency of each bin is that
    many times as high; what would then lie above half the sample rate is not heard.
    """
    heard_hz = speed * torch.linspace(0, sample_rate / 2, fft_samples // 2 + 1, dtype=torch.float64)
    return triangles(heard_hz, _mel_edges(sample_rate, mels, low_hz, high_hz))


def triangles(heard_hz: Tensor, edges_hz: Tensor) -> Tensor:
    """Return triangular filters of unit area `[bins, bands]` float32.

    Args:
        heard_hz: the frequency `[bins]` float64 that each bin counts for.
        edges_hz: where bands begin, peak and end, `[bands + 2]` float64.
    """
    bins = heard_hz.unsqueeze(1)
    low, centre, high = edges_hz[:-2], edges_hz[1:-1], edges_hz[2:]
    rising, falling = (bins - low) / (centre - low), (high - bins) / (high - centre)
    return (torch.minimum(rising, falling).clamp(min=0) * 2 / (high - low)).float()


def mel_edges(config: FeatureConfig) -> Tensor:
    """Return where the bands begin, peak and end, `[mels + 2]` float64 in Hz; the first begins at 0 and ends at 2."""
    return _mel_edges(config.sample_rate, config.mels, config.low_hz, config.high_hz)


def _mel_edges(sample_rate: int, mels: int, low_hz: float, high_hz: float | None) -> Tensor:
    edges_mel = torch.linspace(
        hz_to_mel(low_hz), hz_to_mel(high_hz or sample_rate / 2), mels + 2, dtype=torch.float64
    )
    linear_hz = edges_mel * (200 / 3)
    return torch.where(edges_mel < 15, linear_hz, 1000 * torch.exp((edges_mel - 15) * math.log(6.4) / 27))


def hz_to_mel(hz: float) -> float:
    """Convert a frequency to Slaney's mel scale.

    Example:
        >>> hz_to_mel(1000)
        15.0
    """
    return hz * 3 / 200 if hz < 1000 else 15 + math.log(hz / 1000) * 27 / math.log(6.4)


def _fft_samples(width: int) -> int:
    """Return the length of the transform of a window: the next power of two."""
    return 1 << (width - 1).bit_length()


def _check(config: FeatureConfig, hop_samples: int, window_samples: int) -> None:
    nyquist = config.sample_rate / 2
    high_hz = config.high_hz or nyquist
    if not config.low_hz < high_hz <= nyquist:
        raise FeatureError(
            f"features: low_hz {config.low_hz:g} must be below high_hz {high_hz:g}, and that at most half of "
            f"sample_rate, {nyquist:g}"
        )
    if not 1 <= hop_samples <= window_samples:
        raise FeatureError(
            f"features: hop_ms {config.hop_ms:g} must be at least one sample and at most window_ms "
            f"{config.window_ms:g}, or samples would be skipped"
        )
    if config.kind == "mfcc" and config.coefficients > config.mels:
        raise FeatureError(
            f"features: {config.coefficients} coefficients cannot come of {config.mels} mels; "
            "lower coefficients or raise mels"
        )


def _check_batch(samples: Tensor, lengths: Tensor) -> None:
    if samples.dim() != 2 or not samples.is_floating_point():
        raise FeatureError(
            f"features: expected float samples [batch, samples], found {samples.dtype} {list(samples.shape)}"
        )
    if lengths.shape != samples.shape[:1] or lengths.is_floating_point():
        raise FeatureError(
            f"features: expected integer lengths [{len(samples)}], one for each row of samples, "
            f"found {lengths.dtype} {list(lengths.shape)}"
        )
    wrong = ((lengths < 1) | (lengths > samples.shape[1])).nonzero().flatten().tolist()
    if wrong:
        raise FeatureError(
            f"features: row {wrong[0]} has length {int(lengths[wrong[0]])}; lengths must lie between 1 and "
            f"the {samples.shape[1]} samples of the batch"
        )
