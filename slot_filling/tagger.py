"""A trained tagger in use: load a run directory, tag sentences."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from slot_filling.config import TaggerConfig
from slot_filling.examples import word_batch
from slot_filling.heads import TaggedSpan
from slot_filling.model import TaggerModel
from slot_filling.sentences import Span
from slot_filling.tokenize import Token, tokenize
from slot_filling.values import resolve
from slot_filling.vocabulary import Vocabulary
from training.checkpoint import CheckpointError, load_weights, save_weights, write_text

Text = str | Sequence[str]
"""A sentence as it is written, or already divided into words."""

TOGETHER = 256
"""Sentences that are sorted by length and tagged in batches."""

BATCH_WORDS = 4096
"""Most padded words in a batch."""


@dataclass(frozen=True)
class Slot:
    """A labelled piece of a text: `text[start:end]`."""

    label: str
    text: str
    start: int
    """First character in the text that was given; of a list of words, in the words joined by single spaces."""
    end: int
    confidence: float
    """The probability that these words, and no more, are this slot."""
    value: str | None = None
    """What it stands for, where that is sure: dates, times, numbers and money in ISO forms."""


@dataclass(frozen=True)
class Tagging:
    """What a tagger answers about one sentence."""

    text: str
    slots: tuple[Slot, ...]
    intent: str | None
    """What the sentence asks; None where the model knows no intents."""
    intent_confidence: float | None
    confidence: float
    """The probability that all slots are right."""
    alternatives: tuple["Tagging", ...] = ()
    """Other readings, best first, where they were asked for."""

    def to_dict(self) -> dict[str, Any]:
        """The same facts as plain values, for JSON."""
        return asdict(self)


@dataclass(frozen=True)
class Answer:
    """What the model says of a sentence of words."""

    paths: list[tuple[float, list[int]]]
    """The best paths of tags, each with its probability."""
    spans: list[list[tuple[Span, float]]]
    """Of each path its spans, each with the probability of just that span."""
    intents: Tensor | None
    """`[intents]` probabilities."""


class Tagger:
    """Finds slots and intent.

    Example:
        >>> tagger = Tagger.load("runs/slots-travel")  # doctest: +SKIP
        >>> tagger.tag("arrive Taipei on November 2nd").slots[0].text  # doctest: +SKIP
        'Taipei'
    """

    def __init__(self, config: TaggerConfig, vocabulary: Vocabulary, model: TaggerModel | None = None) -> None:
        """Put a tagger together; the model is freshly initialized if none is given."""
        self.config = config
        self.vocabulary = vocabulary
        self.model = model or TaggerModel(config, vocabulary)
        self.device = torch.device("cpu")

    @classmethod
    def load(cls, directory: str | Path, device: str | torch.device = "cpu") -> "Tagger":
        """Read a run directory that training wrote.

        Raises:
            CheckpointError: the directory, its weights or its settings are missing, damaged, or of another model.
        """
        directory = Path(directory)
        if not directory.is_dir():
            raise CheckpointError(f"{directory}: no such run directory; `sluice train` makes one")
        if not (directory / "config.yaml").is_file():
            raise CheckpointError(f"{directory}: no config.yaml in it, so it is not a run directory")
        config = TaggerConfig.read(directory / "config.yaml")
        tagger = cls(config, Vocabulary.load(directory / "vocabulary.json"))
        weights = load_weights(directory / "model.safetensors")
        try:
            tagger.model.load_state_dict(weights)
        except RuntimeError as error:
            raise CheckpointError(
                f"{directory}: model.safetensors does not fit config.yaml and vocabulary.json; "
                f"they come from different runs. {error}"
            ) from error
        if tagger.model.encoder.stack.engine == "fast":
            tagger.model.encoder.stack.engine = "auto"  # where it is used there may be no compiler
        return tagger.to(device)

    def save(self, directory: str | Path, facts: dict[str, str] | None = None) -> None:
        """Write everything that `load` needs: settings, vocabulary, weights (each file atomically)."""
        directory = Path(directory)
        write_text(directory / "config.yaml", self.config.to_yaml())
        self.vocabulary.save(directory / "vocabulary.json")
        save_weights(directory / "model.safetensors", self.model.state_dict(), facts)

    def to(self, device: str | torch.device) -> "Tagger":
        """Move the model to a device, ready for use (dropout off); returns itself."""
        self.device = torch.device(device)
        self.model.to(self.device).eval()
        return self

    def tag(self, text: Text, *, alternatives: int = 0) -> Tagging:
        """Tag one sentence: a text, or its words."""
        return next(iter(self.tag_many([text], alternatives=alternatives)))

    def tag_many(self, texts: Iterable[Text], *, alternatives: int = 0) -> Iterator[Tagging]:
        """Tag many sentences, batches of like length at a time, in the order given.

        Args:
            texts: sentences or lists of words; read as they are needed, a few hundred ahead.
            alternatives: how many other readings of each to give, at most.
        """
        remaining = iter(texts)
        while group := list(islice(remaining, TOGETHER)):
            divided = [_divide(text) for text in group]
            answers = self.answer_many(
                [[token.text for token in tokens] for _, tokens in divided], 1 + alternatives
            )
            for (text, tokens), answer in zip(divided, answers, strict=True):
                yield self._tagging(text, tokens, answer)

    def answer_many(self, sentences: Sequence[Sequence[str]], k: int = 1) -> list[Answer]:
        """What the model says of sentences of words, with their best `k` paths."""
        order = sorted(range(len(sentences)), key=lambda item: -len(sentences[item]))
        answers: dict[int, Answer] = {}
        while order:
            longest = max(1, len(sentences[order[0]]))
            count = max(1, BATCH_WORDS // longest)
            batch, order = order[:count], order[count:]
            answers |= zip(batch, self._answer([sentences[item] for item in batch], k), strict=True)
        return [answers[item] for item in range(len(sentences))]

    @torch.inference_mode()
    def _answer(self, sentences: list[Sequence[str]], k: int) -> list[Answer]:
        batch = word_batch([self.vocabulary.encode(words) for words in sentences]).to(self.device)
        emissions, intents = self.model(batch)
        head, lengths = self.model.head, batch.lengths
        if k == 1:
            paths, scores = head.decode(emissions, lengths)
            best = [[(score, path)] for score, path in zip(scores.tolist(), paths, strict=True)]
        else:
            best = head.k_best(emissions, lengths, k)
        partition = head.log_partition(emissions, lengths).tolist()
        spans = [[self.vocabulary.decode_spans(path) for _, path in paths] for paths in best]
        sure = self._span_probabilities(emissions, lengths, best, spans)
        answers = []
        for item, paths in enumerate(best):
            likely = [(min(1.0, _exp(score - partition[item])), path.tolist()) for score, path in paths]
            rows = [list(zip(*pair, strict=True)) for pair in zip(spans[item], sure[item], strict=True)]
            answers.append(Answer(likely, rows, None if intents is None else intents[item].softmax(0).cpu()))
        return answers

    def _span_probabilities(self, emissions, lengths, best, spans):  # type: ignore[no-untyped-def]
        """Of each sentence and path the probability of each span."""
        goes_on = self.vocabulary.continuations
        asked = [
            [
                TaggedSpan(span.start, path[span.start : span.end].tolist(), goes_on.get(span.label, ()))
                for (_, path), found in zip(paths, per_path, strict=True)
                for span in found
            ]
            for paths, per_path in zip(best, spans, strict=True)
        ]
        answered = self.model.head.span_probabilities(emissions, lengths, asked)
        result = []
        for per_path, values in zip(spans, answered, strict=True):
            each = iter(values)
            result.append([list(islice(each, len(found))) for found in per_path])
        return result

    def _tagging(self, text: str, tokens: list[Token], answer: Answer) -> Tagging:
        readings = []
        intent, sure = None, None
        if answer.intents is not None:
            place = int(answer.intents.argmax())
            intent, sure = self.vocabulary.intents[place], float(answer.intents[place])
        for (probability, _), spans in zip(answer.paths, answer.spans, strict=True):
            slots = tuple(_slot(text, tokens, span, confidence) for span, confidence in spans)
            readings.append((slots, probability))
        best, *others = [
            Tagging(text, slots, intent, sure, probability) for slots, probability in readings
        ]
        return Tagging(text, best.slots, intent, sure, best.confidence, tuple(others))


def _exp(value: float) -> float:
    return float(torch.tensor(value, dtype=torch.float64).exp())


def _divide(text: Text) -> tuple[str, list[Token]]:
    """A text and its words with their places; a list of words is joined by single spaces."""
    if isinstance(text, str):
        return text, tokenize(text)
    tokens, start = [], 0
    for word in text:
        tokens.append(Token(word, start, start + len(word)))
        start += len(word) + 1
    return " ".join(text), tokens


def _slot(text: str, tokens: list[Token], span: Span, confidence: float) -> Slot:
    start, end = tokens[span.start].start, tokens[span.end - 1].end
    return Slot(span.label, text[start:end], start, end, confidence, resolve(span.label, text[start:end]))
