"""Transcripts as files of the field's formats, read back by their grammars."""

import json
import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr.formats import (
    CUE_LINES,
    CUE_SECONDS,
    FORMATS,
    LINE_CHARACTERS,
    SENTENCE_PAUSE_SECONDS,
    SHORTEST_CUE_SECONDS,
    cues,
    format_transcript,
)
from asr.transcript import Transcript, Word
from sluice_core.errors import UserError

SRT_TIME = re.compile(r"(\d\d):([0-5]\d):([0-5]\d),(\d{3}) --> (\d\d):([0-5]\d):([0-5]\d),(\d{3})")
VTT_TIME = re.compile(r"(\d\d):([0-5]\d):([0-5]\d)\.(\d{3}) --> (\d\d):([0-5]\d):([0-5]\d)\.(\d{3})")


def spoken(text: str, start: float = 0.0, seconds: float = 0.3, gap: float = 0.1) -> list[Word]:
    """Words of one length, one after the other."""
    times = [start + position * (seconds + gap) for position in range(len(text.split()))]
    return [
        Word(word, round(time, 3), round(time + seconds, 3), 0.9)
        for word, time in zip(text.split(), times, strict=True)
    ]


def transcript(words: list[Word], source: str | None = "calls/one two.wav") -> Transcript:
    end = words[-1].end if words else 1.0
    return Transcript(" ".join(word.text for word in words), tuple(words), -1.5, end, source)


def milliseconds(fields: tuple[str, ...]) -> int:
    hours, minutes, seconds, rest = map(int, fields)
    return ((hours * 60 + minutes) * 60 + seconds) * 1000 + rest


def read_blocks(body: str, time: re.Pattern[str]) -> list[tuple[int, int, str]]:
    """Cues between blank lines, each a line of times and at least one of text."""
    found = []
    for block in body.removesuffix("\n").split("\n\n") if body else []:
        first, *lines = block.split("\n")
        times = time.fullmatch(first)
        assert times, first
        assert lines
        assert all(line.strip() for line in lines)
        found.append((milliseconds(times.groups()[:4]), milliseconds(times.groups()[4:]), " ".join(lines)))
    return found


def read_srt(content: str) -> list[tuple[int, int, str]]:
    numbers: list[int] = []

    def unnumbered(match: re.Match[str]) -> str:
        numbers.append(int(match[1]))
        return ""

    found = read_blocks(re.sub(r"^(\d+)\n(?=\d\d:)", unnumbered, content, flags=re.MULTILINE), SRT_TIME)
    assert numbers == list(range(1, len(found) + 1))
    return found


def read_vtt(content: str) -> list[tuple[int, int, str]]:
    header, _, body = content.partition("\n")
    assert header == "WEBVTT"
    assert not body or body.startswith("\n")
    found = read_blocks(body.removeprefix("\n"), VTT_TIME)
    for _, _, text in found:
        assert not re.search(r"[<>]|&(?!(amp|lt|gt);)", text)
    unescape = [("&lt;", "<"), ("&gt;", ">"), ("&amp;", "&")]
    for escaped, plain in unescape:
        found = [(start, end, text.replace(escaped, plain)) for start, end, text in found]
    return found


def test_known_subtitles() -> None:
    words = [*spoken("good morning"), *spoken("fly to taipei", start=3661.5)]
    assert format_transcript(transcript(words), "srt") == (
        "1\n00:00:00,000 --> 00:00:01,000\ngood morning\n\n2\n01:01:01,500 --> 01:01:02,600\nfly to taipei\n"
    )
    assert format_transcript(transcript(words), "vtt") == (
        "WEBVTT\n\n00:00:00.000 --> 00:00:01.000\ngood morning\n\n"
        "01:01:01.500 --> 01:01:02.600\nfly to taipei\n"
    )


def test_known_ctm_and_text_and_json() -> None:
    words = spoken("good morning", start=0.25)
    assert format_transcript(transcript(words), "ctm") == (
        "one_two 1 0.250 0.300 good 0.900\none_two 1 0.650 0.300 morning 0.900\n"
    )
    assert format_transcript(transcript(words, source=None), "ctm").startswith("audio 1 ")
    assert format_transcript(transcript(words), "text") == "good morning\n"
    assert json.loads(format_transcript(transcript(words), "json"))["words"][1]["start"] == 0.65


