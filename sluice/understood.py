"""The result of understanding a recording: text, words, slots and intent."""

import math
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from asr.transcript import Transcript, Word
from slot_filling.tagging import Slot, Tagging
from sluice.inverse_text_normalization import AlignedSpan, InverseNormalization, inverse_normalize


@dataclass(frozen=True)
class SpokenSlot:
    """A slot in speech: `text[start:end]` and `written_text[written_start:written_end]` of an `Understanding`.

    A constant slot, which a sentence of a grammar has without words for it, is an empty piece and has no time.
    """

    label: str
    text: str
    start: int
    end: int
    written: str
    """The written form of `text`, after inverse text normalization."""
    written_start: int
    written_end: int
    confidence: float
    """The probability that exactly these words are the slot, times the probability of each word being right."""
    value: str | None
    """What the slot stands for: what the grammar says, or else an ISO form; None where that is not certain."""
    start_seconds: float
    end_seconds: float


@dataclass(frozen=True)
class Understanding:
    """What was said in a recording and what it means."""

    text: str
    written_text: str
    words: tuple[Word, ...]
    slots: tuple[SpokenSlot, ...]
    intent: str | None
    intent_confidence: float | None
    confidence: float
    """The probability that all words and slots are right."""
    score: float
    """What hypotheses are ranked by: the recognizer's score plus the weighted log-probabilities of the tagger."""
    duration_seconds: float
    source: str | None = None
    alternatives: tuple["Understanding", ...] = ()
    """Further hypotheses, best first, if any were asked for."""
    along_grammar: bool = False
    """Whether this is a sentence of the run's grammar, found by searching along it."""
    no_match: bool = False
    """Whether the run has a grammar, and what was said is none of its sentences."""
    grammar_confidence: float | None = None
    """The probability that what was said is a sentence of the grammar; None where none was looked for."""

    def to_dict(self) -> dict[str, Any]:
        """Return all fields as plain values, for JSON."""
        return asdict(self)


def join(
    transcript: Transcript,
    tagging: Tagging,
    score: float,
    names: Collection[str],
    *,
    words_count: bool = True,
) -> Understanding:
    """Return what is said and what it means as one result.

    Args:
        transcript: the words.
        tagging: the slots and the intent of the transcript's text.
        score: what hypotheses are ranked by.
        names: labels of slots that hold names, which are written with capitals.
        words_count: whether confidences are multiplied by those of the words; false where they are of both already.
    """
    written = inverse_normalize(transcript.text, tagging.slots, names)
    offsets = _word_offsets(transcript)
    return Understanding(
        text=transcript.text,
        written_text=written.text,
        words=transcript.words,
        slots=tuple(
            _spoken_slot(slot, span, written, transcript, offsets, words_count)
            for slot, span in zip(tagging.slots, written.spans, strict=True)
        ),
        intent=tagging.intent,
        intent_confidence=tagging.intent_confidence,
        confidence=tagging.confidence * (_all_right(transcript.words) if words_count else 1.0),
        score=score,
        duration_seconds=transcript.duration_seconds,
        source=transcript.source,
    )


def with_intent(found: Understanding, intent: str) -> Understanding:
    """Return what was understood with the only intent that there is, if it has words and no intent of its own."""
    others = tuple(with_intent(each, intent) for each in found.alternatives)
    if found.intent is not None or not found.text:
        return replace(found, alternatives=others)
    return replace(found, intent=intent, intent_confidence=1.0, alternatives=others)


def nothing_matched(found: Understanding, alternatives: int) -> Understanding:
    """Return that nothing of the grammar was said, with what came nearest as an alternative, if any were asked for."""
    nearest = (replace(found, alternatives=()), *found.alternatives) if found.text else ()
    return Understanding(
        text="",
        written_text="",
        words=(),
        slots=(),
        intent=None,
        intent_confidence=None,
        confidence=1.0 - (found.grammar_confidence or 0.0),
        score=found.score,
        duration_seconds=found.duration_seconds,
        source=found.source,
        alternatives=nearest[:alternatives],
        no_match=True,
        grammar_confidence=found.grammar_confidence,
    )


def _all_right(words: Sequence[Word]) -> float:
    return math.prod(word.confidence for word in words)


def _word_offsets(transcript: Transcript) -> list[int]:
    """Return the character offset of each word in the text, which is the words joined by single spaces."""
    offsets, position = [], 0
    for word in transcript.words:
        offsets.append(position)
        position += len(word.text) + 1
    return offsets


def _spoken_slot(
    slot: Slot,
    span: AlignedSpan,
    written: InverseNormalization,
    transcript: Transcript,
    offsets: Sequence[int],
    words_count: bool,
) -> SpokenSlot:
    words = [
        word
        for word, offset in zip(transcript.words, offsets, strict=True)
        if offset < slot.end and offset + len(word.text) > slot.start
    ]
    return SpokenSlot(
        label=slot.label,
        text=slot.text,
        start=slot.start,
        end=slot.end,
        written=written.text[span.written_start : span.written_end],
        written_start=span.written_start,
        written_end=span.written_end,
        confidence=slot.confidence * (_all_right(words) if words_count else 1.0),
        value=slot.value,
        start_seconds=words[0].start if words else 0.0,
        end_seconds=words[-1].end if words else 0.0,
    )
