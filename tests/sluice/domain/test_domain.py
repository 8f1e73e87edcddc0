"""A domain of a grammar: how it is evaluated, what it calls worst, and a whole small run of it."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from asr import Transcriber
from asr.synthesis.espeak import EspeakError, synthesizer
from asr.synthesis.plan import shuffle_some
from asr.tokens import Tokens
from asr.transcript import Transcript, Word
from sluice.domain import other_speech
from sluice.domain.evaluation import Request, choose_weight, first_rescored, meanings, misses
from sluice.domain.experiment import open_run
from sluice.domain.halves import recognizer_config, tagger_config
from sluice.domain.metrics import Meaning, RequestCounts, SlotMeaning, count, is_right, truth, word_error_rate
from sluice.domain.report import describe_rejection
from sluice.domain.settings import DomainConfig
from sluice.recipes import find_recipe
from sluice.rejection import REJECTION_FILE, RejectionConfig
from sluice.understanding import SpokenSlot, Understander, Understanding
from sluice_core.errors import UserError
from sluice_core.grammar.canonical_values import CanonicalValues
from sluice_core.grammar.grammar import Grammar
from sluice_core.grammar.graph import build_graph
from sluice_core.grammar.reading import read_grammar
from sluice_core.grammar.travel import generate
from tests.pages import check_self_contained


def slots(*pairs: tuple[str, str]) -> tuple[SlotMeaning, ...]:
    return tuple(SlotMeaning(label, value, value) for label, value in pairs)


GOLD = Meaning("fly to oslo on may first", slots(("destination", "oslo"), ("date", "may first")), "fly")
VALUES = CanonicalValues(
    Grammar.of({"fly": ["fly to {city:destination} on {date}"]}, {"city": ["oslo"], "date": ["may first"]})
)


def test_the_truth_is_the_grammars() -> None:
    for sentence in generate(20):
        answer = truth(sentence)
        assert answer.text == sentence.text and answer.intent == sentence.intent
        assert all(slot.words in answer.text for slot in answer.slots)


def test_slots_count_by_label_and_value_as_often_as_they_are_there() -> None:
    twice = Meaning("", slots(("city", "oslo"), ("city", "oslo")), "go")
    once = Meaning("", slots(("city", "oslo"), ("date", "oslo")), "go")
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


def understood(confidence: float, *slots: SlotMeaning, intent: str = "fly") -> Understanding:
    heard = tuple(
        SpokenSlot(slot.label, slot.words, 0, 1, slot.words, 0, 1, 0.5, None, 0.0, 1.0) for slot in slots
    )
    return Understanding("", "", (), heard, intent, 1.0, confidence, 0.0, 1.0)


def test_the_worst_is_what_misses_most_and_is_surest_of_it() -> None:
    answers = [
        understood(0.9, *GOLD.slots),
        understood(0.2, GOLD.slots[0]),
        understood(0.8, GOLD.slots[0]),
        understood(0.1),
        understood(0.1, *GOLD.slots, intent="ask"),
    ]
    found = misses([request(number, "x") for number in range(5)], answers, VALUES)
    assert [miss.request.number for miss in found] == [3, 2, 1, 4]


SIZES = """
intents: {order: ["a {size} tea"]}
lists: {size: ["(small | eight ounce)": 8 oz, "(large | big)": 16 oz]}
"""


@pytest.fixture
def sizes(tmp_path: Path) -> CanonicalValues:
    file = tmp_path / "sizes.yaml"
    file.write_text(SIZES, encoding="utf-8")
    return CanonicalValues(read_grammar(file))


def test_other_words_for_the_same_value_are_right(sizes: CanonicalValues) -> None:
    said = Meaning("a small tea", (SlotMeaning("size", "8 oz", "small"),), "order")
    openly = [
        understood(0.5, *slots(("size", words)), intent="order") for words in ("eight ounce", "big", "eight")
    ]
    same, other, none = meanings(openly, sizes)
    assert is_right(said, same) and not is_right(said, other) and not is_right(said, none)
    assert [each.slots[0].value for each in (same, other, none)] == ["8 oz", "16 oz", "eight"]
    assert [each.slots[0].words for each in (same, other, none)] == ["eight ounce", "big", "eight"]


def test_along_a_grammar_the_answers_own_value_counts(sizes: CanonicalValues) -> None:
    answer = understood(0.5, *slots(("size", "small")), intent="order")
    slot = replace(answer.slots[0], value="16 oz")
    (meaning,) = meanings([replace(answer, slots=(slot,), along_grammar=True)], sizes)
    assert meaning.slots == slots(("size", "16 oz"))


def test_no_more_readings_are_tagged_than_asked_for() -> None:
    class Listener:
        vocabulary = type("V", (), {"names": ()})
        seen: list[str] = []

        def tag_many(self, texts: list[str]) -> list[object]:
            from slot_filling.tagging import Tagging

            self.seen += texts
            return [Tagging(text, (), "fly", 1.0, 1.0) for text in texts]

    listener = Listener()
    first_rescored([request(0, "a", "b", "c", "d")], listener, 2, 1.0)  # type: ignore[arg-type]
    assert listener.seen == ["a", "b"]


def test_of_equally_good_weights_the_middle_one_is_chosen() -> None:
    def right(count: int) -> RequestCounts:
        return RequestCounts(count, 10, 10, 0, 0, 5)

    assert choose_weight([(0, right(7)), (1, right(9)), (2, right(9)), (4, right(9)), (8, right(8))]) == 2
    assert choose_weight([(0, right(9)), (1, right(8))]) == 0


def test_too_little_to_fit_rejection_to_is_said() -> None:
    enough = RejectionConfig(sentences=400, others=600, accepted=0.957)
    assert describe_rejection(enough).endswith(
        "of which 95.7% are accepted, and 600 recordings of anything else."
    )
    few = describe_rejection(enough.model_copy(update={"sentences": 38}))
    assert "too little to trust: below 200" in few and "more sentences (corpus.utterances), or" in few
    assert "sentences (corpus.utterances) and others (others)" in describe_rejection(
        RejectionConfig(sentences=38, others=130, accepted=0.25)
    )
    assert "a rough rule" in describe_rejection(None) == describe_rejection(RejectionConfig())


LIGHTS = """
intents: {on: ["lights (on | off)"], stop: [stop]}
"""


def test_what_is_a_sentence_after_all_is_no_other_speech(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Words of short sentences in any order are often a sentence: none of these may be learned to be rejected."""
    file = tmp_path / "lights.yaml"
    file.write_text(LIGHTS, encoding="utf-8")
    grammar = read_grammar(file)
    graph = build_graph(grammar)
    said = shuffle_some(grammar, ["lights on", "lights off", "stop"] * 20, 1.0, "1")
    inside = [text for text in said if graph.find(text.split())]
    assert 5 < len(inside) < len(said)
    rows = [{"text": text, "audio": text} for text in said]
    fitted: dict[str, list[str]] = {}

    def fit(
        understander: object, sentences: list[tuple[str, str]], others: list[str], seed: int
    ) -> RejectionConfig:
        fitted.update(sentences=[text for _, text in sentences], others=others)
        return RejectionConfig(threshold=0.25)

    run = tmp_path / "run"
    run.mkdir()
    monkeypatch.setattr(other_speech, "read_utterance", lambda row, rate: row["audio"])
    monkeypatch.setattr(
        other_speech, "load_corpus", lambda corpus, cache: {"train": rows, "dev": rows[:3], "test": []}
    )
    monkeypatch.setattr(other_speech, "fit_rejection", fit)
    config = recognizer_config(settings(file), run)
    transcriber = Transcriber(config, Tokens.learn(["lights on off stop"]))
    understander = Understander(transcriber, None, grammar=grammar)  # type: ignore[arg-type]
    other_speech.learn_to_reject(settings(file), run, understander, tmp_path)
    assert fitted["sentences"] == said[:3] and len(fitted["others"]) > 10
    assert not set(fitted["others"]) & set(inside)
    assert set(said) - set(inside) <= set(fitted["others"])
    kept = RejectionConfig.read(run / REJECTION_FILE)
    assert kept.threshold == 0.25 == understander.along_grammar.rejection.threshold


