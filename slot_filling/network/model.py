"""The tagger's network: an encoder, a score for every label of every word, and scores of the sentence's intent."""

from collections.abc import Iterable
from typing import cast

import numpy as np
import torch
from torch import Tensor, nn

from slot_filling.config import EncoderConfig, TaggerConfig
from slot_filling.heads.head import make_head
from slot_filling.network.encoder import Encoder
from slot_filling.network.tag_scores import TagScores
from slot_filling.network.word_batch import WordBatch
from slot_filling.network.word_vectors import WordVectors
from slot_filling.vocabulary import Vocabulary
from sluice_cells.products import Linear
from sluice_core.config import ConfigError
from sluice_core.masks import padding_mask


class IntentHead(nn.Module):
    """The scores of a sentence's intents: its words weighed by attention, then a linear layer (Liu and Lane 2016)."""

    def __init__(self, size: int, intents: int) -> None:
        """Make a layer for word vectors of `size`."""
        super().__init__()
        self.attention = Linear(size, 1)
        self.output = Linear(size, intents)

    def forward(self, vectors: Tensor, lengths: Tensor) -> Tensor:
        """Return scores `[batch, intents]` of vectors `[batch, time, size]`; an empty sentence is a vector of zeros."""
        scores = self.attention(vectors)[:, :, 0]
        outside = ~padding_mask(lengths, vectors.shape[1])
        weights = scores.masked_fill(outside, -torch.inf).softmax(1).masked_fill(outside, 0.0)
        return self.output((weights[:, :, None] * vectors).sum(1))


class EnsembleMember(nn.Module):
    """One network: an encoder, a score for every label of every word, and one for every intent."""

    def __init__(self, config: TaggerConfig, encoder: EncoderConfig, vocabulary: Vocabulary) -> None:
        """Make a network, freshly initialized, for a vocabulary."""
        super().__init__()
        self.encoder = Encoder(encoder, vocabulary)
        size, tags, intents = self.encoder.size, vocabulary.tags, len(vocabulary.intents)
        self.output = TagScores(size, tags) if config.head.label_components else Linear(size, len(tags))
        self.intent = IntentHead(size, intents) if config.head.intent and intents > 1 else None

    def own_scores(self, batch: WordBatch) -> tuple[Tensor, Tensor | None]:
        """Return scores of labels `[batch, time, tags]`, and of intents `[batch, intents]` where there are any."""
        vectors = self.encoder(batch)
        intents = self.intent(vectors, batch.lengths) if self.intent is not None else None
        return self.output(vectors), intents


class TaggerModel(EnsembleMember):
    """The network of a tagger: scores of labels and intents; `head` has the scores of moves and the loss.

    It is the first member of an ensemble, and may have others beside it. Each member is trained by its own loss; in
    use the mean of their scores counts, which is the product of their distributions (Smith, Cohn and Osborne 2005).
    The members err in different places, since they began with different weights and may be given different features,
    so that the mean errs less often.
    """

    def __init__(self, config: TaggerConfig, vocabulary: Vocabulary) -> None:
        """Make a network, freshly initialized, for a vocabulary."""
        first, *others = config.encoders
        super().__init__(config, first, vocabulary)
        self.config = config
        self.head = make_head(config.head.kind, len(vocabulary.tags), *vocabulary.transitions())
        self.others = nn.ModuleList(EnsembleMember(config, encoder, vocabulary) for encoder in others)
        limited = self.intent is not None and config.head.intent_limits
        self.fits = vocabulary.fits() if limited else np.zeros((0, len(vocabulary.tags)), bool)
        """`[intents, tags]`, whether each tag goes with each intent; `[0, tags]` where that does not matter."""

    @property
    def members(self) -> list[EnsembleMember]:
        """All members of the ensemble, this network first."""
        return [self, *cast(Iterable[EnsembleMember], self.others)]

    @property
    def encoders(self) -> list[Encoder]:
        """The encoder of each member."""
        return [member.encoder for member in self.members]

    def member_scores(self, batch: WordBatch) -> list[tuple[Tensor, Tensor | None]]:
        """Return the scores of each member; see `EnsembleMember.own_scores`."""
        return [member.own_scores(batch) for member in self.members]

    def forward(self, batch: WordBatch) -> tuple[Tensor, Tensor | None]:
        """Return mean scores of labels `[batch, time, tags]`, and of intents `[batch, intents]` where there are any."""
        emissions, intents = zip(*self.member_scores(batch), strict=True)
        if not self.others:
            return emissions[0], intents[0]
        return torch.stack(emissions).mean(0), None if self.intent is None else torch.stack(intents).mean(0)

    def set_vectors(self, vectors: WordVectors) -> None:
        """Initialize the vectors of the words that are found with the given ones, scaled as all others are.

        Raises:
            ConfigError: the vectors have another number of dimensions than `encoder.word_size`.
        """
        sizes = {encoder.word_size for encoder in self.config.encoders}
        if sizes != {vectors.matrix.shape[1]}:
            raise ConfigError(
                f"the word vectors have {vectors.matrix.shape[1]} dimensions: set encoder.word_size to that, not "
                + " and ".join(map(str, sorted(sizes)))
            )
        found = torch.from_numpy(vectors.found)
        given = torch.from_numpy(vectors.matrix)[found]
        with torch.no_grad():
            for encoder in self.encoders:
                encoder.words.weight[found] = given / given.std().clamp(min=1e-6) * 0.1
