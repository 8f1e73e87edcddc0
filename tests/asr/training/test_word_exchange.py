"""Words that change places between a speaker's utterances, with their sound."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from asr.training.word_exchange import WordExchange, WordSegment, cut_words, load_words, save_words
from asr.transcript import Word

RATE = 1000
LEVELS = {"one": 0.1, "two": 0.2, "three": 0.3, "four": 0.4}


def utterance(text: str, gap: int = 50) -> tuple[np.ndarray, list[WordSegment]]:
    """A word is 100 samples of its own level, after a gap of zeros."""
    parts, words, place = [], [], 0
    for word in text.split():
        parts += [np.zeros(gap, np.float32), np.full(100, LEVELS[word], np.float32)]
        words.append(WordSegment(word, place + gap, place + gap + 100))
        place += gap + 100
    return np.concatenate([*parts, np.zeros(gap, np.float32)]), words


def heard(samples: np.ndarray) -> list[str]:
    """The words of utterances as above, by the level in the middle of each stretch of sound."""
    edges = np.flatnonzero(np.diff(samples != 0, prepend=False, append=False))
    levels = [samples[(first + last) // 2] for first, last in zip(edges[::2], edges[1::2], strict=True)]
    return [min(LEVELS, key=lambda word: abs(LEVELS[word] - level)) for level in levels]


TEXTS, SPEAKERS = ("one two one two one two", "three", "four four three"), ("a", "a", "b")


def exchange(share: float) -> tuple[WordExchange, list[np.ndarray]]:
    made = [utterance(text) for text in TEXTS]
    samples = [one for one, _ in made]

    def read(item: int, start: int, end: int) -> np.ndarray:
        return samples[item][start:end]

    return WordExchange([words for _, words in made], SPEAKERS, share, read, RATE), samples


def test_sound_and_text_stay_together_and_words_are_the_speaker_s_own() -> None:
    words, samples = exchange(0.5)
    before, seen = samples[0].copy(), set()
    for seed in range(50):
        result = words(0, samples[0], np.random.default_rng(seed))
        if result is None:
            continue
        others, text = result
        assert heard(others) == text.split() and len(text.split()) == 6
        assert others.dtype == np.float32 and len(others) == len(samples[0])
        seen |= set(text.split())
    assert seen == {"one", "two", "three"}  # four is another speaker's
    np.testing.assert_array_equal(samples[0], before)


def test_the_same_generator_gives_the_same_utterance() -> None:
    words, samples = exchange(0.5)
    first, again = (words(0, samples[0], np.random.default_rng(3)) for _ in range(2))
    assert first is not None and again is not None
    np.testing.assert_array_equal(first[0], again[0])
    assert first[1] == again[1]


def test_the_share_is_of_words() -> None:
    none, samples = exchange(0.0)
    assert none(0, samples[0], np.random.default_rng(0)) is None
    every, _ = exchange(1.0)
    texts = [every(2, samples[2], np.random.default_rng(seed)) for seed in range(200)]
    found = [text.split() for _, text in filter(None, texts)]
    assert len(found) == 200
    assert np.mean([words.count("four") for words in found]) == pytest.approx(2, abs=0.2)  # 2 of 3 places


def test_an_utterance_whose_words_were_not_found_stays_as_it_is() -> None:
    words = WordExchange([[], [WordSegment("one", 0, 5)]], ["a", "a"], 1.0, lambda *_: np.ones(5), RATE)
    assert words(0, np.ones(9, np.float32), np.random.default_rng(0)) is None


def said(*words: tuple[str, float, float]) -> list[Word]:
    return [Word(text, start, end, 1.0) for text, start, end in words]


def test_words_are_cut_at_the_quietest_place_near_where_they_meet() -> None:
    samples = np.full(1000, 0.5, np.float32)
    samples[440:460] = 0.001
    samples[700:720] = 0  # quieter, but too far away
    first, second = cut_words(said(("one", 0.1, 0.4), ("two", 0.4, 0.9)), samples, RATE)
    assert first.end_samples == second.start_samples and 440 <= first.end_samples <= 460
    assert (first.start_samples, second.end_samples) == (0, 1000)  # up to 150 ms of the pause at either end


def test_a_long_pause_stays_between_the_words() -> None:
    samples = np.ones(3000, np.float32)
    first, second = cut_words(said(("one", 0.5, 0.8), ("two", 2.0, 2.3)), samples, RATE)
    assert first == WordSegment("one", 350, 950) and second == WordSegment("two", 1850, 2450)


def test_short_words_are_cut_where_they_meet() -> None:
    pieces = cut_words(said(("a", 0.0, 0.04), ("b", 0.04, 0.08)), np.ones(80, np.float32), RATE)
    assert [piece[1:] for piece in pieces] == [(0, 40), (40, 80)]
    assert cut_words([], np.ones(80, np.float32), RATE) == []


def test_a_word_that_is_quiet_keeps_what_it_needs_of_both_cuts() -> None:
    samples = np.full(800, 0.5, np.float32)
    samples[415:425] = 0.001
    words = said(("a", 0.1, 0.35), ("b", 0.35, 0.47), ("c", 0.47, 0.8))
    pieces = cut_words(words, samples, RATE)
    assert all(one.end_samples == other.start_samples for one, other in pairwise(pieces))
    assert all(piece.end_samples - piece.start_samples >= 50 for piece in pieces)
    generator = np.random.default_rng(0)
    for _ in range(300):
        samples = generator.normal(size=4000).astype(np.float32) * generator.random(4000) ** 4
        edges = np.sort(generator.choice(np.arange(10, 100), 12, replace=False)) * 0.04
        words = said(*(("w", start, end) for start, end in pairwise(edges)))
        pieces = cut_words(words, samples, RATE)
        assert min(piece.end_samples - piece.start_samples for piece in pieces) > 0
        assert all(one.end_samples <= other.start_samples for one, other in pairwise(pieces))


def test_words_are_read_as_they_were_written(tmp_path: Path) -> None:
    words = [[WordSegment("好", 0, 5), WordSegment("one", 5, 9)], []]
    save_words(tmp_path / "words.json", words)
    assert load_words(tmp_path / "words.json") == words
