"""Word lists: reading, refusing, and the trie of words."""

from pathlib import Path

import numpy as np
import pytest

from asr.decoding import BeamSearch, Lexicon
from asr.decoding.alphabet import Alphabet
from asr.decoding.config import DecodingConfig
from asr.decoding.lexicon import LexiconError, build_word_trie
from asr.tokens import BLANK_SYMBOL, Tokens


def alphabet(letters: str) -> Alphabet:
    return Alphabet(Tokens([BLANK_SYMBOL, *letters]))


def test_word_lists_and_pronunciation_dictionaries(tmp_path: Path) -> None:
    words = tmp_path / "words.txt"
    words.write_text("taipei\n\nsecond\r\ntaipei\n棒\n", encoding="utf-8-sig")
    assert Lexicon.read(words).words == ("taipei", "second", "棒")
    dictionary = tmp_path / "cmu.dict"
    dictionary.write_text(";;; a comment\nREAD  R EH D\nREAD(2)  R IY D\nA\tAH\n(a) AH\n", encoding="utf-8")
    assert Lexicon.read(dictionary).words == ("READ", "A", "(a)")


def test_what_is_saved_is_read_whatever_it_looks_like(tmp_path: Path) -> None:
    words = ("read", "#1", "read(2)", ";;;x", "(2)", "a(", "#(3)", "b(2)(1)", "café")
    Lexicon(words).save(tmp_path / "words.txt")
    assert Lexicon.read(tmp_path / "words.txt").words == words
    (tmp_path / "words.txt").write_text("cafe\u0301\n", encoding="utf-8")  # as some systems write an accent
    assert Lexicon.read(tmp_path / "words.txt").words == ("café",)


def test_files_that_are_no_lexicon(tmp_path: Path) -> None:
    path = tmp_path / "words.txt"
    with pytest.raises(LexiconError, match=r"words\.txt: cannot read"):
        Lexicon.read(path)
    path.write_text("\n  \n")
    with pytest.raises(LexiconError, match=r"words\.txt: there is no word"):
        Lexicon.read(path)
    path.write_bytes("café".encode("latin-1"))
    with pytest.raises(LexiconError, match=r"words\.txt: .* not UTF-8 text \(byte 3\)"):
        Lexicon.read(path)
    with pytest.raises(LexiconError, match="'new york' has a space"):
        Lexicon(["new york"])


def test_words_outside_the_alphabet_are_named() -> None:
    tokens = Tokens([BLANK_SYMBOL, *"ab "])
    with pytest.raises(LexiconError, match=r"my words: .*lacks: 'C' 'é', as in 'aé'.*alphabet is a b space"):
        BeamSearch(tokens, DecodingConfig(), lexicon=Lexicon(["ab", "aé", "C"], "my words"))


def test_the_trie_holds_each_word_once() -> None:
    generator, letters = np.random.default_rng(0), alphabet("abc棒")
    words = sorted({"".join(generator.choice(list("abc棒"), generator.integers(1, 6))) for _ in range(300)})
    generator.shuffle(words)
    scores = generator.normal(size=len(words))
    trie = build_word_trie([*words, "xyz"], np.arange(len(words) + 1), np.append(scores, 99.0), letters)
    assert sorted(trie.word[trie.word >= 0]) == list(range(len(words)))
    for number, word in enumerate(words):
        node = 0
        for size, character in enumerate(letters.spell(word), 1):
            children = range(trie.first_child[node], trie.first_child[node + 1])
            assert [trie.character[child] for child in children] == sorted(
                trie.character[child] for child in children
            )
            (node,) = (child for child in children if trie.character[child] == character)
            below = [place for place, other in enumerate(words) if other.startswith(word[:size])]
            assert trie.best[node] == max(scores[place] for place in below)
            assert trie.only[node] == (below[0] if len(below) == 1 else -1)
        assert trie.word[node] == number


def test_no_words_make_a_trie_of_a_root() -> None:
    trie = build_word_trie([], np.zeros(0, np.int32), np.zeros(0), alphabet("ab"))
    assert (list(trie.first_child), list(trie.word)) == ([1, 1], [-1])
