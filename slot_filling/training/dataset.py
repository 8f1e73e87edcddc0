"""A tagger's training data: sentences made into batches of numbers, some of their words damaged first."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from slot_filling.network.word_batch import WordBatch, side_by_side, word_batch
from slot_filling.sentences import Sentence
from slot_filling.training.noise import Noise
from slot_filling.vocabulary import Encoded, Vocabulary
from sluice_core.training.batching import EpochItem


@dataclass(frozen=True)
class EncodedSentence:
    """One sentence as numbers."""

    item: int
    """Its number in the split."""
    encoded: Encoded
    tags: np.ndarray
    """`[words]` int64."""
    intent: int
    """-1 for none."""


@dataclass(frozen=True)
class SentenceBatch:
    """Sentences side by side, with the tags and intents to learn."""

    items: list[int]
    """The numbers of the sentences."""
    words: WordBatch
    tags: Tensor
    """`[batch, time]` int64, zero past the lengths."""
    intents: Tensor
    """`[batch]` int64, -1 for none."""

    def to(self, device: torch.device) -> "SentenceBatch":
        """Return the same batch on a device."""
        changes: dict[str, Any] = {
            name: getattr(self, name).to(device) for name in ("words", "tags", "intents")
        }
        return replace(self, **changes)


class SentenceDataset(Dataset[EncodedSentence]):
    """The sentences of a split; an item is asked for with its epoch, which decides the damage."""

    def __init__(
        self, sentences: Sequence[Sentence], vocabulary: Vocabulary, noise: Noise | None = None, seed: int = 0
    ) -> None:
        """Set up; sentences are encoded when they are asked for.

        Args:
            sentences: a split of a corpus.
            vocabulary: gives words and labels their numbers.
            noise: damages words, in training.
            seed: decides the damage, with the epoch and the sentence.
        """
        self.sentences, self.vocabulary, self.noise, self.seed = sentences, vocabulary, noise, seed
        self._known: dict[int, EncodedSentence] = {}

    def __len__(self) -> int:
        return len(self.sentences)

    def __getitem__(self, place: EpochItem) -> EncodedSentence:
        epoch, item = place
        encoded = self._known.get(item)
        if encoded is None:
            encoded = self._known[item] = self._encode(item)
        if not self.noise:
            return encoded
        sentence = self.sentences[item]
        words = self.noise.damage(sentence.words, np.random.default_rng([self.seed, epoch, item]))
        return encoded if words == sentence.words else replace(encoded, encoded=self.vocabulary.encode(words))

    def _encode(self, item: int) -> EncodedSentence:
        """Return a sentence undamaged."""
        sentence, vocabulary = self.sentences[item], self.vocabulary
        tags, intent = vocabulary.encode_tags(sentence.tags or ()), vocabulary.encode_intent(sentence.intent)
        return EncodedSentence(item, vocabulary.encode(sentence.words), tags, intent)


def collate_sentences(sentences: Sequence[EncodedSentence]) -> SentenceBatch:
    """Join sentences into a batch."""
    words = word_batch([each.encoded for each in sentences])
    return SentenceBatch(
        [each.item for each in sentences],
        words,
        side_by_side([each.tags for each in sentences], words.lengths.numpy()),
        torch.tensor([each.intent for each in sentences]),
    )