GRAMMAR = """
intents:
  order:
    - "[please] (give me | i want) [a] {size} {drink}"
  stop: ["stop", "never mind"]
lists:
  size: [small, large]
  drink: [tea, black coffee, milk]
"""
SMALL = [
    "others=20",
    'recognizer_changes=[corpus.utterances=40, "corpus.engines=[espeak]", training.max_epochs=1, model.hidden_size=16]',
    "tagger_changes=[corpus.sentences=100, training.max_epochs=2, encoder.hidden_size=20]",
]


@pytest.fixture
def grammar(tmp_path: Path) -> Path:
    file = tmp_path / "coffee.yaml"
    file.write_text(GRAMMAR, encoding="utf-8")
    return file


def settings(grammar: Path | str, *changes: str) -> DomainConfig:
    return DomainConfig.read(find_recipe("domain"), [f"grammar={grammar}", "name=coffee", *changes])


def test_both_recipes_are_given_the_grammar_of_the_run(grammar: Path, tmp_path: Path) -> None:
    config, run = settings(grammar, "recognizer_changes=[name=other, model.layers=1]"), tmp_path / "coffee"
    assert 0 in config.weights  # the recognizer's own choice is among those tried
    recognizer, tagger = recognizer_config(config, run), tagger_config(config, run)
    assert (recognizer.name, tagger.name) == ("recognizer", "tagger")
    assert recognizer.corpus.data == tagger.corpus.data == run / "grammar.yaml"
    assert recognizer.model.layers == 1 and tagger.noise.sound > 0
    assert str(recognizer_config(settings("travel"), run).corpus.data) == "travel"


