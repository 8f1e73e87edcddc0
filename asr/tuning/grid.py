"""How much to trust a language model: its weight and the bonus of a word, chosen on the dev split."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Any

import numpy as np
from torch import Tensor

from asr.config import DecodingConfig
from asr.decoding import BeamSearch, Decoder
from asr.evaluation.error_rates import ErrorCount, character_errors, word_errors
from asr.tokens import Tokens
from sluice_core.progress import track

WEIGHTS = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0, 1.3, 1.6, 2.0)
BONUSES = (-1.0, 0.0, 1.0, 2.0, 3.0, 4.0)
FOLDS = 2


@dataclass(frozen=True)
class Emissions:
    """Posteriors of a split, computed once for all that is tried on them."""

    log_probs: list[Tensor]
    """`[batch, steps, tokens]` natural logs of each batch."""
    lengths: list[Tensor]
    """`[batch]` int64 steps."""
    references: list[str]
    speakers: list[str]

    def decode(self, decoder: Decoder, tokens: Tokens) -> list[str]:
        """The best text of every utterance."""
        hypotheses: list[str] = []
        for log_probs, lengths in zip(self.log_probs, self.lengths, strict=True):
            best = (found[0] for found in decoder.decode(log_probs, lengths))
            hypotheses += [" ".join(tokens.decode(each.tokens).split()) for each in best]
        return hypotheses


@dataclass(frozen=True)
class Trial:
    """What one weight and bonus give."""

    settings: DecodingConfig
    hypotheses: list[str] = field(repr=False)
    words: ErrorCount
    characters: ErrorCount

    @property
    def rank(self) -> tuple[int, int, float]:
        """Lower is better: errors over words, then over characters, then the smaller weight."""
        return self.words.errors, self.characters.errors, self.settings.weight

    def to_dict(self) -> dict[str, Any]:
        """The figures as plain values."""
        return {
            "weight": self.settings.weight,
            "word_bonus": self.settings.word_bonus,
            "words": self.words.to_dict(),
            "characters": self.characters.to_dict(),
        }


@dataclass(frozen=True)
class Tuning:
    """All trials, and what they are worth."""

    trials: list[Trial]
    crossed: ErrorCount
    """Errors over words where each half of the speakers is decoded with what suits the other half best: what to
    expect of utterances that had no part in the choice."""

    @property
    def best(self) -> Trial:
        """The trial with the fewest errors."""
        return min(self.trials, key=lambda trial: trial.rank)


def tune(
    emissions: Emissions,
    search: BeamSearch,
    *,
    weights: Sequence[float] = WEIGHTS,
    bonuses: Sequence[float] = BONUSES,
    quiet: bool = False,
) -> Tuning:
    """Decode with every weight and bonus, then once more around the best of them; a single value stands as it is."""
    tried = list(product(weights, bonuses))
    trials = [_try(emissions, search, *pair) for pair in _shown(tried, "tuning", quiet)]
    best = min(trials, key=lambda trial: trial.rank).settings
    around = product(_around(best.weight, weights, 0.0), _around(best.word_bonus, bonuses))
    nearby = [pair for pair in around if pair not in tried]
    trials += [_try(emissions, search, *pair) for pair in _shown(nearby, "refining", quiet)]
    return Tuning(trials, _cross_validate(trials, emissions))


def _shown(pairs: Iterable[tuple[float, float]], title: str, quiet: bool) -> Iterable[tuple[float, float]]:
    listed = list(pairs)
    return track(listed, title, quiet=quiet)


def _around(best: float, tried: Sequence[float], least: float = -np.inf) -> list[float]:
    """Values half way to the neighbours of the best one, and it itself."""
    if len(tried) == 1:
        return [best]
    place = list(tried).index(best)
    below = best - tried[place - 1] if place else tried[1] - best
    above = tried[place + 1] - best if place + 1 < len(tried) else below
    return sorted({max(least, round(best - below / 2, 3)), best, round(best + above / 2, 3)})


def _try(emissions: Emissions, search: BeamSearch, weight: float, bonus: float) -> Trial:
    settings = search.settings.model_copy(update={"weight": weight, "word_bonus": bonus})
    hypotheses = emissions.decode(search.with_settings(settings), search.tokens)
    references = emissions.references
    errors = word_errors(references, hypotheses), character_errors(references, hypotheses)
    return Trial(settings, hypotheses, *errors)


def _cross_validate(trials: list[Trial], emissions: Emissions) -> ErrorCount:
    """Choose on each fold's complement, count on the fold; folds are of speakers, or utterances if there is one."""
    groups = emissions.speakers if len(set(emissions.speakers)) >= FOLDS else range(len(emissions.references))
    numbers = {group: number % FOLDS for number, group in enumerate(dict.fromkeys(groups))}
    fold_of = [numbers[group] for group in groups]
    references: list[str] = []
    hypotheses: list[str] = []
    for fold in range(FOLDS):
        inside = [item for item, number in enumerate(fold_of) if number == fold]
        outside = [item for item, number in enumerate(fold_of) if number != fold]
        best = min(trials, key=lambda trial: _errors(trial, emissions, outside))
        references += [emissions.references[item] for item in inside]
        hypotheses += [best.hypotheses[item] for item in inside]
    return word_errors(references, hypotheses)


def _errors(trial: Trial, emissions: Emissions, items: Sequence[int]) -> tuple[int, int, float]:
    """A trial's rank on some utterances."""
    references = [emissions.references[item] for item in items]
    hypotheses = [trial.hypotheses[item] for item in items]
    counts = word_errors(references, hypotheses), character_errors(references, hypotheses)
    return counts[0].errors, counts[1].errors, trial.settings.weight
