"""Augmentation of training audio: noise and gain of samples, their speed, and masks over features."""

from pathlib import Path

import numpy as np
from torch import Tensor

from asr.audio.reading import MIN_SECONDS, AudioInfo, audio_info, find_audio, read_audio
from asr.config import AugmentConfig
from sluice_core.errors import UserError

NOISE_COLOURS = {"white": 0.0, "pink": 0.5, "brown": 1.0}
"""Kinds of generated noise: their amplitude is proportional to the frequency to the power of minus this."""

GENERATED_SAMPLES = 1 << 19
"""Generated noise is a circle of so many samples, whose end goes on into its beginning; half a minute at 16 kHz."""

_LEVEL_FRAME_SECONDS = 0.02
_SILENCE_DB = 30.0  # frames this far below the loudest one are taken for silence
_LOWEST_NOISE_HZ = 50.0  # coloured noise would have most of its energy below, where there is no speech


class AugmentError(UserError):
    """Augmentation settings make no sense."""


class WaveAugmenter:
    """Adds noise to samples, changes their level, and draws the speed at which features are computed.

    Changing the speed changes tempo and pitch together, as a tape does (Ko et al. 2015), noise included. The text must
    still fit the shorter audio, which the caller checks. Noise is added at a signal-to-noise ratio that is measured
    where the utterance is not silent. An utterance that gain or noise takes above full scale is scaled back as a whole.
    """

    def __init__(self, config: AugmentConfig, sample_rate: int):
        """Check the settings, and find the files of noise.

        Args:
            config: The settings; the defaults change nothing.
            sample_rate: The rate of the samples in Hz.

        Raises:
            AugmentError: the settings make no sense.
            AudioError: the folder of noise has no audio.
        """
        _check(config)
        self.config = config
        self.sample_rate = sample_rate
        self.noise_files: list[Path] = []
        self._infos: dict[Path, AudioInfo] = {}
        self._generated: dict[str, np.ndarray] = {}
        wanted = config.noise_probability > 0 or "files" in config.spectral.noise_kinds
        if config.noise_files is not None and wanted:
            self.noise_files = find_audio([config.noise_files])

    def __call__(self, samples: np.ndarray, generator: np.random.Generator) -> np.ndarray:
        """Augment an utterance: float32 `[samples]` become float32 `[other samples]`; the input is kept.

        The same state of `generator` gives the same result.
        """
        config = self.config
        result = samples
        if generator.random() < config.noise_probability:
            noise = self.draw_noise(len(result), generator)
            result = add_noise(result, noise, generator.uniform(*config.noise_snr_db), self.sample_rate)
        if config.gain_db != (0.0, 0.0):
            result = result * np.float32(10 ** (generator.uniform(*config.gain_db) / 20))
        return result if result is samples else _within_full_scale(result)

    def draw_speed(self, generator: np.random.Generator) -> float:
        """Return the factor of tempo and pitch for an utterance, 1 for none."""
        config = self.config
        if config.speed == (1.0, 1.0) or generator.random() >= config.speed_probability:
            return 1.0
        return float(generator.uniform(*config.speed))

    def draw_noise(self, count: int, generator: np.random.Generator) -> np.ndarray:
        """Return `count` samples of noise: from a random place of a random file, or of generated noise.

        What is too short is repeated.
        """
        if not self.noise_files:
            colour = list(NOISE_COLOURS)[generator.integers(len(NOISE_COLOURS))]
            if colour not in self._generated:  # always the same: which part of it is heard differs
                source = np.random.default_rng(0)
                self._generated[colour] = generate_noise(GENERATED_SAMPLES, colour, self.sample_rate, source)
            circle, first = self._generated[colour], int(generator.integers(GENERATED_SAMPLES))
            return np.resize(np.concatenate([circle[first : first + count], circle[:first]]), count)
        path = self.noise_files[generator.integers(len(self.noise_files))]
        if path not in self._infos:
            self._infos[path] = audio_info(path)
        duration = self._infos[path].duration_seconds
        wanted = max(count / self.sample_rate, MIN_SECONDS)
        start = generator.uniform(0, max(duration - wanted, 0))
        end = start + wanted if start + wanted < duration else None
        noise, _ = read_audio(path, self.sample_rate, start_seconds=start, end_seconds=end)
        return np.resize(noise, count)  # repeats or cuts


