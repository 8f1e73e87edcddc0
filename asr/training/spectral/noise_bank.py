"""Noise as mel energies, computed once: circles of which each utterance gets a piece, coloured anew."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from asr.acoustic.features import Features
from asr.audio.reading import audio_info, read_audio
from asr.spectral_config import NoiseKind
from asr.training.augmentation import NOISE_COLOURS, generate_noise, speech_level
from asr.training.spectral.channel import draw_curve
from asr.training.spectral.clatter import clatter
from asr.training.spectral.tones import tones

CIRCLE_SECONDS = 45.0
BABBLE_VOICES = (2, 3, 4, 5, 6, 8, 2, 3, 4, 5, 6, 8)
"""There is a circle of babble for each of these numbers of utterances at once."""
GENERATED_CIRCLES = 4
"""There are so many circles of clatter, and of tones."""
MIXED_SHARE = 0.3
"""This share of the pieces has a second one beneath it …"""
BENEATH_DB = 10.0
"""… at most so much quieter."""
FILE_SECONDS = 600.0
"""The beginning of each file of noise that is used, at most."""
CURVE_DB = 8.0
"""The spectrum of a piece is changed by at most so many decibels up or down …"""
SWELL_DB = (-10.0, 3.0)
"""… and its level over time is changed within this range …"""
SWELL_SHARE = 0.3
"""… for this share of the pieces."""
SWELLS = 8


class NoiseBank:
    """Circles of noise of each kind, as mel energies of level 1."""

    def __init__(
        self,
        kinds: dict[NoiseKind, float],
        features: Features,
        utterance: Callable[[np.random.Generator], np.ndarray],
        files: Sequence[Path],
        seed: int,
    ) -> None:
        """Prepare the circles.

        Args:
            kinds: how often each kind is drawn.
            features: what computes energies.
            utterance: draws samples `[samples]` of an utterance, for babble.
            files: recordings of noise, for the kind `files`.
            seed: the seed of what is generated.
        """
        self._features, self._utterance, self._files = features, utterance, files
        self._count = round(CIRCLE_SECONDS * features.config.sample_rate)
        total = sum(kinds.values())
        self._kinds, self._shares = list(kinds), [share / total for share in kinds.values()]
        makers: dict[NoiseKind, Callable[[np.random.Generator], list[np.ndarray]]] = {
            "coloured": self._coloured,
            "babble": self._babble,
            "clatter": partial(self._generated, clatter),
            "tones": partial(self._generated, tones),
            "files": self._recorded,
        }
        self.circles: dict[NoiseKind, list[Tensor]] = {
            kind: [self._energies(samples) for samples in makers[kind](np.random.default_rng(seed))]
            for kind in self._kinds
        }

    def draw(self, frames: int, generator: np.random.Generator) -> Tensor:
        """Draw a piece of noise: mel energies `[frames, mels]` of level 1."""
        piece = self._piece(frames, generator)
        if generator.random() < MIXED_SHARE:
            beneath = 10 ** (-generator.uniform(0, BENEATH_DB) / 10)
            piece = (piece + beneath * self._piece(frames, generator)) / (1 + beneath)
        return piece

    def _piece(self, frames: int, generator: np.random.Generator) -> Tensor:
        """Draw a piece of one kind of noise, coloured anew: mel energies `[frames, mels]` of level 1."""
        circles = self.circles[self._kinds[generator.choice(len(self._kinds), p=self._shares)]]
        circle = circles[generator.integers(len(circles))]
        first = int(generator.integers(len(circle)))
        piece = circle[(torch.arange(frames) + first) % len(circle)]
        factors = torch.from_numpy(draw_curve(piece.shape[1], CURVE_DB, generator)).float()
        piece = piece * factors
        if generator.random() < SWELL_SHARE:
            swells = 10 ** (generator.uniform(*SWELL_DB, SWELLS) / 10)
            gains = np.interp(np.linspace(0, 1, frames), np.linspace(0, 1, SWELLS), swells)
            piece = piece * torch.from_numpy(gains).float().unsqueeze(1)
        level = piece.mean(dim=0) @ self._features.level_weights
        return piece / level.clamp(min=1e-20)

    def _energies(self, samples: np.ndarray) -> Tensor:
        samples = samples / (np.sqrt(np.mean(np.square(samples))) or 1)
        energies = self._features.energies(torch.from_numpy(samples.astype(np.float32)))
        # The first and the last frames reach beyond the samples, into silence.
        return energies[2:-2] if len(energies) > 4 else energies

    def _coloured(self, generator: np.random.Generator) -> list[np.ndarray]:
        rate = self._features.config.sample_rate
        return [generate_noise(self._count, colour, rate, generator) for colour in NOISE_COLOURS]

    def _generated(
        self, generate: Callable[[int, int, np.random.Generator], np.ndarray], generator: np.random.Generator
    ) -> list[np.ndarray]:
        rate = self._features.config.sample_rate
        return [generate(self._count, rate, generator) for _ in range(GENERATED_CIRCLES)]

    def _babble(self, generator: np.random.Generator) -> list[np.ndarray]:
        return [
            np.stack([self._talk(generator) for _ in range(voices)]).sum(axis=0) for voices in BABBLE_VOICES
        ]

    def _talk(self, generator: np.random.Generator) -> np.ndarray:
        """Return one voice after another, without pause, as long as a circle, all as loud."""
        pieces, count = [], 0
        while count < self._count:
            samples = self._utterance(generator)
            level = speech_level(samples, self._features.config.sample_rate)
            pieces.append(samples / np.float32(level or 1))
            count += max(len(samples), 1)
        return np.concatenate(pieces)[: self._count]

    def _recorded(self, generator: np.random.Generator) -> list[np.ndarray]:
        rate = self._features.config.sample_rate
        return [
            read_audio(file, rate, end_seconds=min(FILE_SECONDS, audio_info(file).duration_seconds))[0]
            for file in self._files
        ]
