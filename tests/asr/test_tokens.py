"""The alphabet: any script, saved as text, with errors that name the characters."""

from pathlib import Path

import pytest

from asr.tokens import Tokens, TokensConfig, TokensError


def test_round_trip_of_any_script(tmp_path: Path) -> None:
    tokens = Tokens.learn(["arrive taipei", "好棒棒", "łódź"])
    tokens.save(tmp_path / "tokens.json")
    again = Tokens.load(tmp_path / "tokens.json")
    assert again.symbols == tokens.symbols
    for text in ("好棒 taipei", "ź"):
        assert again.decode(again.encode(text)) == text
    assert 0 not in tokens.encode("arrive taipei")


def test_characters_outside_the_alphabet_are_named_with_the_utterance() -> None:
    tokens = Tokens.learn(["abc"])
    with pytest.raises(TokensError, match=r"request-7: .*'X' 'é'.*alphabet is a b c"):
        tokens.encode("abXé", "request-7")
    assert tokens.decode(tokens.encode_known("aXbé")) == "ab"


def test_words_of_a_hypothesis() -> None:
    tokens = Tokens.learn(["ab c"])
    assert tokens.words(tokens.encode("  ab  c a")) == [[2, 3], [6], [8]]
    assert tokens.words([]) == []


def test_subwords_round_trip_and_words(tmp_path: Path) -> None:
    pytest.importorskip("tokenizers", reason="subwords are an extra")
    texts = ["two seats to boston", "two seats to denver", "one seat to boston"] * 5
    tokens = Tokens.learn(texts, TokensConfig(kind="subwords", size=40))
    tokens.save(tmp_path / "tokens.json")
    again = Tokens.load(tmp_path / "tokens.json")
    numbers = again.encode("two seats to boston")
    assert len(numbers) < len("two seats to boston")
    assert again.decode(numbers) == "two seats to boston"
    assert ["".join(again.decode([numbers[p]]) for p in word) for word in again.words(numbers)] == [
        "two", "seats", "to", "boston",
    ]  # fmt: skip
    with pytest.raises(TokensError, match="'z'"):
        again.encode("zoo")


@pytest.mark.parametrize(
    "content", ["", "[]", '{"symbols": 3}', '{"symbols": ["a"]}', '{"symbols": ["<blank>", "a", "a"]}']
)
def test_a_broken_alphabet_is_an_error(tmp_path: Path, content: str) -> None:
    (tmp_path / "tokens.json").write_text(content)
    with pytest.raises(TokensError):
        Tokens.load(tmp_path / "tokens.json")


def test_no_text_no_alphabet() -> None:
    with pytest.raises(TokensError, match="no alphabet"):
        Tokens.learn(["", ""])