class SpecAugment:
    """Masks frequencies and times of features: SpecAugment (Park et al. 2019) without time warping.

    Masked features are set to their means over the utterance (0 if features are normalized). Time masks together
    cover at most `time_mask_share` of the frames.
    """

    def __init__(self, config: AugmentConfig, streams: int = 1):
        """Check the settings.

        Args:
            config: The settings.
            streams: How many blocks of equal size (statics, deltas, …) features consist of; the same bins are
                masked in all.

        Raises:
            AugmentError: the settings make no sense.
        """
        _check(config)
        self.config = config
        self.streams = streams

    def __call__(self, features: Tensor, generator: np.random.Generator) -> Tensor:
        """Mask the frames `[time, features]` of an utterance; the input is kept."""
        frequency, time = self.draw(features.shape[0], features.shape[1] // self.streams, generator)
        if not (frequency or time):
            return features
        means = features.mean(dim=0)
        result = features.clone()
        for first, last in frequency:
            blocks = result.view(len(result), self.streams, -1)
            blocks[:, :, first:last] = means.view(self.streams, -1)[:, first:last]
        for first, last in time:
            result[first:last] = means
        return result

    def draw(
        self, frames: int, bins: int, generator: np.random.Generator
    ) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
        """Draw frequency masks and time masks, each as its first index and the one after its last."""
        config = self.config
        frequency = [
            _draw_mask(bins, min(config.frequency_mask_bins, bins), generator)
            for _ in range(config.frequency_masks)
        ]
        time, left = [], int(config.time_mask_share * frames)
        for _ in range(config.time_masks):
            first, last = _draw_mask(frames, min(config.time_mask_frames, left), generator)
            left -= last - first
            time.append((first, last))
        return frequency, time


def add_noise(samples: np.ndarray, noise: np.ndarray, snr_db: float, sample_rate: int) -> np.ndarray:
    """Add noise `[samples]` at a level `snr_db` below the speech; nothing is added if either is silent."""
    level, noise_level = speech_level(samples, sample_rate), float(np.sqrt(np.mean(np.square(noise))))
    if level == 0 or noise_level == 0:
        return samples
    return samples + noise * np.float32(level / noise_level * 10 ** (-snr_db / 20))


def speech_level(samples: np.ndarray, sample_rate: int) -> float:
    """Return the level of what is not silent: the root mean square of the 20 ms frames within 30 dB of the loudest."""
    frame = max(round(_LEVEL_FRAME_SECONDS * sample_rate), 1)
    whole = len(samples) // frame * frame
    if whole == 0:
        return float(np.sqrt(np.mean(np.square(samples))))
    energies = np.square(samples[:whole].reshape(-1, frame)).mean(axis=1)
    return float(np.sqrt(energies[energies >= energies.max() * 10 ** (-_SILENCE_DB / 10)].mean()))


def generate_noise(count: int, colour: str, sample_rate: int, generator: np.random.Generator) -> np.ndarray:
    """Generate `count` samples of "white", "pink" or "brown" noise above 50 Hz, root mean square 1, float32."""
    size = 1 << max(count - 1, 1).bit_length()  # a fast transform; the surplus is cut off
    hz = np.fft.rfftfreq(size, 1 / sample_rate).astype(np.float32)
    heard = hz >= _LOWEST_NOISE_HZ
    amplitude = np.where(heard, np.maximum(hz, 1.0) ** -NOISE_COLOURS[colour], 0).astype(np.float32)
    phases = generator.standard_normal((2, len(hz)), dtype=np.float32)
    noise = np.fft.irfft((phases[0] + 1j * phases[1]) * amplitude, size)[:count]
    return (noise / np.sqrt(np.mean(np.square(noise)))).astype(np.float32)


def _draw_mask(size: int, widest: int, generator: np.random.Generator) -> tuple[int, int]:
    """Draw a mask's first index and the one after its last."""
    width = int(generator.integers(0, widest + 1))
    first = int(generator.integers(0, size - width + 1))
    return first, first + width


def _within_full_scale(samples: np.ndarray) -> np.ndarray:
    """Scale samples down if their peak is above 1."""
    peak = float(np.abs(samples).max(initial=0.0))
    return samples if peak <= 1 else samples / np.float32(peak)


def _check(config: AugmentConfig) -> None:
    """Check the settings that pydantic cannot check one by one.

    Raises:
        AugmentError: a range is backwards, or a speed is out of bounds.
    """
    for name in ("speed", "gain_db", "noise_snr_db"):
        low, high = getattr(config, name)
        if low > high:
            raise AugmentError(f"augment.{name}: the range {low:g} to {high:g} is backwards")
    if not 0.5 <= config.speed[0] <= config.speed[1] <= 2:
        raise AugmentError(
            "augment.speed: factors must lie between 0.5 and 2, "
            f"not {config.speed[0]:g} to {config.speed[1]:g}"
        )
    if config.spectral.active and config.speed != (1.0, 1.0):
        raise AugmentError(
            "augment: speed changes tempo and pitch together, spectral.tempo and spectral.vocal_tract each alone; "
            "leave speed at [1, 1] with spectral settings"
        )
