"""Errors over words and characters."""

from pathlib import Path

import pytest

from asr.evaluation.error_rates import ErrorCount, character_errors, right_words, word_errors
from asr.evaluation.evaluation import Evaluation, format_metrics


def test_substitutions_deletions_insertions() -> None:
    count = word_errors(
        ["arrive taipei on november second", "go"], ["arrive taipei november third", "go now"]
    )
    assert (count.substitutions, count.deletions, count.insertions, count.total) == (1, 1, 1, 6)
    assert count.rate == pytest.approx(0.5)


@pytest.mark.parametrize("space", ["\t", "\n", "  ", "\u00a0", "\u2003"])
def test_any_white_space_separates_words(space: str) -> None:
    reference = f"to{space}boston"
    assert word_errors([reference], ["to boston"]) == ErrorCount(0, 0, 0, 2)
    assert right_words(["to boston"], [reference]) == [True, True]


def test_characters_of_a_language_without_spaces() -> None:
    count = character_errors(["好棒棒"], ["好棒"])
    assert (count.errors, count.total, count.deletions) == (1, 3, 1)


def test_empty_texts_count() -> None:
    assert word_errors(["", "a b"], ["x y", ""]) == ErrorCount(0, 2, 2, 2)
    assert word_errors([], []).rate == 0
    assert word_errors([""], ["x"]).rate == 1


def test_unequal_lists_are_refused() -> None:
    with pytest.raises(ValueError, match="1 references but 2"):
        word_errors(["a"], ["a", "b"])


def test_table_and_transcripts(tmp_path: Path) -> None:
    evaluation = Evaluation(["u1", "u2"], ["s", "s"], [1.0, 2.0], ["a b", "c"], ["a x", "c"], {})
    table = format_metrics({"dev": evaluation.to_dict(), "seed": 17})
    assert "33.33%" in table and "1 / 3" in table
    evaluation.write_transcripts(tmp_path / "t.tsv")
    assert (tmp_path / "t.tsv").read_text().splitlines()[1:] == ["u1\t1\t2\ta b\ta x", "u2\t0\t1\tc\tc"]


def test_right_words_by_the_fewest_edits() -> None:
    found = right_words(["a b c", "", "a"], ["a x c d", "b", ""])
    assert found == [True, False, True, False, False]
