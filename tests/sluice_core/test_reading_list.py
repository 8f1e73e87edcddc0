"""Sentences to read cover what all sentences say."""

from random import Random

import pytest

from sluice_core.reading_list import choose_sentences

CITIES = ["oslo", "rome", "lima", "kyoto", "quito", "cairo", "delhi", "accra"]
TEXTS = [f"{verb} from {a} to {b}" for verb in ("fly", "go") for a in CITIES for b in CITIES if a != b]


def words(texts: list[str]) -> set[str]:
    return {word for text in texts for word in text.split()}


def test_few_sentences_have_all_words() -> None:
    chosen = choose_sentences(TEXTS, 5)
    assert len(chosen) == len(set(chosen)) == 5
    assert set(chosen) <= set(TEXTS)
    assert words(chosen) == words(TEXTS)
    random = Random(0)
    assert (
        sum(words(random.sample(TEXTS, 5)) == words(TEXTS) for _ in range(100)) < 10
    )  # chance does not do it


def test_further_sentences_come_after_those_chosen_before() -> None:
    assert choose_sentences(TEXTS, 12)[:7] == choose_sentences(TEXTS, 7)


def test_no_more_than_there_are_and_each_once() -> None:
    assert sorted(choose_sentences(["a b", "a b", "c"], 10)) == ["a b", "c"]
    assert choose_sentences([], 3) == []


def test_a_rare_word_comes_before_a_frequent_one_again() -> None:
    assert "play jazz" in choose_sentences(["stop the music"] * 50 + ["stop music"] * 50 + ["play jazz"], 2)


@pytest.mark.parametrize("text", ["a", "我 要 咖啡", "x" * 300])
def test_words_of_any_length(text: str) -> None:
    assert choose_sentences([text], 1) == [text]
