"""The encoder of words in their context: embeddings, characters, shapes, and recurrent layers over the sentence."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from slot_filling.config import EncoderConfig
from slot_filling.network.character_encoder import CharacterCNN, CharacterLSTM
from slot_filling.network.word_batch import WordBatch
from slot_filling.vocabulary import PADDING, UNKNOWN, Vocabulary
from sluice_cells.dropout import dropout
from sluice_core.masks import padding_mask


class Encoder(nn.Module):
    """Encodes each word of a sentence in its context, as vectors `[batch, time, size]`."""

    hidden_share: Tensor

    def __init__(self, config: EncoderConfig, vocabulary: Vocabulary) -> None:
        """Make an encoder for the words of a vocabulary."""
        super().__init__()
        sizes = vocabulary.sizes
        self.config = config
        self.words = nn.Embedding(sizes["words"], config.word_size, padding_idx=PADDING)
        nn.init.normal_(self.words.weight, std=0.1)
        nn.init.zeros_(self.words.weight.data[PADDING])
        self.register_buffer("hidden_share", _hidden_share(config, vocabulary.counts), persistent=False)
        size = config.word_size
        self.characters: CharacterCNN | CharacterLSTM | None = None
        if config.characters == "cnn":
            self.characters = CharacterCNN(
                sizes["characters"],
                config.character_size,
                config.character_filters,
                tuple(config.character_widths),
            )
        elif config.characters == "lstm":
            self.characters = CharacterLSTM(
                sizes["characters"], config.character_size, config.character_filters
            )
        size += self.characters.size if self.characters else 0
        self.shapes = self.digits = None
        if config.shape_size:
            self.shapes = nn.Embedding(sizes["shapes"], config.shape_size, padding_idx=PADDING)
            self.digits = nn.Embedding(sizes["digits"], config.shape_size, padding_idx=PADDING)
        size += 2 * config.shape_size
        self.stack = config.make_stack(size * config.window, variational=True)
        self.size = self.stack.output_size

    def forward(self, batch: WordBatch) -> Tensor:
        """Return vectors `[batch, time, size]`, zero past each length."""
        return self._drop(self.stack.outputs(self.embed(batch), batch.lengths))

    def embed(self, batch: WordBatch) -> Tensor:
        """Return the input of the recurrent layers, `[batch, time, features]`."""
        features = [self.words(self._hide_words(batch.words))]
        if self.characters is not None:
            features.append(self.characters(batch.characters)[batch.forms])
        if self.shapes is not None and self.digits is not None:
            features += [self.shapes(batch.shapes), self.digits(batch.digits)]
        inside = padding_mask(batch.lengths, batch.words.shape[1])
        vectors = self._drop(torch.cat(features, 2)) * inside[:, :, None]
        return context_windows(vectors, self.config.window) if self.config.window > 1 else vectors

    def _hide_words(self, words: Tensor) -> Tensor:
        """Make some words unknown in training, so that their characters and their context have to serve."""
        if not self.training or not (self.config.word_dropout or self.config.rare_word_dropout):
            return words
        share = self.hidden_share[words] if len(self.hidden_share) else self.config.word_dropout
        hidden = torch.rand(words.shape, device=words.device) < share
        return torch.where(hidden & (words != PADDING), UNKNOWN, words)

    def _drop(self, vectors: Tensor) -> Tensor:
        """Apply variational dropout: one mask for all words of a sentence (Gal and Ghahramani 2016)."""
        ones = vectors.new_ones(vectors.shape[0], 1, vectors.shape[2])
        mask = dropout(ones, self.config.dropout, self.training)
        return vectors * mask


def _hidden_share(config: EncoderConfig, counts: Sequence[int]) -> Tensor:
    """Return how often each word is unknown in training, `[words]`; empty where all are alike.

    A word that was seen *c* times is hidden in a / (a + c) of the cases (Kiperwasser and Goldberg 2016): the rarer it
    is, the more of its kind are never seen, and the more its characters and its context must tell.
    """
    if not config.rare_word_dropout:
        return torch.zeros(0)
    seen = torch.tensor(counts, dtype=torch.float32)
    share = (config.rare_word_dropout / (config.rare_word_dropout + seen)).clamp(min=config.word_dropout)
    return torch.cat([torch.zeros(2), share])  # padding and what is unknown anyway


def context_windows(vectors: Tensor, window: int) -> Tensor:
    """Return each word's vector joined with those of its neighbours, zeros beyond the sentence (Mesnil et al. 2013).

    Args:
        vectors: `[batch, time, size]`, zero past each length.
        window: words in all, odd.

    Returns:
        `[batch, time, window * size]`, the leftmost neighbour first. Past a length
        there are neighbours too; they are never read.
    """
    side = window // 2
    padded = nn.functional.pad(vectors, (0, 0, side, side))
    time = vectors.shape[1]
    return torch.cat([padded[:, shift : shift + time] for shift in range(window)], 2)
