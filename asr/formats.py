"""Formats of transcripts: text, JSON, subtitles (SRT, WebVTT) and NIST's CTM."""

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Literal

from asr.transcript import Transcript, Word
from sluice_core.errors import UserError

Format = Literal["text", "json", "srt", "vtt", "ctm"]

FORMATS: dict[Format, str] = {"text": ".txt", "json": ".json", "srt": ".srt", "vtt": ".vtt", "ctm": ".ctm"}
"""The formats, with the suffixes of their files."""

LINE_CHARACTERS = 42
CUE_LINES = 2
CUE_SECONDS = 7.0
SHORTEST_CUE_SECONDS = 1.0  # where the next cue leaves room for it
SENTENCE_PAUSE_SECONDS = 0.8
"""A cue ends at a pause this long. All these are usual limits of subtitles (BBC and Netflix guidelines)."""


@dataclass(frozen=True)
class Cue:
    """The words of a subtitle that are shown together."""

    start_ms: int
    end_ms: int
    lines: tuple[str, ...]


def format_transcript(transcript: Transcript, kind: Format) -> str:
    """Return a transcript as the content of a file, which ends with a newline unless it is empty.

    Raises:
        UserError: there is no such format.

    Example:
        >>> words = (Word("taipei", 0.5, 1.1, 0.9),)
        >>> print(format_transcript(Transcript("taipei", words, -1.0, 2.0, "trip.wav"), "ctm"), end="")
        trip 1 0.500 0.600 taipei 0.900
    """
    if kind not in FORMATS:
        raise UserError(f"there is no format {kind!r}; there are {', '.join(FORMATS)}")
    writers: dict[Format, Callable[[Transcript], str]] = {
        "text": _text,
        "json": _json,
        "srt": _srt,
        "vtt": _vtt,
        "ctm": _ctm,
    }
    return writers[kind](transcript)


def cues(words: Sequence[Word]) -> list[Cue]:
    """Divide words into the cues of subtitles: in order, never two at once, within the limits of lines and seconds.

    A cue ends where the speaker pauses. A cue that is still too long is divided at its longest pause near the middle;
    a cue of one word is as long as the word. Short cues stay until they can be read or the next one comes.
    """
    groups = [part for group in _split_at_pauses(words) for part in _fit(group)]
    starts = [round(1000 * group[0].start) for group in groups]
    made: list[Cue] = []
    for position, group in enumerate(groups):
        start = max(starts[position], made[-1].end_ms if made else 0)
        end = max(round(1000 * max(word.end for word in group)), start + round(1000 * SHORTEST_CUE_SECONDS))
        if position + 1 < len(groups):
            end = min(end, starts[position + 1])
        made.append(Cue(start, max(end, start + 1), _lines(group)))  # readers refuse cues of no length
    return made


def _text(transcript: Transcript) -> str:
    return f"{transcript.text}\n" if transcript.text else ""


def _json(transcript: Transcript) -> str:
    return json.dumps(transcript.to_dict(), ensure_ascii=False, indent=1) + "\n"


def _srt(transcript: Transcript) -> str:
    """Return SubRip: numbered cues, a comma before the milliseconds, a blank line after each."""
    return "\n".join(
        f"{number}\n{_clock(cue.start_ms, ',')} --> {_clock(cue.end_ms, ',')}\n" + _joined(cue.lines)
        for number, cue in enumerate(cues(transcript.words), 1)
    )


def _vtt(transcript: Transcript) -> str:
    """Return WebVTT (W3C): a header, blank lines between cues, and no bare `&`, `<` or `>` in their text."""
    blocks = ["WEBVTT\n"]
    for cue in cues(transcript.words):
        text = _joined(cue.lines).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        blocks.append(f"{_clock(cue.start_ms, '.')} --> {_clock(cue.end_ms, '.')}\n{text}")
    return "\n".join(blocks)


def _ctm(transcript: Transcript) -> str:
    """Return NIST's CTM (SCTK, doc/infmts.htm): file, channel, start, duration, word, confidence."""
    name = re.sub(r"\s+", "_", Path(transcript.source).stem) if transcript.source else "audio"
    return "".join(
        f"{name} 1 {word.start:.3f} {max(word.end - word.start, 0):.3f} {word.text} {word.confidence:.3f}\n"
        for word in transcript.words
    )


def _split_at_pauses(words: Sequence[Word]) -> list[list[Word]]:
    """Divide words wherever there is a long pause."""
    groups: list[list[Word]] = [[word] for word in words[:1]]
    for previous, word in pairwise(words):
        if word.start - previous.end >= SENTENCE_PAUSE_SECONDS:
            groups.append([])
        groups[-1].append(word)
    return groups


def _fit(group: list[Word]) -> list[list[Word]]:
    """Divide a group until each part keeps to the limits of a cue, or is one word."""
    if len(group) == 1:
        return [group]
    if group[-1].end - group[0].start <= CUE_SECONDS and len(_lines(group)) <= CUE_LINES:
        return [group]
    places = range(1, len(group))

    def merit(place: int) -> float:
        gap = group[place].start - group[place - 1].end
        return gap - abs(2 * place / len(group) - 1)  # a second of pause is worth as much as the very middle

    middle = [place for place in places if len(group) <= 4 * place <= 3 * len(group)]
    best = max(middle or places, key=merit)
    return _fit(group[:best]) + _fit(group[best:])


def _lines(group: Sequence[Word]) -> tuple[str, ...]:
    """Break the text into lines, two of like length where two are enough; only a word alone may exceed a line."""
    texts = [word.text for word in group]
    if len(whole := " ".join(texts)) <= LINE_CHARACTERS:
        return (whole,)
    if len(whole) <= 2 * LINE_CHARACTERS + 1:
        halves = [(" ".join(texts[:place]), " ".join(texts[place:])) for place in range(1, len(texts))]
        fitting = [pair for pair in halves if max(map(len, pair)) <= LINE_CHARACTERS]
        if fitting:
            return min(fitting, key=lambda pair: abs(len(pair[0]) - len(pair[1])))
    lines = [""]
    for text in texts:
        if lines[-1] and len(lines[-1]) + 1 + len(text) > LINE_CHARACTERS:
            lines.append("")
        lines[-1] += f" {text}" if lines[-1] else text
    return tuple(lines)


def _joined(lines: Sequence[str]) -> str:
    return "".join(f"{line}\n" for line in lines)


def _clock(milliseconds: int, point: str) -> str:
    seconds, rest = divmod(milliseconds, 1000)
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}{point}{rest:03}"
