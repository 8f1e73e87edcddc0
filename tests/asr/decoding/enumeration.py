"""What a beam search ought to find: all paths and labellings tried, language scores in plain Python."""

import itertools
import math
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from asr.acoustic.ctc import collapse
from asr.tokens import Tokens
from sluice_core.language_models.ngram import NGram

Scores = dict[tuple[int, ...], float]


def all_labellings(log_probs: np.ndarray) -> Scores:
    """Log-probability of every labelling of `[steps, tokens]`, summed over its paths."""
    totals: dict[tuple[int, ...], float] = defaultdict(float)
    steps, size = log_probs.shape
    probabilities = np.exp(log_probs.astype(np.float64))
    for path in itertools.product(range(size), repeat=steps):
        totals[tuple(collapse(path))] += math.prod(
            float(probabilities[step, token]) for step, token in enumerate(path)
        )
    return {labelling: math.log(total) for labelling, total in totals.items() if total > 0}


def ranked(
    scores: Scores, language: Callable[[tuple[int, ...]], float]
) -> list[tuple[tuple[int, ...], float]]:
    """Labellings by acoustic and language score together, best first; what is impossible is left out."""
    totals = ((labelling, score + language(labelling)) for labelling, score in scores.items())
    return sorted((each for each in totals if each[1] > -math.inf), key=lambda each: -each[1])


def distinct(ranking: Sequence[tuple[tuple[int, ...], float]], tokens: Tokens) -> list[tuple[str, float]]:
    """The first of each text."""
    best: dict[str, float] = {}
    for labelling, score in ranking:
        best.setdefault(text_of(labelling, tokens), score)
    return list(best.items())


def text_of(labelling: Sequence[int], tokens: Tokens) -> str:
    """Its words with single spaces between."""
    return " ".join(tokens.decode(labelling).split())


def word_score(
    words: Sequence[str],
    model: NGram | None,
    weight: float = 0.0,
    bonus: float = 0.0,
    unknown_score: float = -10.0,
    closed: bool = False,
    lexicon: Sequence[str] = (),
) -> float:
    """Weighted score of words and the end, and bonuses; -inf if a word is not in a closed lexicon."""
    if closed and not set(words) <= set(lexicon):
        return -math.inf
    total = bonus * len(words)
    if model is not None:
        *scores, end = model.scores(words)
        knows = model.scores(["<unk>"], start=False, end=False)[0] > -200
        for word, score in zip(words, scores, strict=True):
            unknown = min(score, unknown_score) if knows else unknown_score
            total += weight * (score if word in model.ids else unknown)
        total += weight * end
    return total


def hot_score(text: str, boosts: Mapping[str, float], spaced: bool = True) -> float:
    """The boosts of all phrases that a text has, as whole words where there are spaces."""
    if not spaced:
        return sum(
            boost * sum(text.startswith(phrase, place) for place in range(len(text)))
            for phrase, boost in boosts.items()
        )
    words, total = text.split(), 0.0
    for phrase, boost in boosts.items():
        wanted = phrase.split()
        total += boost * sum(words[a : a + len(wanted)] == wanted for a in range(len(words)))
    return total
