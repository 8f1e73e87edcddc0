"""Speech to slots: which hypothesis is chosen, where its slots are, and the command."""

import json
import math
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import soundfile

from asr.transcript import Transcript, Word
from slot_filling.tagger import Tagger
from slot_filling.tagging import Slot, Tagging
from sluice.cli import main
from sluice.rescoring import rescore
from sluice.understanding import Understander
from sluice.understood import with_intent
from sluice_core.files import CheckpointError
from tests.conftest import ToneRun
from tests.tones import RATE, say


def transcript(text: str, score: float, *others: Transcript) -> Transcript:
    """Half a second a word, each with a confidence of 0.9."""
    words = tuple(Word(word, 0.5 * at, 0.5 * at + 0.4, 0.9) for at, word in enumerate(text.split()))
    return Transcript(text, words, score, 0.5 * len(words), "a.wav", others)


class FixedTagger:
    """Believes in each text with a given probability, and finds the places it is told of."""

    def __init__(self, beliefs: dict[str, float], slots: dict[str, str]) -> None:
        self.beliefs, self.slots = beliefs, slots
        self.vocabulary = SimpleNamespace(names=("city",))

    def tag_many(self, texts: list[str]) -> list[Tagging]:
        return [self._tagging(text) for text in texts]

    def _tagging(self, text: str) -> Tagging:
        found = sorted((text.index(part), part, label) for part, label in self.slots.items() if part in text)
        slots = tuple(Slot(label, part, at, at + len(part), 0.8, None) for at, part, label in found)
        return Tagging(text, slots, "fly", 0.5, self.beliefs[text])


def rescored(tagger_weight: float, *hypotheses: Transcript, **options: Any) -> Any:
    best, *others = hypotheses
    heard = Transcript(best.text, best.words, best.score, best.duration_seconds, best.source, tuple(others))
    tagger = FixedTagger(
        {"fly to taipei": 0.9, "fly too type pay": 0.1, "fly to type a": 0.3},
        {"taipei": "city", "type a": "city"},
    )
    return rescore([heard], tagger, tagger_weight, **options)[0]  # type: ignore[arg-type]


HYPOTHESES = (
    transcript("fly too type pay", -4.0),
    transcript("fly to taipei", -5.0),
    transcript("fly to type a", -9.0),
)


def test_the_hypothesis_that_both_models_find_likely_is_chosen() -> None:
    assert rescored(0.0, *HYPOTHESES).text == "fly too type pay"
    chosen = rescored(1.0, *HYPOTHESES, alternatives=5)
    assert chosen.text == "fly to taipei" and chosen.source == "a.wav"
    assert chosen.score == pytest.approx(-5.0 + math.log(0.9) + math.log(0.5))
    assert [other.text for other in chosen.alternatives] == ["fly too type pay", "fly to type a"]
    assert rescored(1.0, *HYPOTHESES).alternatives == ()


def test_slots_have_times_places_and_the_probability_that_all_is_right() -> None:
    chosen = rescored(1.0, *HYPOTHESES, alternatives=2)
    (slot,) = chosen.slots
    assert chosen.text[slot.start : slot.end] == slot.text == "taipei"
    assert chosen.written_text == "Fly to Taipei"
    assert chosen.written_text[slot.written_start : slot.written_end] == slot.written == "Taipei"
    assert (slot.start_seconds, slot.end_seconds) == (1.0, 1.4)
    assert slot.confidence == pytest.approx(0.8 * 0.9)
    assert chosen.confidence == pytest.approx(0.9 * 0.9**3)
    (two,) = chosen.alternatives[1].slots
    assert (two.text, two.start_seconds, two.end_seconds) == ("type a", 1.0, 1.9)
    assert two.confidence == pytest.approx(0.8 * 0.9**2)


def test_the_only_intent_that_there_is_is_answered_for_words_and_not_for_silence() -> None:
    spoken = rescored(1.0, *HYPOTHESES)
    without = replace(
        spoken, intent=None, intent_confidence=None, alternatives=(replace(spoken, intent=None),)
    )
    answered = with_intent(without, "order")
    assert (answered.intent, answered.intent_confidence) == ("order", 1.0)
    assert answered.alternatives[0].intent == "order"
    assert with_intent(replace(without, intent="greet"), "order").intent == "greet"
    silent = replace(without, text="", words=(), slots=(), alternatives=())
    assert with_intent(silent, "order").intent is None


def test_the_package_exports_it_and_alone_imports_no_torch() -> None:
    import subprocess
    import sys

    import sluice

    assert sluice.Understander is Understander
    with pytest.raises(AttributeError, match="Nonsense"):
        sluice.Nonsense  # noqa: B018
    alone = "import sys, sluice, sluice.cli; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", alone], check=False).returncode == 0


def test_silence_means_nothing() -> None:
    tagger = FixedTagger({"": 1.0}, {})
    (quiet,) = rescore([transcript("", -0.1)], tagger, 0.5)  # type: ignore[arg-type]
    assert (quiet.text, quiet.written_text, quiet.slots, quiet.confidence) == ("", "", (), 1.0)


@pytest.mark.slow
def test_the_command_understands_files_and_goes_on_past_bad_ones(
    tone_run: ToneRun, random_tagger: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    soundfile.write(tmp_path / "good.wav", say("abb da"), RATE)
    (tmp_path / "bad.wav").write_text("this is no audio")
    arguments = ["understand", str(tone_run.run), "--tagger", str(random_tagger), str(tmp_path), "--quiet"]
    assert main([*arguments, "--json", "--alternatives", "2"]) == 1
    out, err = capsys.readouterr()
    (answer,) = [json.loads(line) for line in out.splitlines()]
    assert answer["text"] == "abb da" and answer["source"].endswith("good.wav") and "bad.wav" in err
    assert len(answer["alternatives"]) == 2
    tagging = Tagger.load(random_tagger).tag("abb da")
    assert [(slot["label"], slot["text"]) for slot in answer["slots"]] == [
        (slot.label, slot.text) for slot in tagging.slots
    ]
    assert main(arguments) == 1
    assert "heard: abb da" in capsys.readouterr().out


@pytest.mark.slow
def test_saved_as_one_directory_it_is_whole(
    tone_run: ToneRun, random_tagger: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from asr import Transcriber

    understander = Understander(
        Transcriber.load(tone_run.run), Tagger.load(random_tagger), candidates=3, tagger_weight=0.2
    )
    understander.save(tmp_path / "both")
    moved = (tmp_path / "both").rename(tmp_path / "elsewhere")
    loaded = Understander.load(moved)
    assert (loaded.candidates, loaded.tagger_weight) == (3, 0.2)
    samples = [say("abb da"), say("ace"), say("bed cab")]
    assert list(loaded.understand_many(samples, RATE)) == list(understander.understand_many(samples, RATE))
    alone = [loaded.understand(one, RATE) for one in samples]
    assert [each.text for each in alone] == [each.text for each in loaded.understand_many(samples, RATE)]
    soundfile.write(tmp_path / "good.wav", samples[0], RATE)
    assert main(["understand", str(moved), "--tagger", str(random_tagger), str(tmp_path / "good.wav")]) != 0
    assert "has a tagger already" in capsys.readouterr().err


def test_a_directory_without_its_settings_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"understanding\.yaml.*recipe-understand"):
        Understander.load(tmp_path)
