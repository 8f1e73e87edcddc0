"""Tuning on posteriors made by hand: what the language model must say is known."""

import numpy as np
import pytest

from asr.decoding import BeamSearch
from asr.decoding.config import DecodingConfig
from asr.evaluation.error_rates import word_errors
from asr.tokens import Tokens
from asr.tuning import SplitEmissions, tune
from sluice_core.language_models.ngram import NGram

TOKENS = Tokens(["<blank>", " ", "a", "b"])


def heard(text: str, other: str, doubt: float) -> np.ndarray:
    """Log-posteriors `[time, 4]` of a text of which each letter may be its neighbour in `other`."""
    steps = []
    for letter, wrong in zip(text, other, strict=True):
        row = np.full(4, 0.01, np.float32)
        row[TOKENS.symbols.index(letter)] += 0.96 - doubt
        row[TOKENS.symbols.index(wrong)] += doubt
        blank = np.array([0.97, 0.01, 0.01, 0.01], np.float32)
        steps += [row, blank]
    return np.log(np.stack(steps))


def emissions(texts: list[tuple[str, str]], doubt: float) -> SplitEmissions:
    rows = [heard(text, other, doubt) for text, other in texts]
    lengths = np.array([len(row) for row in rows])
    padded = np.full((len(rows), lengths.max(), 4), np.nan, np.float32)
    for row, padded_row in zip(rows, padded, strict=True):
        padded_row[: len(row)] = row
    speakers = [f"s{item}" for item in range(len(texts))]
    return SplitEmissions([padded], [lengths], [text for text, _ in texts], speakers)


def model() -> NGram:
    """Knows "aa" and "bb"; "ab" and "ba" are unknown."""
    return NGram.build(
        1, "word", {(word,): (-1.1, 0.0) for word in ("aa", "bb", "</s>")} | {("<unk>",): (-9.0, 0.0)}
    )


def test_the_weight_that_reads_right_is_found() -> None:
    # Each word's second letter is heard wrong by a little: the model knows better, if it is asked.
    said = emissions([("aa bb", "ab ba"), ("bb aa", "ba ab"), ("aa", "ab"), ("bb bb", "ba bb")], 0.5)
    search = BeamSearch(TOKENS, DecodingConfig(method="beam", beam=16), model())
    tuning = tune(said, search, weights=(0.0, 0.5, 1.0), bonuses=(0.0, 1.0), quiet=True)
    without = next(t for t in tuning.points if (t.settings.weight, t.settings.word_bonus) == (0.0, 0.0))
    assert without.words.errors > 3
    assert tuning.best.words.errors == 0 and tuning.best.settings.weight > 0
    assert tuning.best.words == word_errors(said.references, tuning.best.hypotheses)
    assert tuning.cross_validated.errors == 0 and tuning.cross_validated.total == 7
    assert len({(t.settings.weight, t.settings.word_bonus) for t in tuning.points}) > 6  # refined


def test_what_suits_one_speaker_is_not_counted_as_good_for_another() -> None:
    # The first speaker says what the model knows, the second what it does not: each alone would choose otherwise.
    said = emissions([("aa bb aa", "ab ba ab"), ("ab ba ab", "aa bb aa")], 0.5)
    search = BeamSearch(TOKENS, DecodingConfig(method="beam", beam=16), model())
    tuning = tune(said, search, weights=(0.0, 1.0), bonuses=(0.0,), quiet=True)
    assert tuning.best.words.errors == 3
    assert tuning.cross_validated.errors == 6


def test_equal_errors_choose_the_smaller_weight() -> None:
    said = emissions([("aa bb", "aa bb")], 0.0)
    search = BeamSearch(TOKENS, DecodingConfig(method="beam", beam=4), model())
    assert tune(said, search, quiet=True).best.settings.weight == pytest.approx(0.0)
