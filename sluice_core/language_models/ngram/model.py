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
    """Look up the probability of a word after a context, and the context that follows.

    The first five arguments are the trie's arrays (see `NGramTrie`), `node` is the context, and `word_id` the
    number of the word: 0 (`<unk>`) if it is unknown. Returns the natural log of the probability and the next
    context: the longest suffix of the context and the word that says anything about the word to come.
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
    """Fill `scores` `[words]` with the log-probability of each of `ids` `[words]` after `node` and those before it."""
    for place in range(len(ids)):
        scores[place], node = lookup(first_child, word, log_prob, backoff, suffix, node, ids[place])


@dataclass(frozen=True)
class TextScore:
    """How probable a model finds a text."""

    sentences: int
    words: int
    unknown: int
    """How many words the model does not know; each has the probability of `<unk>`."""
    log_prob: float
    """The natural log of the text's probability, ends of sentences included."""
    end_log_prob: float
    """What the ends of sentences contribute to `log_prob`."""
    unknown_log_prob: float
    """What unknown words contribute to `log_prob`."""

    @property
    def log10_prob(self) -> float:
        """The log of the text's probability to base 10, as other toolkits print it."""
        return self.log_prob / math.log(10)

    @property
    def perplexity(self) -> float:
        """The perplexity per word, where the end of a sentence counts as a word."""
        return _perplexity(self.log_prob, self.words + self.sentences)

    @property
    def perplexity_without_ends(self) -> float:
        """The perplexity per word, with the ends of sentences left out."""
        return _perplexity(self.log_prob - self.end_log_prob, self.words)

    @property
    def perplexity_of_known(self) -> float:
        """The perplexity per known word, where the end of a sentence counts as a known word."""
        known = self.words - self.unknown + self.sentences
        return _perplexity(self.log_prob - self.unknown_log_prob, known)


def _perplexity(log_prob: float, count: int) -> float:
    """Return the perplexity of `count` predictions; NaN for none."""
    return math.exp(-log_prob / count) if count else math.nan


class NGram:
    """A back-off n-gram language model over words or characters.

    `ngram.load_ngram` reads one from a file, `ngram.kneser_ney.train` estimates one from text, and `build` makes
    one of given probabilities.
    """

    def __init__(self, order: int, unit: Unit, words: Sequence[str], trie: NGramTrie) -> None:
        """Make a model of a finished trie.

        Args:
            order: The number of words in the longest n-grams.
            unit: Whether the "words" are words or characters.
            words: The vocabulary by number: `<unk>`, `<s>`, `</s>`, then the rest.
            trie: The n-grams, whose unigrams are the whole vocabulary.
        """
        self.order = order
        self.unit = unit
        self.words = list(words)
        self.trie = trie
        self.first_child, self.word, self.log_prob, self.backoff, self.suffix = trie

    @cached_property
    def ids(self) -> dict[str, int]:
        """The number of each word."""
        return {word: number for number, word in enumerate(self.words)}

    @property
    def start_state(self) -> int:
        """The node of the context at the start of a sentence."""
        return 1 + RESERVED.index(START)

    @property
    def level_bounds(self) -> list[int]:
        """Where the nodes of each order begin, and where those of the last order end: `[order + 1]`."""
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
        """Build a model of given probabilities.

        Args:
            order: The number of words in the longest n-grams.
            unit: Whether the "words" are words or characters.
            entries: The natural logs of the probability and of the back-off weight of each n-gram. Every word
                needs its unigram; `<unk>` and `<s>` are added with a probability of nearly nothing.

        >>> model = NGram.build(1, "word", {("yes",): (-0.7, 0.0), ("</s>",): (-0.7, 0.0)})
        >>> round(model.score(["yes"]), 2)
        -1.4

        Raises:
            LanguageModelError: a word of an n-gram has no unigram.
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
        """Return the natural log of the probability of a sequence of words.

        Args:
            words: Words (or characters); unknown ones have the probability of `<unk>`.
            start: Whether the sequence begins a sentence.
            end: Whether it ends the sentence; the end is predicted as a word is.
        """
        return float(self.scores(words, start=start, end=end).sum())

    def scores(self, words: Sequence[str], *, start: bool = True, end: bool = True) -> np.ndarray:
        """Return the natural log-probability of each word, and of the end if asked for: float64 `[words (+ 1)]`."""
        ids = self.encode(words)
        if end:
            ids = np.append(ids, RESERVED.index(END))
        scores = np.zeros(len(ids))
        _walk(*self.trie, self.start_state if start else ROOT, ids, scores)
        return scores

    def score_text(self, sentences: Iterable[Sequence[str]]) -> TextScore:
        """Score the sentences of a text, each from its start to its end."""
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
        """Return the perplexity per word, where the end of a sentence counts as a word; `score_text` tells more."""
        return self.score_text(sentences).perplexity

    def encode(self, words: Sequence[str]) -> np.ndarray:
        """Return the numbers of words, 0 for unknown ones: int64 `[words]`."""
        return np.array([self.ids.get(word, 0) for word in words], np.int64)
