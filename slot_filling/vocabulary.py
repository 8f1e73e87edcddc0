"""The vocabulary of a tagger: words, characters, shapes, digit classes, tags and intents as numbers."""

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, fields
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from slot_filling import schemes
from slot_filling.schemes import SchemeName
from slot_filling.sentences import Sentence, Span
from slot_filling.word_shapes import DIGIT_CLASSES, digit_class, fold, shape
from sluice_core.errors import UserError
from sluice_core.files import write_text

Numbers = NDArray[np.int64]

PADDING, UNKNOWN = 0, 1
LONGEST_WORD = 32  # characters; the middle of a longer word is left out
REMEMBERED = 1 << 16  # words whose numbers are cached


class VocabularyError(UserError):
    """A vocabulary is damaged, or there is nothing to learn one from."""


class Encoded(NamedTuple):
    """The words of one sentence as numbers, T words of at most L characters; 0 is padding."""

    words: Numbers
    """`[T]`"""
    characters: Numbers
    """`[T, L]`"""
    shapes: Numbers
    """`[T]`"""
    digits: Numbers
    """`[T]`: the digit class of each word."""


class WordNumbers(NamedTuple):
    """The numbers of one word: its own, those of its characters, its shape and its digit class."""

    word: int
    characters: tuple[int, ...]
    shape: int
    digits: int