def test_nothing_said_is_a_valid_file() -> None:
    nothing = transcript([])
    assert read_srt(format_transcript(nothing, "srt")) == []
    assert format_transcript(nothing, "vtt") == "WEBVTT\n"
    assert format_transcript(nothing, "ctm") == format_transcript(nothing, "text") == ""
    assert json.loads(format_transcript(nothing, "json"))["words"] == []


def test_markup_in_words_is_escaped() -> None:
    words = spoken("a<b> && c --> d")
    ((_, _, text),) = read_vtt(format_transcript(transcript(words), "vtt"))
    assert text == "a<b> && c --> d"


def test_two_lines_are_of_like_length() -> None:
    (cue,) = cues(spoken("what are the flights from denver to boston on monday", seconds=0.2, gap=0.1))
    assert cue.lines == ("what are the flights from", "denver to boston on monday")


def test_a_long_sentence_is_divided_at_its_longest_pause_near_the_middle() -> None:
    words = spoken("one two three four five six seven eight nine", seconds=0.9, gap=0.05)
    later = [Word(word.text, word.start + 0.5, word.end + 0.5, 0.9) for word in words[5:]]
    assert [cue.lines[0] for cue in cues(words[:5] + later)] == [
        "one two three four five",
        "six seven eight nine",
    ]


def test_a_word_too_long_for_a_line_has_its_own() -> None:
    long = "rindfleischetikettierungsüberwachungsaufgabenübertragungsgesetz"
    made = cues(spoken(f"das {long} gilt"))
    assert (long,) in [(line,) for cue in made for line in cue.lines]
    assert all(len(line) <= LINE_CHARACTERS for cue in made for line in cue.lines if line != long)


def test_words_at_one_time_get_cues_that_follow_each_other() -> None:
    made = cues([Word("a" * 40, 1.0, 1.0, 0.5)] * 5)
    assert all(cue.start_ms < cue.end_ms for cue in made)
    assert all(before.end_ms <= after.start_ms for before, after in pairwise(made))


def test_an_unknown_format_is_refused() -> None:
    with pytest.raises(UserError, match=r"'doc'.*srt"):
        format_transcript(transcript([]), "doc")  # type: ignore[arg-type]
    assert FORMATS["text"] == ".txt"


layouts = st.lists(
    st.tuples(
        st.text("abcdefghij&<>'é好-", min_size=1, max_size=14),
        st.sampled_from([0.0, 0.05, 0.3, 0.79, 0.81, 2.5, 900.0]),  # pause before
        st.floats(0.02, 1.2),
    ),
    max_size=120,
)


@given(layouts)
def test_any_words_come_back_within_the_limits(layout: list[tuple[str, float, float]]) -> None:
    words, time = [], 0.0
    for text, pause, seconds in layout:
        words.append(Word(text, round(time + pause, 3), round(time + pause + seconds, 3), 0.5))
        time += pause + seconds
    whole = transcript(words)
    for read, kind in ((read_srt, "srt"), (read_vtt, "vtt")):
        found = read(format_transcript(whole, kind))  # type: ignore[arg-type]
        assert " ".join(text for _, _, text in found) == whole.text
        assert all(start < end for start, end, _ in found)
        assert all(before[1] <= after[0] for before, after in pairwise(found))
    made = cues(words)
    for cue in made:
        assert len(cue.lines) <= CUE_LINES
        assert all(len(line) <= LINE_CHARACTERS for line in cue.lines)
        assert cue.end_ms - cue.start_ms <= 1000 * max(CUE_SECONDS, SHORTEST_CUE_SECONDS) + 1
    starts = {cue.start_ms for cue in made}
    for before, after in pairwise(words):  # milliseconds: the pause itself is a rounded difference
        if after.start - before.end >= SENTENCE_PAUSE_SECONDS:
            assert round(1000 * after.start) in starts
    fields = [line.split() for line in format_transcript(whole, "ctm").splitlines()]
    assert [line[4] for line in fields] == [word.text for word in words]
    assert all(len(line) == 6 and float(line[3]) >= 0 and 0 <= float(line[5]) <= 1 for line in fields)
