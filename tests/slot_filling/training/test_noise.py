"""Damaged words: one edit each, or a word that sounds alike; seeded; tags unchanged."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rapidfuzz.distance import OSA

from slot_filling.sentences import Sentence
from slot_filling.training.noise import NEAREST, Noise, damaged, phonetic_key
from sluice_core.errors import UserError

WORDS = [
    "flight", "fright", "light", "plight", "to", "two", "too", "boston", "austin", "houston", "7", "707", "767", "?",
]  # fmt: skip


@pytest.fixture
def noise():
    return Noise(WORDS, edit=0.3, sound=0.3)


@given(st.text(min_size=1, max_size=12) | st.text("ABTOI7ß", min_size=1, max_size=3), st.integers(0, 1000))
def test_mistyped_is_one_edit_away_and_never_empty(word, seed):
    other = Noise(["a", "ßß"] if seed % 2 else WORDS).mistyped(word, np.random.default_rng(seed))
    assert other and OSA.distance(word, other) == 1


def test_every_kind_of_edit_happens():
    lengths, anagrams = set(), 0
    for seed in range(300):
        other = Noise(WORDS).mistyped("boston", np.random.default_rng(seed))
        lengths.add(len(other))
        anagrams += sorted(other) == sorted("boston")
    assert lengths == {5, 6, 7}
    assert 40 < anagrams < 120  # a quarter is swapped


def test_similar_words_sound_alike(noise):
    assert set(noise.similar("to")[:2]) == {"two", "too"}
    assert noise.similar("flight")[0] in ("fright", "plight")
    assert noise.similar("BOSTON")[0] in ("austin", "houston")
    assert phonetic_key("knight") == phonetic_key("night")
    assert all(len(noise.similar(word)) == NEAREST for word in ("flight", "to"))


def test_a_word_is_never_misheard_as_itself_or_as_another_kind(noise):
    for word in WORDS:
        assert word not in noise.similar(word)
    assert noise.similar("707") == ["767", "7"]
    assert noise.similar("?") == []
    assert noise.misheard("?", np.random.default_rng(0)) == "?"
    assert Noise([]).misheard("boston", np.random.default_rng(0)) == "boston"


def test_letter_case_is_kept(noise):
    random = np.random.default_rng(0)
    assert noise.misheard("BOSTON", random).isupper()
    assert noise.misheard("Boston", random).istitle()
    assert noise.misheard("boston", random).islower()


def test_probabilities_hold():
    random = np.random.default_rng(1)
    words = ("flight",) * 20_000
    for edit, sound in ((0.1, 0.0), (0.0, 0.1), (0.1, 0.2)):
        found = Noise(WORDS, edit, sound).damage(words, random)
        assert len(found) == len(words)
        misheard = sum(word in ("light", "plight", "fright") for word in found)
        changed = sum(word != "flight" for word in found)
        assert changed / len(words) == pytest.approx(edit + sound, abs=0.01)
        assert misheard / len(words) == pytest.approx(sound, abs=0.01)


def test_a_share_of_the_sentences_is_left_alone():
    noise = Noise(WORDS, edit=1.0, sentences=0.5)
    whole = [noise.damage(("to", "boston"), np.random.default_rng(seed)) for seed in range(400)]
    assert 150 < sum(words == ("to", "boston") for words in whole) < 250


def test_sentences_keep_tags_and_intents_and_a_seed_decides():
    noise = Noise(WORDS, edit=0.5, sound=0.3)
    sentences = [Sentence(("fly", "to", "Boston"), ("O", "O", "B-city"), "fly", "a, line 1")] * 20
    found = damaged(sentences, noise, 3)
    assert found == damaged(sentences, noise, 3) != damaged(sentences, noise, 4)
    assert len({sentence.words for sentence in found}) > 5
    assert {(s.tags, s.intent, s.where) for s in found} == {(("O", "O", "B-city"), "fly", "a, line 1")}
    assert damaged(sentences, Noise(WORDS), 3) == sentences


@pytest.mark.parametrize(
    "wrong", [{"edit": 1.5}, {"sound": -0.1}, {"edit": 0.6, "sound": 0.6}, {"sentences": 2}]
)
def test_probabilities_out_of_range_are_errors(wrong):
    with pytest.raises(UserError, match="each is a probability"):
        Noise(WORDS, **wrong)
