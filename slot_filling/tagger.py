"""Use a trained tagger: load a run directory, tag sentences."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from itertools import islice
from pathlib import Path

import torch

from slot_filling.config import TaggerConfig
from slot_filling.decoding import Prediction, predict, tagging_of
from slot_filling.network.model import TaggerModel
from slot_filling.network.word_batch import word_batch
from slot_filling.slot_values import Kind
from slot_filling.tagging import Tagging
from slot_filling.temperatures import Temperatures
from slot_filling.tokenizer import Token, tokenize
from slot_filling.vocabulary import Vocabulary
from sluice_core.devices import find_device
from sluice_core.files import write_text
from sluice_core.run_directory import CONFIG_FILE, WEIGHTS_FILE, read_run_settings
from sluice_core.weights import load_weights, refuse_mismatch, save_weights

Text = str | Sequence[str]
"""A sentence as it is written, or a list of its words."""

TOGETHER = 256
"""How many sentences are read ahead, to be sorted by length and tagged in batches."""

BATCH_WORDS = 4096
"""The most padded words in a batch."""


class Tagger:
    """Finds the slots and the intent of sentences.

    Example:
        >>> tagger = Tagger.load("runs/slots-travel")  # doctest: +SKIP
        >>> tagger.tag("arrive Taipei on November 2nd").slots[0].text  # doctest: +SKIP
        'Taipei'
    """

    def __init__(
        self, config: TaggerConfig, vocabulary: Vocabulary, model: TaggerModel | None = None
    ) -> None:
        """Put a tagger together; the model is freshly initialized if none is given."""
        self.config = config
        self.vocabulary = vocabulary
        self.model = model or TaggerModel(config, vocabulary)
        self.device = torch.device("cpu")
        self.today: date | None = None
        """What "tomorrow" is relative to in values; without it, such slots have none."""
        self.kinds: dict[str, Kind] = {}
        """What slots hold, by label, where the label's own words do not say it (`slot_values.kinds_of`)."""
        self.temperatures = Temperatures()

    @classmethod
    def load(cls, directory: str | Path, device: str | torch.device = "cpu") -> "Tagger":
        """Read a run directory that training wrote.

        Raises:
            CheckpointError: the directory, its weights or its settings are missing, damaged, or those of another model.
            DeviceError: there is no such device.
        """
        directory = Path(directory)
        config = read_run_settings(directory, TaggerConfig)
        vocabulary = Vocabulary.load(directory / "vocabulary.json")
        weights = load_weights(directory / WEIGHTS_FILE)
        with refuse_mismatch(directory / WEIGHTS_FILE, f"{CONFIG_FILE} and vocabulary.json"):
            tagger = cls(config, vocabulary)
            tagger.model.load_state_dict(weights)
        for encoder in tagger.model.encoders:
            if encoder.stack.engine == "fast":
                encoder.stack.engine = "auto"  # where it is used there may be no compiler
        tagger.temperatures = Temperatures.load(directory)
        return tagger.to(device)

    def save(self, directory: str | Path, facts: dict[str, str] | None = None) -> None:
        """Write everything that `load` needs: settings, vocabulary, weights, temperatures (each file atomically)."""
        directory = Path(directory)
        write_text(directory / CONFIG_FILE, self.config.to_yaml())
        self.vocabulary.save(directory / "vocabulary.json")
        save_weights(directory / WEIGHTS_FILE, self.model.state_dict(), facts)
        self.temperatures.save(directory)

    def to(self, device: str | torch.device) -> "Tagger":
        """Move the model to a device, ready for use (dropout off), and return this tagger.

        Raises:
            DeviceError: there is no such device.
        """
        self.device = find_device(device)
        self.model.to(self.device).eval()
        return self

    def tag(self, text: Text, *, alternatives: int = 0) -> Tagging:
        """Tag one sentence: a text, or its words.

        Without a word there are no slots, no intent, and a confidence of 1.

        Args:
            text: the sentence.
            alternatives: how many other taggings to return, at most.
        """
        return next(iter(self.tag_many([text], alternatives=alternatives)))

    def tag_many(self, texts: Iterable[Text], *, alternatives: int = 0) -> Iterator[Tagging]:
        """Tag many sentences, in batches of like length, and yield the results in the order given.

        Args:
            texts: sentences or lists of words; read as they are needed, a few hundred ahead.
            alternatives: as in `tag`.
        """
        if isinstance(texts, str):
            raise TypeError("tag_many takes many sentences, such as a list of them; for one there is tag")
        remaining = iter(texts)
        while group := list(islice(remaining, TOGETHER)):
            divided = [_divide(text) for text in group]
            words = [[token.text for token in tokens] for _, tokens in divided]
            predictions = self.predict_many(words, 1 + alternatives)
            for (text, tokens), prediction in zip(divided, predictions, strict=True):
                yield tagging_of(text, tokens, prediction, self.vocabulary.intents, self.today, self.kinds)

    def predict_many(self, sentences: Sequence[Sequence[str]], k: int = 1) -> list[Prediction]:
        """Return what the model predicts for sentences of words, with their best `k` paths."""
        order = sorted(range(len(sentences)), key=lambda item: -len(sentences[item]))
        predictions: dict[int, Prediction] = {}
        while order:
            count = max(1, BATCH_WORDS // max(1, len(sentences[order[0]])))
            batch, order = order[:count], order[count:]
            found = self._predict([sentences[item] for item in batch], k)
            predictions |= zip(batch, found, strict=True)
        return [predictions[item] for item in range(len(sentences))]

    @torch.inference_mode()
    def _predict(self, sentences: list[Sequence[str]], k: int) -> list[Prediction]:
        batch = word_batch([self.vocabulary.encode(words) for words in sentences]).to(self.device)
        emissions, intents = self.model(batch)
        chain = self.model.head.chain(emissions, batch.lengths, self.temperatures.slots)
        scores = None if intents is None else intents.double().cpu().numpy() / self.temperatures.intents
        return predict(self.vocabulary, chain, scores, self.model.fits, k)


def _divide(text: Text) -> tuple[str, list[Token]]:
    """Return a text and its words with their places; a list of words is joined by single spaces."""
    if isinstance(text, str):
        return text, tokenize(text)
    tokens, start = [], 0
    for word in text:
        tokens.append(Token(word, start, start + len(word)))
        start += len(word) + 1
    return " ".join(text), tokens
