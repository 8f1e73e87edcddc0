"""A back-off n-gram language model: its scores and states."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np

from sluice_core.jit import compiled
from sluice_core.language_models.ngram.trie import ROOT, Level, NGramTrie, assemble, find_child, sort_levels
from sluice_core.language_models.units import END, NEVER, RESERVED, START, LanguageModelError, Unit


@compiled
def lookup(first_child, word, log_prob, backoff, suffix, node, word_id):  # type: ignore[no-untyped-def]
    """The probability of a word after a context, and the context with the word in it.

    The first five arguments are the trie's arrays, `node` is the context, and `word_id` the word's number, 0
    (`<unk>`) for unknown ones. Returns the natural log of the probability and the next context: the longest
    suffix of both that says anything about the word to come.
    """
    total = 0.0
    found = find_child(first_child, word, node, word_id)
    while found < 0:
        total += backoff[node]
        node = suffix[node]
        found = find_child(first_child, word, node, word_id)
    total += log_prob[found]
    while found != ROOT and first_child[found] == first_child[found + 1] and backoff[found] == 0:
        found = suffix[found]
    return total, found


@compiled
def _walk(first_child, word, log_prob, backoff, suffix, node, ids, scores):  # type: ignore[no-untyped-def]
    """Fill `scores` [n] with the log-probability of each of `ids` [n] after `node` and those before it."""
    for place in range(len(ids)):
        scores[place], node = lookup(first_child, word, log_prob, backoff, suffix, node, ids[place])


@dataclass(frozen=True)
class TextScore:
    """What a model makes of a text."""

    sentences: int
    words: int
    unknown: int
    """Words that the model does not know; they count with the probability of `<unk>`."""
    log_prob: float
    """Natural log of the text's probability, ends of sentences included."""
    end_log_prob: float
    """The share of the ends of sentences in it."""
    unknown_log_prob: float
    """The share of the unknown words in it."""

    @property
    def log10_prob(self) -> float:
        """As other toolkits print it."""
        return self.log_prob / math.log(10)

    @property
    def perplexity(self) -> float:
        """Per word, the end of each sentence counted as one."""
        return _perplexity(self.log_prob, self.words + self.sentences)

    @property
    def perplexity_without_ends(self) -> float:
        """Per word, the ends of sentences left out."""
        return _perplexity(self.log_prob - self.end_log_prob, self.words)

    @property
    def perplexity_of_known(self) -> float:
        """Per known word, the end of each sentence counted as one."""
        known = self.words - self.unknown + self.sentences
        return _perplexity(self.log_prob - self.unknown_log_prob, known)


def _perplexity(log_prob: float, count: int) -> float:
    return math.exp(-log_prob / count) if count else math.nan


class NGram:
    """A back-off n-gram over words or characters."""

    def __init__(self, order: int, unit: Unit, words: Sequence[str], trie: NGramTrie) -> None:
        """Take over a model; `build`, `load_ngram` and `kneser_ney.train` make one.

        Args:
            order: words of the longest n-grams.
            unit: what a "word" is.
            words: the vocabulary by number: `<unk>`, `<s>`, `</s>`, then the rest.
            trie: the n-grams, whose unigrams are the whole vocabulary.
        """
        self.order = order
        self.unit = unit
        self.words = list(words)
        self.trie = trie
        self.first_child, self.word, self.log_prob, self.backoff, self.suffix = trie

    @cached_property
    def ids(self) -> dict[str, int]:
        """Every word's number."""
        return {word: number for number, word in enumerate(self.words)}

    @property
    def start_state(self) -> int:
        """The context at the start of a sentence."""
        return 1 + RESERVED.index(START)

    @property
    def level_bounds(self) -> list[int]:
        """Where the nodes of each order begin, and where the last ones end: [order + 1]."""
        bounds = [1]
        for _ in range(self.order):
            bounds.append(int(self.first_child[bounds[-1]]))
        return bounds

    @property
    def sizes(self) -> list[int]:
        """The number of n-grams of each order."""
        return [end - begin for begin, end in pairwise(self.level_bounds)]

    @classmethod
    def build(cls, order: int, unit: Unit, entries: Mapping[tuple[str, ...], tuple[float, float]]) -> "NGram":
        """A model of n-grams written out.

        Args:
            order: words of the longest n-grams.
            unit: what a "word" is.
            entries: (natural log-probability, natural log of the back-off weight) of each n-gram. Every
                word needs its unigram; `<unk>` and `<s>` are added with a probability of nearly nothing.

        >>> model = NGram.build(1, "word", {("yes",): (-0.7, 0.0), ("</s>",): (-0.7, 0.0)})
        >>> round(model.score(["yes"]), 2)
        -1.4
        """
        filled: dict[tuple[str, ...], tuple[float, float]] = {(word,): (NEVER, 0.0) for word in RESERVED}
        filled.update(entries)
        words = [*RESERVED, *sorted({n[0] for n in filled if len(n) == 1} - set(RESERVED))]
        ids = {word: number for number, word in enumerate(words)}
        levels = []
        for size in range(1, order + 1):
            ngrams = [ngram for ngram in filled if len(ngram) == size]
            try:
                numbers = np.array([[ids[word] for word in ngram] for ngram in ngrams], np.int32)
            except KeyError as error:
                raise LanguageModelError(f"the word {error} stands in an n-gram but has no unigram") from None
            values = np.array([filled[ngram] for ngram in ngrams], np.float32).reshape(-1, 2)
            levels.append(Level(numbers.reshape(-1, size), values[:, 0], values[:, 1]))
        return cls(order, unit, words, assemble(sort_levels(levels, len(words))))

    def score(self, words: Sequence[str], *, start: bool = True, end: bool = True) -> float:
        """Natural log of a word sequence's probability.

        Args:
            words: words (or characters); unknown ones get the probability of `<unk>`.
            start: the sequence begins a sentence.
            end: it ends there too; the end is a prediction like that of a word.
        """
        return float(self.scores(words, start=start, end=end).sum())

    def scores(self, words: Sequence[str], *, start: bool = True, end: bool = True) -> np.ndarray:
        """The natural log-probability of each word, and of the end if asked for: float64 [words (+ 1)]."""
        ids = self.encode(words)
        if end:
            ids = np.append(ids, RESERVED.index(END))
        scores = np.zeros(len(ids))
        _walk(*self.trie, self.start_state if start else ROOT, ids, scores)
        return scores

    def score_text(self, sentences: Iterable[Sequence[str]]) -> TextScore:
        """Score sentences, each from its start to its end."""
        count = words = unknown = 0
        total = ends = unknowns = 0.0
        for sentence in sentences:
            scores = self.scores(sentence)
            strange = self.encode(sentence) == 0
            count += 1
            words += len(sentence)
            unknown += int(strange.sum())
            total += float(scores.sum())
            ends += float(scores[-1])
            unknowns += float(scores[:-1][strange].sum())
        return TextScore(count, words, unknown, total, ends, unknowns)

    def perplexity(self, sentences: Iterable[Sequence[str]]) -> float:
        """Per word, the end of each sentence counted as one; `score_text` tells more."""
        return self.score_text(sentences).perplexity

    def encode(self, words: Sequence[str]) -> np.ndarray:
        """The numbers of words: int64 [words]; 0 for unknown ones."""
        return np.array([self.ids.get(word, 0) for word in words], np.int64)
