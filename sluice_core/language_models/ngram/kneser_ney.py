"""Interpolated modified Kneser-Ney smoothing (Chen & Goodman 1998), with the details of KenLM's lmplz.

The details are those of Heafield et al. 2013, "Scalable Modified Kneser-Ney Language Model Estimation". The
adjusted count of an n-gram below the highest order is the number of different words that it follows (if it begins
with `<s>`, which no word precedes, how often it occurs). Each order has three discounts. Unigrams, `<unk>` among
them but not `<s>`, are interpolated with the uniform distribution over the vocabulary. For an n-gram h w of
adjusted count c

    P(w | h) = (c - D(c)) / sum of c over h + backoff(h) P(w | h without its first word)

where backoff(h) is the probability mass that the words after h leave. A pruned n-gram leaves all of its mass, so
that the probabilities after h sum to one with pruning too.

One difference remains: when lmplz estimates the discounts, it takes the last n-gram of each order, in its own
sorting, with its raw count instead of its adjusted count. The difference shows where few n-grams have small counts,
as among characters.
"""

import logging
from array import array
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from sluice_core.language_models.ngram.model import NGram
from sluice_core.language_models.ngram.trie import SortedLevel, assemble
from sluice_core.language_models.units import END, NEVER, RESERVED, START, LanguageModelError, Unit
from sluice_core.progress import track

log = logging.getLogger(__name__)

FALLBACK_DISCOUNTS = (0.5, 1.0, 1.5)
"""The discounts of counts 1, 2 and more where a text is too small to estimate them; lmplz has the same."""
START_ID, END_ID = RESERVED.index(START), RESERVED.index(END)


@dataclass
class NGramCounts:
    """The n-grams of one order that occur in a text, sorted by parent, then by last word."""

    parent: np.ndarray
    """int64 `[n]`: the place of the n-gram without its last word in the order below."""
    word: np.ndarray
    """int64 `[n]`: the id of the last word."""
    suffix: np.ndarray
    """int64 `[n]`: the place of the n-gram without its first word in the order below."""
    raw: np.ndarray
    """int64 `[n]`: how often the n-gram occurs."""
    adjusted: np.ndarray
    """int64 `[n]`: how many words it follows; for the highest order and after `<s>`, how often it occurs."""


def train(
    sentences: Iterable[Sequence[str]],
    order: int,
    *,
    unit: Unit = "word",
    prune: Sequence[int] = (),
    quiet: bool = False,
) -> NGram:
    """Estimate an n-gram model from sentences.

    >>> model = train([["to", "oslo"], ["to", "bergen"]], order=2, quiet=True)
    >>> model.score(["to", "oslo"]) > model.score(["oslo", "to"])
    True

    Args:
        sentences: The words (or characters) of each sentence, without `<s>` and `</s>`.
        order: The number of words in the longest n-grams.
        unit: Whether the "words" are words or characters. A model of characters knows the space, whether it
            occurs or not.
        prune: By order, leave out n-grams that occur this often or less; the last value serves all further
            orders. `(0, 0, 1)` leaves out trigrams and longer n-grams that occur once.
        quiet: Show no progress.

    Raises:
        LanguageModelError: there is no text, or `order` or `prune` makes no sense.
    """
    thresholds = _check(order, prune)
    words, tokens = _encode(sentences, unit, quiet)
    levels = _count(tokens, order, len(words))
    _adjust(levels)
    return NGram(order, unit, words, assemble(_estimate(levels, thresholds)))


def _check(order: int, prune: Sequence[int]) -> list[int]:
    """Return the pruning threshold of each order."""
    thresholds = [*prune, *[prune[-1] if prune else 0] * (order - len(prune))]
    if order < 1:
        raise LanguageModelError(f"the order of a language model is at least 1, not {order}")
    if len(prune) > order:
        raise LanguageModelError(
            f"{len(prune)} values to prune by, but the longest n-grams are {order}-grams"
        )
    if thresholds[0] != 0:
        raise LanguageModelError("words are not pruned: the first value to prune by is 0, as in 0 0 1")
    if thresholds != sorted(thresholds):
        raise LanguageModelError(
            f"values to prune by do not fall from one order to the next, as {' '.join(map(str, prune))} do: "
            "an n-gram is of no use without its parts"
        )
    return thresholds


def _encode(sentences: Iterable[Sequence[str]], unit: Unit, quiet: bool) -> tuple[list[str], np.ndarray]:
    """Return the vocabulary, and the whole text as int32 ids: <s> … </s> <s> … </s>."""
    ids: defaultdict[str, int] = defaultdict(lambda: len(ids))
    for word in [*RESERVED, *([" "] if unit == "character" else [])]:
        ids[word]
    found = array("i")
    for sentence in track(sentences, "reading sentences", quiet=quiet):
        found.append(START_ID)
        found.extend(map(ids.__getitem__, sentence))
        found.append(END_ID)
    if not found:
        raise LanguageModelError("there is no text to train a language model on: every line is empty")
    words = [*RESERVED, *sorted(ids.keys() - set(RESERVED))]  # the same whatever the order of sentences
    numbers = np.zeros(len(words), np.int32)
    numbers[[ids[word] for word in words]] = np.arange(len(words))
    return words, numbers[np.frombuffer(found, np.int32)]