@dataclass(frozen=True)
class Vocabulary:
    """The numbers of everything that a tagger knows, learned from training sentences and kept in the run directory.

    Word, character and shape numbers are positions in `words`, `characters` and `shapes` plus 2
    (0 padding, 1 unknown); tag and intent numbers are positions.
    """

    words: tuple[str, ...]
    """Case folded, most frequent first."""
    characters: tuple[str, ...]
    """The characters of the words as they are written."""
    shapes: tuple[str, ...]
    tags: tuple[str, ...]
    """In the scheme's spelling: O, then label by label."""
    intents: tuple[str, ...] = ()
    scheme: SchemeName = "IOB2"
    counts: tuple[int, ...] = ()
    """How often each of `words` was in training, for word dropout by frequency."""
    names: tuple[str, ...] = ()
    """Labels whose slots are written with capitals."""
    intent_labels: tuple[tuple[str, ...], ...] = ()
    """The labels that training has beside each intent."""
    _numbers: dict[str, dict[str, int]] = field(init=False, repr=False, compare=False)
    _encoded: dict[str, WordNumbers] = field(init=False, repr=False, compare=False, default_factory=dict)

    def __post_init__(self) -> None:
        kinds = ("words", "characters", "shapes")
        numbers = {kind: {item: at + 2 for at, item in enumerate(getattr(self, kind))} for kind in kinds}
        numbers["tags"] = {tag: at for at, tag in enumerate(self.tags)}
        numbers["intents"] = {intent: at for at, intent in enumerate(self.intents)}
        for kind, items in numbers.items():
            if len(items) != len(getattr(self, kind)):
                raise VocabularyError(f"{kind} has an item twice")
        if self.tags[:1] != ("O",):
            raise VocabularyError("tags must begin with O")
        if self.scheme == "IOB1":  # a first tag may look like a later one there: a span has no probability
            raise VocabularyError("scheme is IOB1; a model's tags are IOB2 or BIOES")
        if len(self.counts) not in (0, len(self.words)):
            raise VocabularyError("counts has not one number for each of words")
        if len(self.intent_labels) not in (0, len(self.intents)):
            raise VocabularyError("intent_labels has not one list for each of intents")
        object.__setattr__(self, "_numbers", numbers)

    @classmethod
    def learn(
        cls, sentences: Sequence[Sentence], scheme: SchemeName = "IOB2", least_count: int = 1
    ) -> "Vocabulary":
        """Return the vocabulary of labelled sentences.

        Args:
            sentences: the training split, with tags in IOB2.
            scheme: how the model spells spans.
            least_count: words and characters that occur less often are unknown.

        Raises:
            VocabularyError: there is no sentence, or one has no tags.

        >>> Vocabulary.learn([Sentence(("fly", "to", "Oslo"), ("O", "O", "B-city"), "fly")]).tags
        ('O', 'B-city')
        """
        if not sentences:
            raise VocabularyError("there are no training sentences to learn words and labels from")
        words = Counter(fold(word) for sentence in sentences for word in sentence.words)
        characters = Counter(letter for sentence in sentences for word in sentence.words for letter in word)
        shapes = Counter(shape(word) for sentence in sentences for word in sentence.words)
        known = _frequent(words, least_count)
        intents = tuple(sorted({sentence.intent for sentence in sentences if sentence.intent is not None}))
        return cls(
            words=known,
            characters=_frequent(characters, least_count),
            shapes=_frequent(shapes, 1),
            tags=_tags(sentences, scheme),
            intents=intents,
            intent_labels=_intent_labels(sentences, intents),
            scheme=scheme,
            counts=tuple(words[word] for word in known),
            names=_names(sentences),
        )

    def encode(self, words: Sequence[str]) -> Encoded:
        """Return the numbers of a sentence's words; what training did not have is 1."""
        rows = [self._word(word) for word in words]
        characters = np.zeros((len(rows), max((len(row.characters) for row in rows), default=0)), np.int64)
        for at, row in enumerate(rows):
            characters[at, : len(row.characters)] = row.characters
        return Encoded(
            np.array([row.word for row in rows], np.int64),
            characters,
            np.array([row.shape for row in rows], np.int64),
            np.array([row.digits for row in rows], np.int64),
        )

    def _word(self, word: str) -> WordNumbers:
        """Return the numbers of one word, from the cache where it was met before."""
        if word in self._encoded:
            return self._encoded[word]
        if len(self._encoded) >= REMEMBERED:
            self._encoded.clear()
        half = LONGEST_WORD // 2
        written = word if len(word) <= LONGEST_WORD else word[:half] + word[-half:]
        self._encoded[word] = WordNumbers(
            self._numbers["words"].get(fold(word), UNKNOWN),
            tuple(self._numbers["characters"].get(letter, UNKNOWN) for letter in written),
            self._numbers["shapes"].get(shape(word), UNKNOWN),
            digit_class(written),
        )
        return self._encoded[word]

    def encode_tags(self, tags: Sequence[str]) -> Numbers:
        """Return the numbers `[words]` of IOB2 tags, spelled in the model's scheme.

        A span whose tags training never had cannot be found by the model: its words count as O here
        (metrics, which compare the tags themselves, count it as missed).
        """
        numbers = self._numbers["tags"]
        spelled = schemes.convert(tags, "IOB2", self.scheme)
        if any(tag not in numbers for tag in spelled):
            spans = [
                span
                for span in schemes.spans(tags)
                if all(tag in numbers for tag in spelled[span.start : span.end])
            ]
            kept = schemes.tags_of(spans, len(tags), self.scheme)
            spelled = [tag if tag in numbers else "O" for tag in kept]
        return np.array([numbers[tag] for tag in spelled], np.int64)

    def decode_spans(self, tag_numbers: Iterable[int]) -> list[Span]:
        """Return the spans that a path of tag numbers spells."""
        return schemes.spans([self.tags[number] for number in tag_numbers], self.scheme)

    def decode_tags(self, tag_numbers: Sequence[int] | Numbers) -> tuple[str, ...]:
        """Return a path of tag numbers as IOB2 tags."""
        return tuple(schemes.tags_of(self.decode_spans(tag_numbers), len(tag_numbers)))

    def encode_intent(self, intent: str | None) -> int:
        """Return the number of an intent; -1 for none and for one that training never had."""
        return -1 if intent is None else self._numbers["intents"].get(intent, -1)

    def fits(self) -> NDArray[np.bool_]:
        """Return whether training has each tag beside each intent, `[intents, tags]`; O always fits."""
        spelled = [schemes.split(tag)[1] for tag in self.tags]
        return np.array(
            [
                [label in labels or tag == "O" for tag, label in zip(self.tags, spelled, strict=True)]
                for labels in map(set, self.intent_labels)
            ],
            bool,
        ).reshape(len(self.intent_labels), len(self.tags))

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels of slots, in the order of the tags."""
        return tuple(dict.fromkeys(schemes.split(tag)[1] for tag in self.tags if tag != "O"))

    @cached_property
    def continuations(self) -> dict[str, tuple[int, ...]]:
        """For each label that has such tags, the numbers of those that go on with a span of it, such as I-city."""
        found: dict[str, tuple[int, ...]] = {}
        for number, tag in enumerate(self.tags):
            prefix, label = schemes.split(tag)
            if prefix in schemes.CONTINUES:
                found[label] = (*found.get(label, ()), number)
        return found

    @property
    def sizes(self) -> dict[str, int]:
        """The rows of each table of embeddings, padding and unknown included, and the numbers of tags and intents."""
        return {
            "words": len(self.words) + 2,
            "characters": len(self.characters) + 2,
            "shapes": len(self.shapes) + 2,
            "digits": len(DIGIT_CLASSES) + 1,
            "tags": len(self.tags),
            "intents": len(self.intents),
        }

    def transitions(self) -> tuple[schemes.Mask, schemes.Mask, schemes.Mask]:
        """Return where tags may stand: `start` [K], `allowed` [K, K], `end` [K] (`schemes.transitions`)."""
        return schemes.transitions(self.tags, self.scheme)

    def unseen(self, sentences: Iterable[Sentence]) -> dict[str, Counter[str]]:
        """Count the labels and the intents of sentences that training never had."""
        labels, intents = set(self.labels), set(self.intents)
        sentences = list(sentences)
        spans = [span for sentence in sentences for span in schemes.spans(sentence.tags or ())]
        return {
            "labels": Counter(span.label for span in spans if span.label not in labels),
            "intents": Counter(s.intent for s in sentences if s.intent and s.intent not in intents),
        }

    def save(self, path: Path) -> None:
        """Write the vocabulary as JSON text."""
        tree = {item.name: getattr(self, item.name) for item in fields(self) if item.init}
        write_text(path, json.dumps(tree, ensure_ascii=False, indent=0) + "\n")

    @classmethod
    def load(cls, path: Path) -> "Vocabulary":
        """Read a vocabulary that `save` wrote.

        Raises:
            VocabularyError: the file is missing or damaged.
        """
        try:
            tree = json.loads(Path(path).read_text(encoding="utf-8"))
            return cls(**{name: _checked(name, value) for name, value in tree.items()})
        except FileNotFoundError:
            raise VocabularyError(
                f"{path}: the vocabulary is missing; is {Path(path).parent} a finished run?"
            ) from None
        except OSError as error:
            raise VocabularyError(f"{path}: cannot be read: {error.strerror or error}") from error
        except (ValueError, TypeError, AttributeError) as error:
            raise VocabularyError(
                f"{path}: not a vocabulary that training wrote, or damaged: {error}"
            ) from error


def _intent_labels(sentences: Iterable[Sentence], intents: Sequence[str]) -> tuple[tuple[str, ...], ...]:
    found: dict[str | None, set[str]] = {intent: set() for intent in intents}
    for sentence in sentences:
        labels = {schemes.split(tag)[1] for tag in sentence.tags or () if tag != "O"}
        found.setdefault(sentence.intent, set()).update(labels)
    return tuple(tuple(sorted(found[intent])) for intent in intents)


def _tags(sentences: Iterable[Sentence], scheme: SchemeName) -> tuple[str, ...]:
    """Return the tags of the scheme that occur, O first, then label by label."""
    seen: set[str] = set()
    for sentence in sentences:
        if sentence.tags is None:
            raise VocabularyError(f"{sentence.where or sentence.text[:60]!r}: no tags to learn from")
        seen |= set(schemes.convert(sentence.tags, "IOB2", scheme))
    labels = sorted({schemes.split(tag)[1] for tag in seen} - {""})
    return tuple(tag for tag in schemes.tag_names(labels, scheme) if tag in seen or tag == "O")


def _names(sentences: Iterable[Sentence]) -> tuple[str, ...]:
    """Return labels whose slots mostly begin with a capital, in sentences with both small letters and capitals."""
    capitals: Counter[str] = Counter()
    for sentence in sentences:
        later = "".join(sentence.words[1:])
        if later.islower() or later.isupper():
            continue
        for span in schemes.spans(sentence.tags or ()):
            first = sentence.words[span.start][:1]
            if span.start and first.isalpha():
                capitals[span.label] += 1 if first.isupper() else -1
    return tuple(sorted(label for label, more in capitals.items() if more > 0))


def _frequent(counts: Counter[str], least: int) -> tuple[str, ...]:
    """Return items, most frequent first, then by alphabet: the same whatever the order of sentences."""
    kept = [item for item, count in counts.items() if count >= least]
    return tuple(sorted(kept, key=lambda item: (-counts[item], item)))


def _checked(name: str, value: Any) -> Any:
    """Return the value of a field, once its type is checked."""
    if name == "scheme":
        if value not in schemes.SCHEMES:
            raise VocabularyError(f"scheme is {value!r}")
        return value
    if name == "intent_labels":
        if not isinstance(value, list):
            raise VocabularyError("intent_labels is not a list")
        return tuple(_checked("one of intent_labels", labels) for labels in value)
    kind = int if name == "counts" else str
    if not isinstance(value, list) or not all(type(item) is kind for item in value):
        raise VocabularyError(f"{name} is not a list of {kind.__name__}")
    return tuple(value)
