"""The recipe from speech to slots: how it counts, what it calls worst, and a whole small run of it."""

import json
from pathlib import Path

import numpy as np
import pytest

from asr.synthesis.espeak import EspeakError, synthesizer
from asr.transcript import Transcript, Word
from recipes.understand.evaluation import Request, choose_weight, misses, understand
from recipes.understand.metrics import Meaning, RequestCounts, count, is_right, truth, word_error_rate
from recipes.understand.run import HERE, main
from recipes.understand.settings import ROOT, UnderstandSettings
from slot_filling.config import TaggerConfig
from sluice.understanding import SpokenSlot, Understanding
from sluice_core.grammar.travel import generate
from tests.pages import check_self_contained

GOLD = Meaning("fly to oslo on may first", (("destination", "oslo"), ("date", "may first")), "fly")


def test_the_truth_is_the_grammars() -> None:
    for sentence in generate(20):
        answer = truth(sentence)
        assert answer.text == sentence.text and answer.intent == sentence.intent
        assert all(words in answer.text for _, words in answer.slots)


def test_slots_count_by_label_and_words_as_often_as_they_are_there() -> None:
    twice = Meaning("", (("city", "oslo"), ("city", "oslo")), "go")
    once = Meaning("", (("city", "oslo"), ("date", "oslo")), "go")
    counts = count([GOLD, twice], [GOLD, once])
    assert counts == (3, 4, 4, 1, 2, 2)
    assert counts.f1 == pytest.approx(3 / 4)
    assert counts.to_dict()["whole_requests"] == 0.5
    assert is_right(GOLD, Meaning("another text", GOLD.slots[::-1], "fly"))
    assert not is_right(GOLD, Meaning(GOLD.text, GOLD.slots, "ask"))
    assert count([], []).f1 == 0.0


def test_words_are_counted_over_all_requests() -> None:
    heard = [Meaning("fly to oslo", (), None), Meaning("go", (), None)]
    errors = word_error_rate([GOLD, Meaning("go", (), None)], heard)
    assert (errors["errors"], errors["total"]) == (3, 7)


def request(number: int, *readings: str) -> Request:
    transcripts = [
        Transcript(text, tuple(Word(word, 0, 1, 1) for word in text.split()), -float(rank), 1.0)
        for rank, text in enumerate(readings)
    ]
    heard = Transcript(
        transcripts[0].text, transcripts[0].words, 0.0, 1.0, alternatives=tuple(transcripts[1:])
    )
    return Request(number, "someone", np.zeros(10, np.float32), 16000, GOLD, heard)


def understood(confidence: float, *slots: tuple[str, str], intent: str = "fly") -> Understanding:
    heard = tuple(SpokenSlot(label, text, 0, 1, text, 0, 1, 0.5, None, 0.0, 1.0) for label, text in slots)
    return Understanding("", "", (), heard, intent, 1.0, confidence, 0.0, 1.0)


def test_the_worst_is_what_misses_most_and_is_surest_of_it() -> None:
    answers = [
        understood(0.9, *GOLD.slots),
        understood(0.2, GOLD.slots[0]),
        understood(0.8, GOLD.slots[0]),
        understood(0.1),
        understood(0.1, *GOLD.slots, intent="ask"),
    ]
    found = misses([request(number, "x") for number in range(5)], answers)
    assert [miss.request.number for miss in found] == [3, 2, 1, 4]


def test_no_more_readings_are_tagged_than_asked_for() -> None:
    class Listener:
        vocabulary = type("V", (), {"names": ()})
        seen: list[str] = []

        def tag_many(self, texts: list[str]) -> list[object]:
            from slot_filling.tagging import Tagging

            self.seen += texts
            return [Tagging(text, (), "fly", 1.0, 1.0) for text in texts]

    listener = Listener()
    understand([request(0, "a", "b", "c", "d")], None, listener, 2, 1.0)  # type: ignore[arg-type]
    assert listener.seen == ["a", "b"]


def test_of_equally_good_weights_the_middle_one_is_chosen() -> None:
    def right(count: int) -> RequestCounts:
        return RequestCounts(count, 10, 10, 0, 0, 5)

    assert choose_weight([(0, right(7)), (1, right(9)), (2, right(9)), (4, right(9)), (8, right(8))]) == 2
    assert choose_weight([(0, right(9)), (1, right(8))]) == 0


def test_its_settings_hold() -> None:
    settings = UnderstandSettings.read(HERE / "understand.yaml")
    assert 0 in settings.weights  # the recognizer's own choice is among those tried
    assert TaggerConfig.read(ROOT / settings.tagger).noise.sound > 0


@pytest.mark.slow
def test_a_small_run_leaves_what_understands(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from sluice.cli import main as sluice

    try:
        synthesizer()
    except EspeakError as error:
        pytest.skip(f"no speech without espeak-ng: {error}")
    small = [
        "--set",
        'recognizer_changes=[name=r, corpus.utterances=40, "corpus.engines=[espeak]", training.max_epochs=1, '
        "model.hidden_size=16]",
    ]
    small += [
        "--set",
        "tagger_changes=[name=t, corpus.sentences=100, training.max_epochs=2, encoder.hidden_size=20]",
    ]
    arguments = [
        "--quick",
        "--quiet",
        "--runs",
        str(tmp_path / "runs"),
        "--cache",
        str(tmp_path / "cache"),
        *small,
    ]
    assert main(arguments) == 0
    printed = capsys.readouterr().out
    assert "the best of 8 by both" in printed and "the text itself" in printed
    folder = tmp_path / "runs" / "understand-quick"
    metrics = json.loads((folder / "metrics.json").read_text())
    assert metrics["test"]["the best reading"]["requests"] == 4
    check_self_contained((folder / "report.html").read_text(encoding="utf-8"))
    stamp = (tmp_path / "runs" / "t" / "model.safetensors").stat().st_mtime_ns
    assert main(arguments) == 0  # the runs that are there are taken
    assert (tmp_path / "runs" / "t" / "model.safetensors").stat().st_mtime_ns == stamp
    capsys.readouterr()
    sound = next((tmp_path / "cache").glob("travel-*/audio/test-*.flac"))
    assert sluice(["understand", str(folder), str(sound), "--json", "--quiet"]) == 0
    assert json.loads(capsys.readouterr().out)["source"] == str(sound)
