"""A recognizer's training data: utterances made into batches of features and targets, in the data workers."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from asr.acoustic.ctc import required_steps
from asr.acoustic.features import Features
from asr.audio.reading import AudioError
from asr.config import RecognizerConfig
from asr.corpora.utterances import read_utterance
from asr.tokens import Tokens
from asr.training.augmentation import SpecAugment, WaveAugmenter
from asr.training.spectral.augmenter import SpectralAugmenter
from asr.training.word_exchange import WordExchange, load_words
from sluice_core.training.batching import EpochItem

if TYPE_CHECKING:
    from datasets import Dataset as Utterances


KEPT_BYTES = 1 << 29
"""Samples of a corpus that take fewer bytes are kept in memory (in each worker) once they have been read."""


@dataclass(frozen=True)
class EncodedUtterance:
    """One utterance as features and tokens; `error` says why it cannot be read, if it cannot."""

    item: int
    """Its number in the split."""
    features: Tensor
    """`[time, size]` float32."""
    tokens: list[int]
    error: str | None = None
    other: Tensor | None = None
    """The same features with other masks, where training asks for two views (`augment.consistency`)."""


@dataclass(frozen=True)
class UtteranceBatch:
    """Utterances side by side, zero past their lengths; all of them once more where there are two views."""

    items: list[int]
    """The numbers of the utterances, each once."""
    features: Tensor
    """`[batch, time, size]` float32, `batch` being `views` times the number of items."""
    lengths: Tensor
    """`[batch]` int64 frames."""
    targets: Tensor
    """`[batch, longest]` int64 tokens."""
    target_lengths: Tensor
    """`[batch]` int64."""
    errors: list[str]
    """Why utterances that belong to the batch are missing."""

    @property
    def views(self) -> int:
        """Return how often each utterance is there: once or twice."""
        return len(self.lengths) // len(self.items) if self.items else 1

    def parts(self, count: int) -> list["UtteranceBatch"]:
        """Return `count` parts, or as many as there are utterances; each has all views of its own."""
        count = max(1, min(count, len(self.items)))
        return [self._part(torch.arange(start, len(self.items), count)) for start in range(count)]

    def _part(self, rows: Tensor) -> "UtteranceBatch":
        """Return the utterances of some rows, padded no more than they need."""
        both = torch.cat([rows + view * len(self.items) for view in range(self.views)])
        lengths, target_lengths = self.lengths[both], self.target_lengths[both]
        return replace(
            self,
            items=[self.items[row] for row in rows.tolist()],
            features=self.features[both, : int(lengths.max())],
            lengths=lengths,
            targets=self.targets[both, : int(target_lengths.max())],
            target_lengths=target_lengths,
        )

    def to(self, device: torch.device) -> "UtteranceBatch":
        """Return the same batch on a device."""
        tensors = {name: value for name, value in vars(self).items() if isinstance(value, Tensor)}
        moved: dict[str, Any] = {name: tensor.to(device) for name, tensor in tensors.items()}
        return replace(self, **moved)


class UtteranceDataset(Dataset[EncodedUtterance]):
    """The utterances of a split: read, augmented in training, and turned into features.

    An item is asked for with its epoch: these two and the seed decide the augmentation, whichever worker does it.
    """

    def __init__(
        self,
        utterances: "Utterances",
        config: RecognizerConfig,
        tokens: Tokens,
        steps: Callable[[Tensor], Tensor],
        train: bool,
        words: Path | None = None,
    ) -> None:
        """Set up; audio is read when an item is asked for.

        Args:
            utterances: a split of a corpus, as `asr.corpora.load_corpus` returns it.
            config: the settings of the whole experiment.
            tokens: the alphabet; in training every text must be within it.
            steps: gives the steps of posteriors for frames of features (`AcousticModel.steps`).
            train: augment, and refuse texts with characters outside the alphabet.
            words: the file that will say where the words of the utterances are, once they can be exchanged.
        """
        self.utterances, self.config, self.tokens = utterances, config, tokens
        self.steps, self.train = steps, train
        self.words = words
        self.features = Features(config.features)
        seconds = sum(utterances["duration_seconds"])
        self._keep = seconds * config.features.sample_rate * np.float32().nbytes < KEPT_BYTES
        self._kept: dict[int, np.ndarray] = {}
        # A row of a corpus costs more than its features; these columns are what each epoch reads.
        self._texts, self._ids = list(utterances["text"]), list(utterances["id"])
        self.wave_augmenter = WaveAugmenter(config.augment, config.features.sample_rate)
        self.spec_augment = SpecAugment(config.augment, streams=1 + config.features.deltas)
        self.spectral: SpectralAugmenter | None = None
        if config.augment.spectral.active:
            files, seed = self.wave_augmenter.noise_files, config.training.seed
            self.spectral = SpectralAugmenter(
                config.augment.spectral, self.features, self._draw_utterance, files, seed
            )

    def __len__(self) -> int:
        return len(self.utterances)

    def __getitem__(self, epoch_item: EpochItem) -> EncodedUtterance:
        epoch, item = epoch_item
        text, name = self._texts[item], self._ids[item]
        tokens = self.tokens.encode(text, name) if self.train else self.tokens.encode_known(text)
        try:
            samples = self._read(item)
        except AudioError as error:
            return EncodedUtterance(item, torch.zeros(0, self.features.size), tokens, f"{name}: {error}")
        if not self.train or epoch < self.config.augment.start_epoch:
            return EncodedUtterance(item, self._features(samples), tokens)
        generator = np.random.default_rng([self.config.training.seed, epoch, item])
        samples, tokens = self._exchanged(epoch, item, samples, tokens, generator)
        features = self._augmented(samples, tokens, generator)
        masked = self.spec_augment(features, generator)
        other = self.spec_augment(features, generator) if self.config.augment.consistency else None
        return EncodedUtterance(item, masked, tokens, other=other)

    def _augmented(self, samples: np.ndarray, tokens: list[int], generator: np.random.Generator) -> Tensor:
        """Return features `[time, size]` of what becomes of an utterance, long enough for its text."""
        if self.spectral is not None:
            heard = self.wave_augmenter(samples, generator)
            energies = self.spectral(heard, generator, lambda frames: self._fits(frames, tokens))
            return self.features.finish(energies)
        speed = self.wave_augmenter.draw_speed(generator)
        features = self._features(self.wave_augmenter(samples, generator), speed)
        # Sped up, the text may no longer fit.
        return features if self._fits(len(features), tokens) else self._features(samples)

    def _draw_utterance(self, generator: np.random.Generator) -> np.ndarray:
        """Return the samples of an utterance that can be read."""
        for item in generator.permutation(len(self)).tolist():
            with suppress(AudioError):
                return self._read(item)
        raise AudioError("no utterance can be read")

    def _exchanged(
        self, epoch: int, item: int, samples: np.ndarray, tokens: list[int], generator: np.random.Generator
    ) -> tuple[np.ndarray, list[int]]:
        """Return the utterance with words of others in it, if the settings say so, they can be read, and all fits."""
        augment = self.config.augment
        if not augment.exchanges(epoch) or generator.random() >= augment.exchange_probability:
            return samples, tokens
        try:
            exchanged = self._exchange(item, samples, generator)
        except AudioError:  # another utterance's, which is named when its own turn comes
            exchanged = None
        if exchanged is None:
            return samples, tokens
        others, text = exchanged
        other_tokens = self.tokens.encode(text, self._ids[item])
        fits = self._fits(self.features.frames(len(others)), other_tokens)
        return (others, other_tokens) if fits else (samples, tokens)

    @cached_property
    def _exchange(self) -> WordExchange:
        """Return what exchanges words; made when first needed, for the model under training finds the words."""
        assert self.words is not None
        found, rate = load_words(self.words), self.config.features.sample_rate
        share = self.config.augment.exchange_share
        return WordExchange(found, self.utterances["speaker"], share, self._read_part, rate)

    def _fits(self, frames: int, tokens: list[int]) -> bool:
        return int(self.steps(torch.tensor(frames))) >= required_steps(tokens)

    def _read_part(self, item: int, start: int, end: int) -> np.ndarray:
        return self._read(item)[start:end]

    def _read(self, item: int) -> np.ndarray:
        if item in self._kept:
            return self._kept[item]
        samples = read_utterance(self.utterances[item], self.config.features.sample_rate)
        if self._keep:
            self._kept[item] = samples
        return samples

    def _features(self, samples: np.ndarray, speed: float = 1.0) -> Tensor:
        return self.features.of(torch.from_numpy(samples), speed)


def collate_utterances(utterances: Sequence[EncodedUtterance]) -> UtteranceBatch:
    """Join utterances into a batch; those that could not be read leave their message alone."""
    good = [each for each in utterances if each.error is None]
    others = [each.other for each in good if each.other is not None]  # of all, or of none
    pad = torch.nn.utils.rnn.pad_sequence
    features = [each.features for each in good] + others
    targets = [torch.tensor(each.tokens, dtype=torch.int64) for each in good] * (2 if others else 1)
    return UtteranceBatch(
        items=[each.item for each in good],
        features=pad(features, batch_first=True) if good else torch.zeros(0, 0, 0),
        lengths=torch.tensor([len(one) for one in features], dtype=torch.int64),
        targets=pad(targets, batch_first=True) if good else torch.zeros(0, 0, dtype=torch.int64),
        target_lengths=torch.tensor([len(target) for target in targets], dtype=torch.int64),
        errors=[each.error for each in utterances if each.error is not None],
    )
