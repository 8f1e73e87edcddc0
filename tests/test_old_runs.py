"""Runs of the code before run directories had a format version still load and answer the same.

`tests/fixtures/old_runs` holds a tuned recognizer of tones, a tagger of two networks, and both joined, as commit
fb03763 wrote them, and in `expected.json` what it answered. The weights of confidences and the temperatures were
set by hand, so that probabilities are not all near 1.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from asr import Transcriber
from asr.transcript import Transcript, Word
from slot_filling import Tagger
from slot_filling.tagging import Slot, Tagging
from sluice.understanding import SpokenSlot, Understander
from tests.tones import say

RUNS = Path(__file__).parent / "fixtures" / "old_runs"
EXPECTED = json.loads((RUNS / "expected.json").read_text(encoding="utf-8"))
TODAY = date(2026, 3, 4)


def recording(texts: Sequence[str], seed: int) -> np.ndarray:
    """Noisy tones of texts, one after another with pauses between: `[samples]` float32."""
    generator = np.random.default_rng(seed)
    pieces = [np.concatenate([say(text, generator), np.zeros(2400, np.float32)]) for text in texts]
    samples = np.concatenate(pieces)
    return samples + generator.normal(0, 0.06, len(samples)).astype(np.float32)


def assert_alike(found: Any, expected: Any, where: str) -> None:
    """Compare plain values: floats within 1e-4 (relatively, above 1), all else exactly."""
    if isinstance(expected, Mapping):
        for name, value in expected.items():
            assert_alike(found[name], value, f"{where}.{name}")
    elif isinstance(expected, list):
        assert len(found) == len(expected), where
        for number, (one, other) in enumerate(zip(found, expected, strict=True)):
            assert_alike(one, other, f"{where}[{number}]")
    elif isinstance(expected, float):
        assert found == pytest.approx(expected, abs=1e-4, rel=1e-4), where
    else:
        assert found == expected, where


def word_facts(word: Word) -> list[Any]:
    return [word.text, word.start, word.end, word.confidence]


def transcript_facts(transcript: Transcript) -> dict[str, Any]:
    return {
        "text": transcript.text,
        "score": transcript.score,
        "duration_seconds": transcript.duration_seconds,
        "words": [word_facts(word) for word in transcript.words],
        "alternatives": [transcript_facts(other) for other in transcript.alternatives],
    }


def slot_facts(slot: Slot | SpokenSlot) -> list[Any]:
    return [slot.label, slot.text, slot.start, slot.end, slot.confidence, slot.value]


def tagging_facts(tagging: Tagging) -> dict[str, Any]:
    return {
        "text": tagging.text,
        "intent": tagging.intent,
        "intent_confidence": tagging.intent_confidence,
        "confidence": tagging.confidence,
        "slots": [slot_facts(slot) for slot in tagging.slots],
        "alternatives": [tagging_facts(other) for other in tagging.alternatives],
    }


def test_recognizer_answers_as_before() -> None:
    transcriber = Transcriber.load(RUNS / "recognizer-v0")
    for case in EXPECTED["recognizer"]:
        samples, alternatives = recording(case["said"], case["seed"]), len(case["alternatives"])
        facts = transcript_facts(transcriber.transcribe(samples, alternatives=alternatives))
        assert_alike(facts | {"said": case["said"], "seed": case["seed"]}, case, str(case["said"]))


def test_tagger_answers_as_before(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("DEBUG"):
        tagger = Tagger.load(RUNS / "tagger-v0")
    [said] = [each for each in caplog.records if "voices is called ensemble now" in each.message]
    assert said.levelname == "DEBUG"  # there is nothing to mend for whoever uses the tagger
    tagger.today = TODAY
    for case in EXPECTED["tagger"]:
        facts = tagging_facts(tagger.tag(case["text"], alternatives=len(case["alternatives"])))
        assert_alike(facts, case, case["text"])


def test_understanding_answers_as_before() -> None:
    understander = Understander.load(RUNS / "understanding-v0")
    understander.tagger.today = TODAY
    for case in EXPECTED["understanding"]:
        found = understander.understand(recording(case["said"], case["seed"]))
        facts = {name: getattr(found, name) for name in case.keys() - {"said", "seed", "words", "slots"}}
        slots = [
            [*slot_facts(slot), slot.written, slot.start_seconds, slot.end_seconds] for slot in found.slots
        ]
        facts |= {"words": [word_facts(word) for word in found.words], "slots": slots}
        facts |= {"said": case["said"], "seed": case["seed"]}
        assert_alike(facts, case, str(case["said"]))