def test_a_run_is_of_one_grammar(grammar: Path, tmp_path: Path) -> None:
    run = tmp_path / "runs" / "coffee"
    first = open_run(settings(grammar), run)
    assert first.count() == 2 * 2 * 2 * 2 * 3 + 2
    moved = grammar.rename(tmp_path / "moved.yaml")
    assert open_run(settings(moved), run).to_yaml() == first.to_yaml()  # the same sentences in another place
    with pytest.raises(UserError, match=r"other settings:\n  candidates: 8 there, 4 here"):
        open_run(settings(moved, "candidates=4"), run)
    moved.write_text(GRAMMAR.replace("milk", "water"), encoding="utf-8")
    with pytest.raises(UserError, match=r"another grammar than .*moved\.yaml is now: .*--name"):
        open_run(settings(moved), run)


@pytest.mark.parametrize(
    ("text", "message"),
    [("intents: {a: ['{nowhere}']}", "nowhere"), ("- 1", "grammar"), (None, "nosuch")],
    ids=["unknown list", "no grammar", "no file"],
)
def test_a_grammar_that_is_wrong_claims_no_name(
    tmp_path: Path, text: str | None, message: str, capsys
) -> None:
    from sluice.cli import main

    file = tmp_path / "nosuch.yaml"
    if text is not None:
        file.write_text(text, encoding="utf-8")
    arguments = ["--grammar", str(file), "--name", "x", "--runs", str(tmp_path / "runs"), "--quiet"]
    assert main(["train", "domain", *arguments]) == 1
    assert message in capsys.readouterr().err
    assert not (tmp_path / "runs").exists()


def test_a_wrong_setting_of_a_half_is_named_before_anything_is_spoken(grammar: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"model\.layer"):
        open_run(settings(grammar, "recognizer_changes=[model.layer=1]"), tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_a_small_run_leaves_what_understands(grammar: Path, tmp_path: Path, capsys, caplog) -> None:
    from sluice.cli import main

    try:
        synthesizer()
    except EspeakError as error:
        pytest.skip(f"no speech without espeak-ng: {error}")
    arguments = ["train", "domain", "--grammar", str(grammar), "--name", "coffee"]
    arguments += ["--runs", str(tmp_path / "runs"), "--cache", str(tmp_path / "cache")]
    for change in SMALL:
        arguments += ["--set", change]
    assert main(arguments) == 0
    printed = capsys.readouterr()
    assert (
        "the best of 8 by both" in printed.out
        and "the text itself" in printed.out
        and "espeak" in printed.out
    )
    assert "[1/" in printed.err and "done in" in printed.err
    folder = tmp_path / "runs" / "coffee"
    metrics = json.loads((folder / "metrics.json").read_text())
    assert metrics["test"]["the best reading"]["requests"] == 4 == metrics["engines"]["espeak"]["requests"]
    report = (folder / "report.html").read_text(encoding="utf-8")
    check_self_contained(report)
    assert "sluice adapt" in report
    weights = {file: file.stat().st_mtime_ns for file in folder.rglob("model.safetensors")}
    assert len(weights) == 2
    (folder / "metrics.json").unlink()
    (folder / "understanding.yaml").unlink()
    assert main(arguments) == 0  # as after a kill while joining: what is trained is taken
    assert weights == {file: file.stat().st_mtime_ns for file in folder.rglob("model.safetensors")}
    capsys.readouterr()
    sound = next((tmp_path / "cache").rglob("*.flac"))
    assert main(["understand", str(folder), str(sound), "--json", "--quiet"]) == 0
    assert json.loads(capsys.readouterr().out)["source"] == str(sound)
    assert (
        main(["adapt", str(folder), "--sentences", "2", "--cache", str(tmp_path / "cache"), "--quiet"]) == 0
    )
    assert len(capsys.readouterr().out.splitlines()) == 3