def _count(tokens: np.ndarray, order: int, vocabulary: int) -> list[NGramCounts]:
    """Count the n-grams of every order; within an order, parent and last word identify one."""
    everything = np.arange(vocabulary)
    levels = [
        NGramCounts(
            np.zeros_like(everything), everything, np.zeros_like(everything),
            np.bincount(tokens, minlength=vocabulary), np.zeros_like(everything),
        )
    ]  # fmt: skip
    places = tokens.astype(np.int64)  # that the n-gram beginning at each position has in its level
    positions = np.arange(len(tokens))
    for size in range(2, order + 1):
        positions = positions[positions + size <= len(tokens)]
        # An n-gram that ends with <s> would reach into another sentence.
        positions = positions[tokens[positions + size - 1] != START_ID]
        keys = places[positions] * vocabulary + tokens[positions + size - 1]
        unique, first, inverse, raw = np.unique(
            keys, return_index=True, return_inverse=True, return_counts=True
        )
        suffix = places[positions[first] + 1]
        levels.append(NGramCounts(*np.divmod(unique, vocabulary), suffix, raw, raw))
        places[positions] = inverse
    return levels


def _adjust(levels: list[NGramCounts]) -> None:
    """Set the adjusted counts of all orders below the highest."""
    starts = np.arange(len(levels[0].word)) == START_ID  # whether an n-gram begins with <s>
    for level, above in pairwise(levels):
        before = np.bincount(above.suffix, minlength=len(level.word))
        level.adjusted = np.where(starts, level.raw, before)
        starts = starts[above.parent]
    if len(levels) == 1:
        levels[0].adjusted = levels[0].raw.copy()
    levels[0].adjusted[START_ID] = 0  # nothing predicts <s>


def _estimate(levels: Sequence[NGramCounts], thresholds: Sequence[int]) -> list[SortedLevel]:
    """Compute the probabilities and back-off weights of the n-grams that pruning leaves."""
    probabilities, kept = [], []
    backoffs = []  # of each level, beginning with the empty context
    below = np.full(1, 1 / (len(levels[0].word) - 1))  # uniform over all words except <s>
    for size, (level, threshold) in enumerate(zip(levels, thresholds, strict=True), start=1):
        keep = (level.raw > threshold) | (size == 1)
        discounts = _discounts(level.adjusted, size)
        own = np.where(keep, level.adjusted - discounts[np.minimum(level.adjusted, 3)], 0.0)
        # Without any n-gram, in a text shorter than the order, bincount returns integers.
        total = np.bincount(level.parent, level.adjusted, minlength=len(below)).astype(float)
        left = total - np.bincount(level.parent, own, minlength=len(below))
        backoff = np.divide(left, total, out=np.ones_like(left), where=total > 0)
        below = own / total[level.parent] + backoff[level.parent] * below[level.suffix]
        probabilities.append(below)
        backoffs.append(backoff)
        kept.append(keep)
    backoffs.append(np.ones(len(below)))
    return _drop_pruned(levels, kept, probabilities, backoffs[1:])


def _discounts(counts: np.ndarray, size: int) -> np.ndarray:
    """Return the discounts of counts 0, 1, 2, and 3 or more: equation 26 of Chen & Goodman."""
    n = np.bincount(np.minimum(counts, 5), minlength=6)[:5].astype(float)
    if n[1:4].all():
        y = n[1] / (n[1] + 2 * n[2])
        j = np.arange(1, 4)
        discounts = j - (j + 1) * y * n[2:5] / n[1:4]
        if (discounts > 0).all():
            return np.array([0.0, *discounts])
    if len(counts):
        log.warning(
            "language model: the text is too small or too regular to estimate the discounts of %d-grams (%d, %d, %d "
            "and %d of them count 1, 2, 3 and 4); taking %g, %g and %g",
            size, *n[1:].astype(int), *FALLBACK_DISCOUNTS,
        )  # fmt: skip
    return np.array([0.0, *FALLBACK_DISCOUNTS])


def _drop_pruned(
    levels: Sequence[NGramCounts],
    kept: Sequence[np.ndarray],
    probabilities: Sequence[np.ndarray],
    backoffs: Sequence[np.ndarray],
) -> list[SortedLevel]:
    """Return the kept n-grams with natural logs; the parents of kept n-grams are kept themselves."""
    sorted_levels = []
    places = np.zeros(1, np.int64)  # that the n-grams of the level below have among those kept
    for level, keep, probability, backoff in zip(levels, kept, probabilities, backoffs, strict=True):
        with np.errstate(divide="ignore"):  # the probability of <s> is 0; its log is set below
            log_prob = np.log(probability[keep]).astype(np.float32)
        sorted_levels.append(
            SortedLevel(
                places[level.parent[keep]],
                level.word[keep],
                log_prob,
                np.log(backoff[keep]).astype(np.float32),
            )
        )
        places = np.cumsum(keep) - 1
    sorted_levels[0].log_prob[START_ID] = NEVER
    return sorted_levels
