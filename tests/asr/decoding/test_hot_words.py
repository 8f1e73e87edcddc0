"""Hot words: the automaton against plain search, and what is refused."""

import math

import numpy as np
import pytest

from asr.decoding import BeamSearch, HotWords, Lexicon
from asr.decoding.alphabet import SPACE, Alphabet
from asr.decoding.config import DecodingConfig
from asr.decoding.hot_words import HotWordsError, build_automaton
from asr.tokens import BLANK_SYMBOL, Tokens
from tests.asr.decoding.enumeration import hot_score


def walk(text: str, boosts: dict[str, float], alphabet: Alphabet) -> tuple[float, list[float]]:
    """What a whole text earns, and what it has earned or is lent after each character."""
    automaton = build_automaton(boosts, alphabet)
    state, earned, so_far = automaton.start, 0.0, []
    for character in [*alphabet.spell(text), *([SPACE] if alphabet.has_space else [])]:
        if not (character == SPACE and automaton.states["after_space"][state]):
            before = state
            state = automaton.following[state, automaton.column[character]]
            earned += automaton.states["earned"][state]
            factor = (
                math.exp(automaton.states["earned"][state])
                * automaton.states["lent"][state]
                / automaton.states["lent"][before]
            )
            assert factor <= automaton.states["most"][before] * (1 + 1e-9)
        so_far.append(earned + math.log(automaton.states["lent"][state]))
    return earned, so_far


@pytest.mark.parametrize("letters", ["ab ", "abc"])
def test_every_occurrence_counts_and_nothing_else(letters: str) -> None:
    generator, alphabet = np.random.default_rng(0), Alphabet(Tokens([BLANK_SYMBOL, *letters]))
    for _ in range(300):
        drawn = ("".join(generator.choice(list(letters), generator.integers(1, 6))) for _ in range(4))
        phrases = {" ".join(phrase.split()): float(generator.integers(-2, 5)) for phrase in drawn}
        boosts = {phrase: boost for phrase, boost in phrases.items() if phrase}
        text = "".join(generator.choice(list(letters), 20))
        earned, _ = walk(text, boosts, alphabet)
        assert earned == pytest.approx(hot_score(text, boosts, spaced=" " in letters))


def test_a_growing_match_is_lent_a_part_and_gives_it_back() -> None:
    alphabet = Alphabet(Tokens([BLANK_SYMBOL, *"abcd "]))
    assert walk("abc", {"abcd": 4.0}, alphabet)[1] == pytest.approx([1.0, 2.0, 3.0, 0.0])
    assert walk("abcd", {"abcd": 4.0}, alphabet)[1] == pytest.approx([1.0, 2.0, 3.0, 4.0, 4.0])
    assert walk("abcda", {"abcd": 4.0}, alphabet)[1] == pytest.approx([1.0, 2.0, 3.0, 4.0, 0.0, 0.0])
    assert walk("dabcd", {"abcd": 4.0}, alphabet)[1] == pytest.approx([0.0] * 6)


def test_phrases_are_whole_words_wherever_they_stand() -> None:
    alphabet = Alphabet(Tokens([BLANK_SYMBOL, *"abcd "]))
    for text, count in (("ab", 1), (" ab  ab ", 2), ("abc ab", 1), ("cab", 0), ("a b", 0)):
        assert walk(text, {"ab": 1.0}, alphabet)[0] == count
    assert walk("a   b", {"a b": 1.0}, alphabet)[0] == 1


def test_accents_may_be_characters_of_their_own() -> None:
    assert HotWords({"cafe\u0301": 1.0}).boosts == {"café": 1.0}


def test_what_is_refused() -> None:
    tokens = Tokens([BLANK_SYMBOL, *"ab "])
    with pytest.raises(HotWordsError, match="empty"):
        HotWords({" ": 1.0})
    with pytest.raises(HotWordsError, match="boost of 'ab' is nan"):
        HotWords({"ab": math.nan})
    with pytest.raises(HotWordsError, match=r"'aX' has characters .*lacks: 'X'\. The alphabet is a b space"):
        BeamSearch(tokens, DecodingConfig(hot_words={"aX": 1.0}))
    with pytest.raises(HotWordsError, match=r"'a b' .*lacks: ' '"):
        BeamSearch(Tokens([BLANK_SYMBOL, *"ab"]), DecodingConfig(), hot_words=HotWords({"a b": 1.0}))
    with pytest.raises(HotWordsError, match="'bb' cannot be heard, as the lexicon has no such word"):
        BeamSearch(tokens, DecodingConfig(), lexicon=Lexicon(["a"]), hot_words=HotWords({"a bb": 1.0}))
