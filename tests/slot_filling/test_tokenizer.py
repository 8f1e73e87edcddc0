"""Text to words: offsets always match, nothing is lost, and words already apart stay as they are."""

import pytest
import regex
from hypothesis import example, given, settings
from hypothesis import strategies as st

from slot_filling.tokenizer import tokenize, words
from tests.conftest import real_corpus

# What may be outside of every token; by the tokenizer's own tables, which are newer than Python's.
BETWEEN = regex.compile(r"[\p{Cc}\p{Cf}\p{Z}]")
RAGGED = st.text(
    st.one_of(
        st.characters(),
        st.sampled_from(
            "aZ09  \t\n\u3000\u00a0.,:/'’-&_$?!台かカ１：é\u0301\u200d\u200b\u00ad\ufe0f\ufeff👩👍🏽🇹🇼ß"
        ),
    ),
    max_size=60,
)


@given(RAGGED)
@settings(max_examples=500)
@example("p.m.\ud800\u0301 \u0301x")
def test_offsets_match_the_text_and_nothing_but_spaces_is_left_out(text):
    tokens = tokenize(text)
    end = 0
    for token in tokens:
        assert text[token.start : token.end] == token.text != ""
        assert token.start >= end
        assert not any(character.isspace() for character in token.text)
        end = token.end
    inside = {position for token in tokens for position in range(token.start, token.end)}
    left_out = {text[position] for position in range(len(text)) if position not in inside}
    assert all(BETWEEN.fullmatch(character) for character in left_out)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("arrive Taipei on November 2nd", "arrive|Taipei|on|November|2nd"),
        ("  Taipei,   then (Tokyo)?", "Taipei|,|then|(|Tokyo|)|?"),
        ("at 6 o'clock p.m. or 2:30 PM", "at|6|o'clock|p.m.|or|2:30|PM"),
        ("$250 on 11/2, 5p.m., 9am", "$|250|on|11/2|,|5|p.m.|,|9am"),
        ("from St. Louis to Washington D.C.", "from|St.|Louis|to|Washington|D.C."),
        ("cost 1,000.50 dollars... 50%", "cost|1,000.50|dollars|...|50|%"),
        ("I'd like a top-rated r&b café", "I'd|like|a|top-rated|r&b|café"),
        ("12月2日去台北", "12|月|2|日|去|台|北"),
        ("Ｔａｉｐｅｉ　２：３０", "Ｔａｉｐｅｉ|２：３０"),
        ("ok👍🏽👨‍👩‍👧🇹🇼1️⃣", "ok|👍🏽|👨‍👩‍👧|🇹🇼|1️⃣"),
        ("cafe\u0301 ก\u0e33 नमस्ते", "cafe\u0301|ก\u0e33|नमस्ते"),
        ("'hello' it 's", "'|hello|'|it|'s"),
        ("a\u200bb\ufeff", "a|b"),
        ("", ""),
        (" \n\t", ""),
    ],
)
def test_words_as_people_write_them(text, expected):
    assert list(words(text)) == (expected.split("|") if expected else [])
    assert tuple(token.text for token in tokenize(text)) == words(text)


@pytest.mark.parametrize(("corpus", "share"), [("atis", 1.0), ("snips", 0.997)])
def test_words_of_a_corpus_stay_as_they_are(corpus, share):
    kept = total = 0
    for file in sorted(real_corpus(corpus).glob("*/seq.in")):
        for line in file.read_text(encoding="utf-8").splitlines():
            given, position = line.split(), 0
            found = {(token.start, token.end) for token in tokenize(" ".join(given))}
            for word in given:
                kept += (position, position + len(word)) in found
                position += len(word) + 1
            total += len(given)
    assert total > 50_000
    assert kept / total >= share


@pytest.mark.parametrize("piece", ["a.", "1:", "x'", "👍", "台", "st.", "e\u0301", "--", "1a", "\u0301"])
def test_a_very_long_text_comes_to_an_end(piece):
    # Where the pattern tried every way to divide it, this would take hours.
    text = piece * 40_000
    assert "".join(words(text)) == text
