"""Augmentation of one utterance in its spectrum, from what is said to what a microphone in a room hears."""

from collections.abc import Callable
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from asr.acoustic.features import Features, mel_edges
from asr.acoustic.speech_frames import floor_shape, speech_frames
from asr.acoustic.vocal_tract import warped_filters
from asr.spectral_config import VOCAL_TRACTS, SpectralConfig
from asr.training.augmentation import AugmentError
from asr.training.spectral.channel import equalize, lose_bands
from asr.training.spectral.noise_bank import NoiseBank
from asr.training.spectral.pauses import add_pauses
from asr.training.spectral.rooms import reverberate
from asr.training.spectral.tempo import draw_centres

TEMPOS = (0.5, 2.0)
WARPS = 31
"""The number of filter banks of vocal tracts, evenly spaced over the logarithm of the factor."""


class SpectralAugmenter:
    """Computes mel energies of an utterance as another voice, in another place, would have made them.

    In the order in which it happens to sound: the length of the vocal tract, tempo, pauses, equalizer, room, the
    loss of bands, noise, a noise floor. All of it but the first spectrum works on mel energies, of which there are few.
    """

    def __init__(
        self,
        config: SpectralConfig,
        features: Features,
        utterance: Callable[[np.random.Generator], np.ndarray],
        noise_files: list[Path],
        seed: int,
    ) -> None:
        """Check the settings; noise is prepared when first needed.

        Args:
            config: the settings.
            features: what computes spectra.
            utterance: draws samples `[samples]` of an utterance of training, for babble.
            noise_files: recordings of noise.
            seed: the seed of generated noise.

        Raises:
            AugmentError: the settings make no sense.
        """
        _check(config, noise_files)
        self.config, self.features = config, features
        self._filters = [warped_filters(features, factor) for factor in warps(*config.vocal_tract)]
        self._centres_hz = mel_edges(features.config)[1:-1].numpy()
        self._floor = floor_shape(torch.from_numpy(self._centres_hz).float())
        self._noise_parts = utterance, noise_files, seed

    def __call__(
        self, samples: np.ndarray, generator: np.random.Generator, fits: Callable[[int], bool]
    ) -> Tensor:
        """Compute augmented mel energies `[time, mels]` of samples `[samples]`, which are kept.

        Args:
            samples: what is said.
            generator: decides; the same state gives the same result.
            fits: says whether the text fits so many frames; if not, the tempo is left as it is.
        """
        config, features = self.config, self.features
        centres = draw_centres(len(samples), features.hop_samples, config, generator)
        if centres is not None and not fits(len(centres)):
            centres = None
        filters = self._filters[generator.integers(len(self._filters))]
        energies = features.power(torch.from_numpy(samples), centres) @ filters
        weights = features.level_weights
        level = energies[speech_frames(energies, weights, features.config.floor)].mean(dim=0) @ weights
        seconds_per_frame = features.seconds_per_frame
        if generator.random() < config.pause_probability:
            energies = add_pauses(energies, config.pause_seconds, seconds_per_frame, generator)
        if generator.random() < config.equalizer_probability:
            energies = equalize(energies, config.equalizer_db, generator)
        if generator.random() < config.room_probability:
            room = config.room_seconds, config.room_direct_db
            energies = reverberate(energies, *room, seconds_per_frame, generator)
        if generator.random() < config.band_probability:
            edges = config.band_low_hz, config.band_high_hz
            energies = lose_bands(energies, self._centres_hz, *edges, generator)
        if generator.random() < config.noise_probability:
            snr_db = generator.uniform(*config.noise_snr_db)
            energies = energies + self._noise.draw(len(energies), generator) * (level * 10 ** (-snr_db / 10))
        if config.floor_db is not None:
            below_db = generator.uniform(*config.floor_db)
            energies = energies + self._floor * (level * 10 ** (-below_db / 10))
        return energies

    @cached_property
    def _noise(self) -> NoiseBank:
        utterance, files, seed = self._noise_parts
        return NoiseBank(self.config.noise_kinds, self.features, utterance, files, seed)


def warps(low: float, high: float) -> list[float]:
    """Return the factors of vocal tracts from the least to the greatest; one if these are 1."""
    if low == high == 1:
        return [1.0]
    return [low * (high / low) ** (number / (WARPS - 1)) for number in range(WARPS)]


def _check(config: SpectralConfig, noise_files: list[Path]) -> None:
    """Check the settings that pydantic cannot check one by one.

    Raises:
        AugmentError: a range is backwards or out of bounds, or files of noise are wanted and there are none.
    """
    for name in ("vocal_tract", "tempo", "room_seconds", "room_direct_db", "noise_snr_db", "floor_db"):
        low, high = getattr(config, name) or (0.0, 0.0)
        if low > high:
            raise AugmentError(f"augment.spectral.{name}: the range {low:g} to {high:g} is backwards")
    for name, (least, most) in {"tempo": TEMPOS, "vocal_tract": VOCAL_TRACTS}.items():
        low, high = getattr(config, name)
        if not least <= low <= high <= most:
            raise AugmentError(
                f"augment.spectral.{name}: factors must lie between {least:g} and {most:g}, not {low:g} to {high:g}"
            )
    if config.room_seconds[0] <= 0:
        raise AugmentError("augment.spectral.room_seconds: a room needs more than 0 seconds to be silent")
    if min(config.noise_kinds.values()) < 0 or sum(config.noise_kinds.values()) <= 0:
        raise AugmentError(
            "augment.spectral.noise_kinds: each kind needs a share of at least 0, one of them more"
        )
    if config.noise_probability and config.noise_kinds.get("files") and not noise_files:
        raise AugmentError(
            "augment.spectral.noise_kinds: files of noise are wanted; give augment.noise_files"
        )
