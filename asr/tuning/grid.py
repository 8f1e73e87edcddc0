"""Grid search for the weight of a language model and the word bonus on a dev split."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Any

import numpy as np

from asr.decoding import BeamSearch, Decoder
from asr.decoding.config import DecodingConfig
from asr.evaluation.error_rates import ErrorCount, character_errors, word_errors
from asr.tokens import Tokens
from sluice_core.progress import track

WEIGHTS = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0, 1.3, 1.6, 2.0)
BONUSES = (-1.0, 0.0, 1.0, 2.0, 3.0, 4.0)
FOLDS = 2


@dataclass(frozen=True)
class SplitEmissions:
    """The emissions of a split, computed once for all settings that are tried on them."""

    log_probs: list[np.ndarray]
    """`[batch, time, tokens]` natural logs of each batch."""
    lengths: list[np.ndarray]
    """`[batch]` int64 steps of each batch."""
    references: list[str]
    """What was said in each utterance."""
    speakers: list[str]
    """Who said each utterance."""

    def decode(self, decoder: Decoder, tokens: Tokens) -> list[str]:
        """Return the best text of every utterance."""
        hypotheses: list[str] = []
        for log_probs, lengths in zip(self.log_probs, self.lengths, strict=True):
            best = (found[0] for found in decoder.decode(log_probs, lengths))
            hypotheses += [" ".join(tokens.decode(each.tokens).split()) for each in best]
        return hypotheses


@dataclass(frozen=True)
class GridPoint:
    """The errors with one weight and one bonus."""

    settings: DecodingConfig
    hypotheses: list[str] = field(repr=False)
    words: ErrorCount
    characters: ErrorCount

    @property
    def rank(self) -> tuple[int, int, float]:
        """Key for the order of points, of which the lowest is best: word errors, character errors, weight."""
        return self.words.errors, self.characters.errors, self.settings.weight

    def to_dict(self) -> dict[str, Any]:
        """Return the figures as plain values."""
        return {
            "weight": self.settings.weight,
            "word_bonus": self.settings.word_bonus,
            "words": self.words.to_dict(),
            "characters": self.characters.to_dict(),
        }


@dataclass(frozen=True)
class Tuning:
    """All points of a grid search, and the errors to expect of the best."""

    points: list[GridPoint]
    cross_validated: ErrorCount
    """Word errors where each half of the speakers is decoded with what suits the other half best, as an estimate for
    utterances that had no influence on the choice."""

    @property
    def best(self) -> GridPoint:
        """The point with the fewest errors."""
        return min(self.points, key=lambda point: point.rank)


def tune(
    emissions: SplitEmissions,
    search: BeamSearch,
    *,
    weights: Sequence[float] = WEIGHTS,
    bonuses: Sequence[float] = BONUSES,
    quiet: bool = False,
) -> Tuning:
    """Decode with every weight and every bonus, then once more with values around the best of them.

    Args:
        emissions: the emissions of a split.
        search: the search whose weight and bonus are chosen; its other settings stay.
        weights: weights to try, ascending; a single one stays as it is.
        bonuses: word bonuses to try, ascending; a single one stays as it is.
        quiet: show no progress.
    """
    tried = list(product(weights, bonuses))
    points = [_evaluate(emissions, search, *pair) for pair in track(tried, "tuning", quiet=quiet)]
    best = min(points, key=lambda point: point.rank).settings
    around = product(_around(best.weight, weights, 0.0), _around(best.word_bonus, bonuses))
    nearby = [pair for pair in around if pair not in tried]
    points += [_evaluate(emissions, search, *pair) for pair in track(nearby, "refining", quiet=quiet)]
    return Tuning(points, _cross_validate(points, emissions))


def _around(best: float, tried: Sequence[float], least: float = -np.inf) -> list[float]:
    """Return the best value and the values half way to its neighbours, none below `least`."""
    if len(tried) == 1:
        return [best]
    place = list(tried).index(best)
    below = best - tried[place - 1] if place else tried[1] - best
    above = tried[place + 1] - best if place + 1 < len(tried) else below
    return sorted({max(least, round(best - below / 2, 3)), best, round(best + above / 2, 3)})


def _evaluate(emissions: SplitEmissions, search: BeamSearch, weight: float, bonus: float) -> GridPoint:
    settings = search.settings.model_copy(update={"weight": weight, "word_bonus": bonus})
    hypotheses = emissions.decode(search.with_settings(settings), search.tokens)
    references = emissions.references
    errors = word_errors(references, hypotheses), character_errors(references, hypotheses)
    return GridPoint(settings, hypotheses, *errors)


def _cross_validate(points: list[GridPoint], emissions: SplitEmissions) -> ErrorCount:
    """Count errors on each fold with the best point of the other; folds are of speakers, or of utterances."""
    groups = emissions.speakers if len(set(emissions.speakers)) >= FOLDS else range(len(emissions.references))
    numbers = {group: number % FOLDS for number, group in enumerate(dict.fromkeys(groups))}
    fold_of = [numbers[group] for group in groups]
    references: list[str] = []
    hypotheses: list[str] = []
    for fold in range(FOLDS):
        inside = [item for item, number in enumerate(fold_of) if number == fold]
        outside = [item for item, number in enumerate(fold_of) if number != fold]
        best = min(points, key=lambda point: _errors(point, emissions, outside))
        references += [emissions.references[item] for item in inside]
        hypotheses += [best.hypotheses[item] for item in inside]
    return word_errors(references, hypotheses)


def _errors(point: GridPoint, emissions: SplitEmissions, items: Sequence[int]) -> tuple[int, int, float]:
    """Return a point's rank on some utterances."""
    references = [emissions.references[item] for item in items]
    hypotheses = [point.hypotheses[item] for item in items]
    counts = word_errors(references, hypotheses), character_errors(references, hypotheses)
    return counts[0].errors, counts[1].errors, point.settings.weight
