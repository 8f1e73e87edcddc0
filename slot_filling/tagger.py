"""A trained tagger in use: load a run directory, tag sentences."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from itertools import islice
from pathlib import Path

import torch
from torch import Tensor

from slot_filling import schemes
from slot_filling.config import TaggerConfig
from slot_filling.heads import TaggedSpan
from slot_filling.network.model import TaggerModel
from slot_filling.network.word_batch import word_batch
from slot_filling.sentences import Span
from slot_filling.slot_values import Kind, resolve
from slot_filling.tagging import Slot, Tagging
from slot_filling.temperatures import Temperatures
from slot_filling.tokenizer import Token, tokenize
from slot_filling.vocabulary import Vocabulary
from sluice_core.devices import find_device
from sluice_core.errors import UserError
from sluice_core.files import CheckpointError, write_text
from sluice_core.weights import load_weights, save_weights

Text = str | Sequence[str]
"""A sentence as it is written, or already divided into words."""

TOGETHER = 256
"""Sentences that are sorted by length and tagged in batches."""

BATCH_WORDS = 4096
"""Most padded words in a batch."""


@dataclass(frozen=True)
class Answer:
    """What the model says of a sentence of words."""

    paths: list[tuple[float, list[int]]]
    """The best paths of tags, each with its probability."""
    spans: list[list[tuple[Span, float]]]
    """Of each path its spans, each with the probability of just that span."""
    intents: Tensor | None
    """`[intents]` probabilities; None where the model knows no intents, or there is no word."""
    intent: int | None
    """The one that goes with the best path: as a rule the likeliest."""


class Tagger:
    """Finds slots and intent.

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
        """What slots hold, by label, where the label's own words do not say it (`values.kinds_of`)."""
        self._continuations = _continuations(vocabulary)
        self.set_temperatures(Temperatures())

    @classmethod
    def load(cls, directory: str | Path, device: str | torch.device = "cpu") -> "Tagger":
        """Read a run directory that training wrote.

        Raises:
            CheckpointError: the directory, its weights or its settings are missing, damaged, or of another model.
            DeviceError: there is no such device.
        """
        directory = Path(directory)
        if not directory.is_dir():
            raise CheckpointError(f"{directory}: no such run directory; `sluice train` makes one")
        if not (directory / "config.yaml").is_file():
            raise CheckpointError(f"{directory}: no config.yaml in it, so it is not a run directory")
        config = TaggerConfig.read(directory / "config.yaml")
        vocabulary = Vocabulary.load(directory / "vocabulary.json")
        weights = load_weights(directory / "model.safetensors")
        try:
            tagger = cls(config, vocabulary)
            tagger.model.load_state_dict(weights)
        except UserError as error:
            raise CheckpointError(
                f"{directory}: config.yaml or vocabulary.json is damaged: {error}"
            ) from error
        except RuntimeError as error:  # other names or sizes; or sizes beyond all memory
            raise CheckpointError(
                f"{directory}: model.safetensors does not fit config.yaml and vocabulary.json; "
                f"they come from different runs. {error}"
            ) from error
        if not all(bool(weight.isfinite().all()) for weight in weights.values()):
            raise CheckpointError(
                f"{directory}: model.safetensors is damaged: it holds weights that are no numbers"
            )
        for encoder in tagger.model.encoders:
            if encoder.stack.engine == "fast":
                encoder.stack.engine = "auto"  # where it is used there may be no compiler
        tagger.set_temperatures(Temperatures.load(directory))
        return tagger.to(device)

    def set_temperatures(self, temperatures: Temperatures) -> None:
        """How far scores are to be trusted from now on (`slot_filling.temperatures`)."""
        self.temperatures = temperatures
        self.model.head.temperature = temperatures.slots

    def save(self, directory: str | Path, facts: dict[str, str] | None = None) -> None:
        """Write everything that `load` needs: settings, vocabulary, weights, temperatures (each file atomically)."""
        directory = Path(directory)
        write_text(directory / "config.yaml", self.config.to_yaml())
        self.vocabulary.save(directory / "vocabulary.json")
        save_weights(directory / "model.safetensors", self.model.state_dict(), facts)
        self.temperatures.save(directory)

    def to(self, device: str | torch.device) -> "Tagger":
        """Move the model to a device, ready for use (dropout off); returns itself.

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
            alternatives: how many other readings to give, at most.
        """
        return next(iter(self.tag_many([text], alternatives=alternatives)))

    def tag_many(self, texts: Iterable[Text], *, alternatives: int = 0) -> Iterator[Tagging]:
        """Tag many sentences, batches of like length at a time, in the order given.

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
            answers = self.answer_many(words, 1 + alternatives)
            for (text, tokens), answer in zip(divided, answers, strict=True):
                yield self._tagging(text, tokens, answer)

    def answer_many(self, sentences: Sequence[Sequence[str]], k: int = 1) -> list[Answer]:
        """What the model says of sentences of words, with their best `k` paths."""
        order = sorted(range(len(sentences)), key=lambda item: -len(sentences[item]))
        answers: dict[int, Answer] = {}
        while order:
            count = max(1, BATCH_WORDS // max(1, len(sentences[order[0]])))
            batch, order = order[:count], order[count:]
            answers |= zip(batch, self._answer([sentences[item] for item in batch], k), strict=True)
        return [answers[item] for item in range(len(sentences))]

    @torch.inference_mode()
    def _answer(self, sentences: list[Sequence[str]], k: int) -> list[Answer]:
        batch = word_batch([self.vocabulary.encode(words) for words in sentences]).to(self.device)
        emissions, intents = self.model(batch)
        head, lengths = self.model.head, batch.lengths
        read = self.model.read(
            emissions, None if intents is None else intents / self.temperatures.intents, lengths
        )
        emissions, trust = read.emissions, [1.0] * len(sentences)
        intents_of: list[tuple[Tensor | None, int | None]] = [(None, None)] * len(sentences)
        if read.likely is not None and read.intents is not None:
            own = read.likely.gather(1, read.intents[:, None])[:, 0]
            # What the labels are likely beside, it must be.
            trust = torch.where(read.at_odds, own, 1.0).tolist()
            intents_of = list(zip(read.likely.cpu(), read.intents.tolist(), strict=True))
        if k == 1:
            best = [[(score, path)] for score, path in zip(read.scores.tolist(), read.paths, strict=True)]
        else:
            best = head.k_best(emissions, lengths, k)
        found = [[(score, path.tolist()) for score, path in each] for each in best]
        spans = [[self.vocabulary.decode_spans(path) for _, path in each] for each in found]
        sure = self._confidences(emissions, lengths, found, spans)
        totals = head.log_partition(emissions, lengths).tolist()
        return [
            Answer(
                [
                    (trust[item] * min(1.0, math.exp(score - totals[item])), path)
                    for score, path in found[item]
                ],
                [[(span, trust[item] * sure[item][span]) for span in some] for some in spans[item]],
                *(intents_of[item] if sentences[item] else (None, None)),
            )
            for item in range(len(sentences))
        ]

    def _confidences(
        self,
        emissions: Tensor,
        lengths: Tensor,
        paths: list[list[tuple[float, list[int]]]],
        spans: list[list[list[Span]]],
    ) -> list[dict[Span, float]]:
        """Of each sentence the probability of every span on any of its paths; most are on several."""
        asked = [
            {
                span: TaggedSpan(span.start, path[span.start : span.end], self._continuations[span.label])
                for (_, path), some in zip(per_sentence, found, strict=True)
                for span in some
            }
            for per_sentence, found in zip(paths, spans, strict=True)
        ]
        sure = self.model.head.span_probabilities(emissions, lengths, [list(each.values()) for each in asked])
        return [dict(zip(each, some, strict=True)) for each, some in zip(asked, sure, strict=True)]

    def _tagging(self, text: str, tokens: list[Token], answer: Answer) -> Tagging:
        intent = sure = None
        if answer.intents is not None and answer.intent is not None:
            intent, sure = self.vocabulary.intents[answer.intent], float(answer.intents[answer.intent])
        readings = [
            Tagging(text, tuple(self._slot(text, tokens, *each) for each in spans), intent, sure, probability)
            for (probability, _), spans in zip(answer.paths, answer.spans, strict=True)
        ]
        best, *others = readings
        return replace(best, alternatives=tuple(others)) if others else best

    def _slot(self, text: str, tokens: list[Token], span: Span, confidence: float) -> Slot:
        start, end = tokens[span.start].start, tokens[span.end - 1].end
        value = resolve(span.label, text[start:end], self.today, self.kinds.get(span.label))
        return Slot(span.label, text[start:end], start, end, confidence, value)


def _divide(text: Text) -> tuple[str, list[Token]]:
    """A text and its words with their places; a list of words is joined by single spaces."""
    if isinstance(text, str):
        return text, tokenize(text)
    tokens, start = [], 0
    for word in text:
        tokens.append(Token(word, start, start + len(word)))
        start += len(word) + 1
    return " ".join(text), tokens


def _continuations(vocabulary: Vocabulary) -> Mapping[str, list[int]]:
    """Of each label the numbers of the tags that go on with a span of it: after its last word there is none of them."""
    found: dict[str, list[int]] = {label: [] for label in vocabulary.labels}
    for number, tag in enumerate(vocabulary.tags):
        prefix, label = schemes.split(tag)
        if prefix in schemes.CONTINUES:
            found[label].append(number)
    return found
