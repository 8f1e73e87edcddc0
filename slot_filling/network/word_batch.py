"""A padded batch of sentences as the network reads it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from slot_filling.vocabulary import Encoded


@dataclass(frozen=True)
class WordBatch:
    """A padded batch of sentences as numbers; all are zero past the sentences' lengths."""

    words: Tensor
    """`[batch, time]` int64."""
    shapes: Tensor
    """`[batch, time]` int64: how capitals, digits and signs are mixed."""
    digits: Tensor
    """`[batch, time]` int64: what kind of number a word may be."""
    forms: Tensor
    """`[batch, time]` int64: the row of `characters` that holds the spelling of each word."""
    characters: Tensor
    """`[forms, longest]` int64: the characters of each distinct word of the batch; row 0 is all padding."""
    lengths: Tensor
    """`[batch]` int64 words."""

    def to(self, device: torch.device) -> "WordBatch":
        """Return the same batch on a device."""
        return replace(self, **{name: tensor.to(device) for name, tensor in vars(self).items()})


def word_batch(encoded: Sequence[Encoded]) -> WordBatch:
    """Pad encoded sentences into a batch, in which each distinct spelling is kept once, since many words repeat."""
    lengths = np.array([len(sentence.words) for sentence in encoded], np.int64)
    forms, spellings = _distinct(encoded, int(lengths.sum()))
    return WordBatch(
        words=side_by_side([each.words for each in encoded], lengths),
        shapes=side_by_side([each.shapes for each in encoded], lengths),
        digits=side_by_side([each.digits for each in encoded], lengths),
        forms=side_by_side([forms], lengths),
        characters=torch.from_numpy(spellings),
        lengths=torch.from_numpy(lengths),
    )


def side_by_side(numbers: Sequence[NDArray[np.int64]], lengths: NDArray[np.int64]) -> Tensor:
    """Return numbers `[words]` of one sentence after the other as `[batch, time]`, zero past the lengths."""
    inside = np.arange(lengths.max(initial=0)) < lengths[:, None]
    found = np.zeros(inside.shape, np.int64)
    found[inside] = np.concatenate(numbers) if numbers else 0
    return torch.from_numpy(found)


def _distinct(encoded: Sequence[Encoded], words: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the distinct spellings `[forms, longest]`, all padding first, and the row `[words]` of each word's."""
    longest = max((1, *(sentence.characters.shape[1] for sentence in encoded)))
    spelled = np.zeros((1 + words, longest), np.int64)
    row = 1
    for sentence in encoded:
        spelled[row : row + len(sentence.words), : sentence.characters.shape[1]] = sentence.characters
        row += len(sentence.words)
    numbers: dict[bytes, int] = {}
    keys = spelled.view(f"V{spelled.itemsize * longest}")[:, 0].tolist()
    forms = np.array([numbers.setdefault(key, len(numbers)) for key in keys])
    spellings = np.empty((len(numbers), longest), np.int64)
    spellings[forms] = spelled
    return forms[1:], spellings
