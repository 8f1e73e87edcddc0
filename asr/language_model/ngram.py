"""A back-off n-gram language model: scores, states, files."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np
from numba import njit

from asr.language_model.trie import ROOT, Level, Trie, assemble, find_child, sort_levels
from training.errors import UserError

Unit = Literal["word", "character"]

UNKNOWN, START, END = "<unk>", "<s>", "</s>"
RESERVED = (UNKNOWN, START, END)
"""The first words of every vocabulary; no text has them."""

NEVER = -99 * math.log(10)
"""Log-probability of what is never predicted, as SRILM writes it: of `<s>`, and of unknown words in a
closed vocabulary."""


class LanguageModelError(UserError):
    """A language model's file or training text is not what it should be; says where and why."""


@njit(cache=True, nogil=True)
def lookup(first_child, word, log_prob, backoff, suffix, node, word_id):  # type: ignore[no-untyped-def]
    """The probability of a word after a context, and the context with the word in it.

    Args:
        first_child, word, log_prob, backoff, suffix: the trie's arrays.
        node: the context.
        word_id: the word's number, 0 (`<unk>`) for unknown ones.

    Returns:
        Natural log of the probability, and the next context: the longest suffix of both that says
        anything about the word to come.
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


@njit(cache=True, nogil=True)
def _walk(first_child, word, log_prob, backoff, suffix, node, ids, scores):  # type: ignore[no-untyped-def]
    """Fill `scores` [n] with the log-probability of each of `ids` [n] after `node` and those before it."""
    for place in range(len(ids)):
        scores[place], node = lookup(first_child, word, log_prob, backoff, suffix, node, ids[place])


class NGram:
    """A back-off n-gram over words or characters."""

    def __init__(self, order: int, unit: Unit, words: Sequence[str], trie: Trie) -> None:
        """Take over a model; `build`, `load` and `kneser_ney.train` make one.

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
        filled = {**{(word,): (NEVER, 0.0) for word in RESERVED}, **entries}
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

    def encode(self, words: Sequence[str]) -> np.ndarray:
        """The numbers of words: int64 [words]; 0 for unknown ones."""
        return np.array([self.ids.get(word, 0) for word in words], np.int64)
