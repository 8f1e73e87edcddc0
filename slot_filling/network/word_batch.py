"""A padded batch of sentences as the network reads it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

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
    lengths = [len(sentence.words) for sentence in encoded]
    longest = max((1, *(sentence.characters.shape[1] for sentence in encoded)))
    # The first row is all padding, and `np.unique` sorts it first.
    spelled = np.zeros((1 + sum(lengths), longest), np.int64)
    row = 1
    for sentence, length in zip(encoded, lengths, strict=True):
        spelled[row : row + length, : sentence.characters.shape[1]] = sentence.characters
        row += length
    spellings, forms = np.unique(spelled, axis=0, return_inverse=True)
    numbers = torch.from_numpy(forms.reshape(-1)[1:]).split(lengths)

    def side_by_side(name: str) -> Tensor:
        return pad_sequence([torch.from_numpy(getattr(each, name)) for each in encoded], batch_first=True)

    return WordBatch(
        words=side_by_side("words"),
        shapes=side_by_side("shapes"),
        digits=side_by_side("digits"),
        forms=pad_sequence(numbers, batch_first=True),
        characters=torch.from_numpy(spellings),
        lengths=torch.tensor(lengths),
    )
