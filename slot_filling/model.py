"""The tagger's network: encoder, a score for every label of every word, and the sentence's intent."""

from collections.abc import Iterable
from typing import cast

import torch
from torch import Tensor, nn

from slot_filling.config import EncoderConfig, TaggerConfig
from slot_filling.encoder import Encoder, WordBatch
from slot_filling.heads import make_head
from slot_filling.tag_scores import TagScores
from slot_filling.vocabulary import Vocabulary
from slot_filling.word_vectors import WordVectors
from training.config import ConfigError


class IntentHead(nn.Module):
    """What a whole sentence asks: its words weighed by attention, then a linear layer (Liu and Lane 2016)."""

    def __init__(self, size: int, intents: int) -> None:
        super().__init__()
        self.attention = nn.Linear(size, 1)
        self.output = nn.Linear(size, intents)

    def forward(self, vectors: Tensor, lengths: Tensor) -> Tensor:
        """Vectors `[batch, time, size]` to scores `[batch, intents]`; an empty sentence is all zeros."""
        scores = self.attention(vectors)[:, :, 0]
        outside = torch.arange(vectors.shape[1], device=lengths.device) >= lengths[:, None]
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

    With `head.intent_limits` labels and intent are answered together: the likeliest pair of those in which training has
    each label beside the intent.
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
    def agree(self, emissions: Tensor, intents: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Make the best labels and the best intent go together, where `intent_limits` asks for it.

        Args:
            emissions: `[batch, time, tags]`
            intents: scores `[batch, intents]`.
            lengths: `[batch]` int64.

        Returns:
            The intents `[batch]` int64; where they had to be weighed against the labels `[batch]` bool; and emissions
            under which the best labels go with them: there other labels have minus infinity.
        """
        chosen = intents.argmax(1)
        at_odds = torch.zeros_like(chosen, dtype=torch.bool)
        if not len(self.fits):
            return chosen, at_odds, emissions
        paths, _ = self.head.decode(emissions, lengths)
        fits = self.fits.cpu().numpy()
        odd = [item for item, path in enumerate(paths) if not fits[int(chosen[item]), path].all()]
        if not odd:
            return chosen, at_odds, emissions
        limited = emissions[odd, None].masked_fill(
            ~self.fits[:, None], -torch.inf
        )  # [odd, intents, time, tags]
        count = len(self.fits)
        _, scores = self.head.decode(limited.flatten(0, 1), lengths[odd].repeat_interleave(count))
        together = intents[odd].log_softmax(1) + scores.view(len(odd), count)
        chosen[odd], at_odds[odd] = together.argmax(1), True
        emissions = emissions.masked_fill((at_odds[:, None] & ~self.fits[chosen])[:, None], -torch.inf)
        return chosen, at_odds, emissions

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
