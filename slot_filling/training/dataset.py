"""Sentences made into batches of numbers; in training, some of their words are damaged first."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from torch.utils.data import Dataset

from slot_filling.network.word_batch import WordBatch, word_batch
from slot_filling.sentences import Sentence
from slot_filling.training.noise import Noise
from slot_filling.vocabulary import Encoded, Vocabulary
from sluice_core.training.batching import EpochItem


@dataclass(frozen=True)
class Example:
    """One sentence as numbers."""

    item: int
    encoded: Encoded
    tags: np.ndarray
    """`[words]` int64."""
    intent: int
    """-1 for none."""


@dataclass(frozen=True)
class Batch:
    """Sentences side by side with what is to be learned of them."""

    items: list[int]
    """The numbers of the sentences."""
    words: WordBatch
    tags: Tensor
    """`[batch, time]` int64, zero past the lengths."""
    intents: Tensor
    """`[batch]` int64, -1 for none."""

    def to(self, device: torch.device) -> "Batch":
        """The same batch on a device."""
        changes: dict[str, Any] = {
            name: getattr(self, name).to(device) for name in ("words", "tags", "intents")
        }
        return replace(self, **changes)


class Examples(Dataset[Example]):
    """Sentences by number; asked for with the epoch, which decides the damage."""

    def __init__(
        self, sentences: Sequence[Sentence], vocabulary: Vocabulary, noise: Noise | None = None, seed: int = 0
    ) -> None:
        """Take over sentences; `noise` is for training alone."""
        self.sentences, self.vocabulary, self.noise, self.seed = sentences, vocabulary, noise, seed
        self._known: dict[int, Example] = {}

    def __len__(self) -> int:
        return len(self.sentences)

    def __getitem__(self, place: EpochItem) -> Example:
        epoch, item = place
        example = self._known.get(item)
        if example is None:
            example = self._known[item] = self._encode(item)
        if not self.noise:
            return example
        sentence = self.sentences[item]
        words = self.noise.damage(sentence.words, np.random.default_rng([self.seed, epoch, item]))
        return example if words == sentence.words else replace(example, encoded=self.vocabulary.encode(words))

    def _encode(self, item: int) -> Example:
        """The sentence as it is."""
        sentence, vocabulary = self.sentences[item], self.vocabulary
        tags, intent = vocabulary.encode_tags(sentence.tags or ()), vocabulary.encode_intent(sentence.intent)
        return Example(item, vocabulary.encode(sentence.words), tags, intent)


def collate(examples: Sequence[Example]) -> Batch:
    """Put examples side by side."""
    return Batch(
        [example.item for example in examples],
        word_batch([example.encoded for example in examples]),
        pad_sequence([torch.from_numpy(example.tags) for example in examples], batch_first=True),
        torch.tensor([example.intent for example in examples]),
    )
