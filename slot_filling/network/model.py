"""The tagger's network: encoder, a score for every label of every word, and the sentence's intent."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import cast

import numpy as np
import torch
from torch import Tensor, nn

from slot_filling.config import EncoderConfig, TaggerConfig
from slot_filling.heads import make_head
from slot_filling.network.encoder import Encoder
from slot_filling.network.tag_scores import TagScores
from slot_filling.network.word_batch import WordBatch
from slot_filling.network.word_vectors import WordVectors
from slot_filling.vocabulary import Vocabulary
from sluice_core.config import ConfigError
from sluice_core.masks import padding_mask


@dataclass(frozen=True)
class Reading:
    """The best labels and the best intent of some sentences."""

    paths: list[np.ndarray]
    """Of each its labels, `[words]` int64."""
    scores: Tensor
    """`[batch]` of the paths."""
    intents: Tensor | None
    """`[batch]` int64."""
    likely: Tensor | None
    """`[batch, intents]` probabilities: where the labels go with some intents, of these alone."""
    at_odds: Tensor
    """`[batch]` bool: where the best labels go with no intent, so that both were weighed against each other."""
    emissions: Tensor
    """`[batch, time, tags]`, of which the paths are the best: there other labels have minus infinity."""


class IntentHead(nn.Module):
    """What a whole sentence asks: its words weighed by attention, then a linear layer (Liu and Lane 2016)."""

    def __init__(self, size: int, intents: int) -> None:
        super().__init__()
        self.attention = nn.Linear(size, 1)
        self.output = nn.Linear(size, intents)

    def forward(self, vectors: Tensor, lengths: Tensor) -> Tensor:
        """Vectors `[batch, time, size]` to scores `[batch, intents]`; an empty sentence is all zeros."""
        scores = self.attention(vectors)[:, :, 0]
        outside = ~padding_mask(lengths, vectors.shape[1])
        weights = scores.masked_fill(outside, -torch.inf).softmax(1).masked_fill(outside, 0.0)
        return self.output((weights[:, :, None] * vectors).sum(1))


class Voice(nn.Module):
    """One network: an encoder, a score for every label of every word, and one for every intent."""

    def __init__(self, config: TaggerConfig, encoder: EncoderConfig, vocabulary: Vocabulary) -> None:
        """Make a network, freshly initialized, for a vocabulary."""
        super().__init__()
        self.encoder = Encoder(encoder, vocabulary)
        size, tags, intents = self.encoder.size, vocabulary.tags, len(vocabulary.intents)
        self.output = TagScores(size, tags) if config.head.parts else nn.Linear(size, len(tags))
        self.intent = IntentHead(size, intents) if config.head.intent and intents > 1 else None

    def speak(self, batch: WordBatch) -> tuple[Tensor, Tensor | None]:
        """Scores of labels `[batch, time, tags]`, and of intents `[batch, intents]` where there are any."""
        vectors = self.encoder(batch)
        intents = self.intent(vectors, batch.lengths) if self.intent is not None else None
        return self.output(vectors), intents


class TaggerModel(Voice):
    """Scores of labels and intents; `head` has the loss and finds the best labels.

    It is a voice itself, and may have others beside it (`voices`): each is trained by its own loss, and in use the mean
    of their scores counts, which is the product of their distributions (Smith, Cohn and Osborne 2005). What they err in
    differs by the weights they began with, and more by what each is given to see, so that much of it goes.

    With `head.intent_limits` labels and intent are answered together (`read`).
    """

    fits: Tensor

    def __init__(self, config: TaggerConfig, vocabulary: Vocabulary) -> None:
        """Make a network, freshly initialized, for a vocabulary."""
        first, *others = config.encoders
        super().__init__(config, first, vocabulary)
        self.config = config
        self.head = make_head(config.head.kind, len(vocabulary.tags), *vocabulary.transitions())
        self.others = nn.ModuleList(Voice(config, encoder, vocabulary) for encoder in others)
        limited = self.intent is not None and config.head.intent_limits
        nothing = torch.zeros(0, len(vocabulary.tags), dtype=torch.bool)
        self.register_buffer(
            "fits", torch.from_numpy(vocabulary.fits()) if limited else nothing, persistent=False
        )

    def _all(self) -> list[Voice]:
        return [self, *cast(Iterable[Voice], self.others)]

    @property
    def encoders(self) -> list[Encoder]:
        """That of each voice."""
        return [voice.encoder for voice in self._all()]

    def voices(self, batch: WordBatch) -> list[tuple[Tensor, Tensor | None]]:
        """What each voice says; see `Voice.speak`."""
        return [voice.speak(batch) for voice in self._all()]

    def forward(self, batch: WordBatch) -> tuple[Tensor, Tensor | None]:
        """Scores of labels `[batch, time, tags]`, and of intents `[batch, intents]` where there are any."""
        emissions, intents = zip(*self.voices(batch), strict=True)
        if not self.others:
            return emissions[0], intents[0]
        return torch.stack(emissions).mean(0), None if self.intent is None else torch.stack(intents).mean(0)

    @torch.no_grad()
    def read(self, emissions: Tensor, intents: Tensor | None, lengths: Tensor) -> Reading:
        """Find the best labels and the best intent; they go together where `intent_limits` asks for it.

        The labels decide, for they are wrong less often: the intent is the likeliest beside which training has each of
        them. Where there is none, the likeliest pair is taken that goes together.

        Args:
            emissions: `[batch, time, tags]`
            intents: scores `[batch, intents]`, or None.
            lengths: `[batch]` int64.
        """
        paths, scores = self.head.decode(emissions, lengths)
        at_odds = torch.zeros(len(lengths), dtype=torch.bool, device=emissions.device)
        if intents is None:
            return Reading(paths, scores, None, None, at_odds, emissions)
        if not len(self.fits):
            return Reading(paths, scores, intents.argmax(1), intents.softmax(1), at_odds, emissions)
        fits = self.fits.cpu().numpy()
        beside = np.array([fits[:, path].all(1) for path in paths], bool).reshape(len(paths), len(fits))
        fitting = torch.from_numpy(beside).to(intents.device)
        at_odds = ~fitting.any(1)
        intents = intents.masked_fill(~fitting & ~at_odds[:, None], -torch.inf)
        found = Reading(paths, scores, intents.argmax(1), intents.softmax(1), at_odds, emissions)
        return self._weigh(found, intents, lengths) if at_odds.any() else found

    def _weigh(self, found: Reading, intents: Tensor, lengths: Tensor) -> Reading:
        """The same with the likeliest pairs of labels and intent where these are at odds."""
        paths, scores, chosen = list(found.paths), found.scores.clone(), intents.argmax(1)
        odd, count = found.at_odds.nonzero()[:, 0].tolist(), len(self.fits)
        # Of each of these sentences, as many as there are intents: with the labels that go with each.
        limited = found.emissions[odd, None].masked_fill(~self.fits[:, None], -torch.inf).flatten(0, 1)
        other_paths, other_scores = self.head.decode(limited, lengths[odd].repeat_interleave(count))
        chosen[odd] = (intents[odd].log_softmax(1) + other_scores.view(len(odd), count)).argmax(1)
        for place, item in enumerate(odd):
            best = place * count + int(chosen[item])
            paths[item], scores[item] = other_paths[best], other_scores[best]
        emissions = found.emissions.masked_fill(
            (found.at_odds[:, None] & ~self.fits[chosen])[:, None], -torch.inf
        )
        return replace(found, paths=paths, scores=scores, intents=chosen, emissions=emissions)

    def set_vectors(self, vectors: WordVectors) -> None:
        """Start the words that are found from given vectors, all scaled as the others are.

        Raises:
            ConfigError: they are not of `encoder.word_size` dimensions.
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
