"""The report of a tagger's run: every figure with its count, errors marked, nothing left to another host."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from slot_filling.evaluation.evaluation import Evaluation
from slot_filling.evaluation.metrics import NOTHING
from slot_filling.evaluation.pictures import confusion_matrix
from slot_filling.evaluation.report import write_report
from slot_filling.evaluation.sentence_tables import MOST_WORDS, mark
from slot_filling.schemes import spans
from slot_filling.sentences import Sentence, Span
from slot_filling.tagger import Tagger
from tests.pages import Reader, check_self_contained
from tests.slot_filling.requests import SENTENCES, sentence, settings, vocabulary


def evaluation(sentences: list[Sentence], answers: list[Sentence], confidences: list[float]) -> Evaluation:
    """Answers as a tagger would give them; each span is as sure as its sentence."""
    found = [
        [(span, sure) for span in spans(answer.tags or ())]
        for answer, sure in zip(answers, confidences, strict=True)
    ]
    tags = [answer.tags or () for answer in answers]
    return Evaluation(sentences, tags, found, [answer.intent for answer in answers], confidences)


def answered() -> Evaluation:
    """One slot too short, one of another label, one missed, one invented; one intent wrong and nothing else."""
    answers = [
        sentence(SENTENCES[0].text, "O B-city O B-date O", "arrive"),
        replace(SENTENCES[1], intent="arrive"),
        sentence(SENTENCES[2].text, "O B-city I-city O O O B-date I-date I-date I-date", "leave"),
        sentence(SENTENCES[3].text, "O B-time O B-city O O", "leave"),
        SENTENCES[4],
    ]
    return evaluation(SENTENCES, answers, [0.9, 0.99, 0.95, 0.2, 0.97])


def write(run: Path, measured: dict[str, Evaluation], metrics: dict[str, Any] | None = None) -> Reader:
    path = write_report(run, measured, Tagger(settings(), vocabulary()), metrics or {})
    assert path == run / "report.html" and not list(run.glob("*.part"))
    return check_self_contained(path.read_text(encoding="utf-8"))


def words_of(reader: Reader) -> str:
    return " ".join(" ".join(reader.text).split())


def test_a_run_is_told_whole(tmp_path: Path) -> None:
    history = [
        {"epoch": n, "train_loss": 2 / (n + 1), "dev_error": 0.9**n, "dev_sentences": 1 - 0.95**n}
        for n in range(4)
    ]
    (tmp_path / "history.json").write_text(json.dumps(history))
    metrics = {"seed": 23, "minutes": 1.5, "machine": "a machine", "parameters": 12345}
    reader = write(
        tmp_path, {"dev": evaluation(SENTENCES, SENTENCES, [1.0] * 5), "test": answered()}, metrics
    )
    text = words_of(reader)
    facts = (
        "small",
        "crf head",
        "23",
        "1.5 minutes",
        "a machine",
        "12,345",
        "5 sentences, 24 words, 7 slots",
    )
    assert all(fact.lower() in text.lower() for fact in facts)
    assert "dev span F1 100.0%" in text and "dev whole sentences 100.0%" in text
    # Right: city; city; city; date. Seven are found, and seven in the reference.
    assert "test span F1 57.1%" in text and "test slots: precision 57.14% 4 / 7" in text
    assert "test slots: recall 57.14% 4 / 7" in text and "test intents 75.00% 3 / 4" in text
    assert "test whole sentences 20.00% 1 / 5" in text
    assert "epoch 4 was kept" in text and "whole sentences 85.74%" in text
    assert "city 85.7% 100.0% 75.0% 4 3 3" in text and "time 0.0% 0.0% 0.0% 1 1 0" in text
    assert "right label, wrong borders 1" in text and "another label 1" in text
    assert "nothing found there 1" in text and "found where there is none 1" in text
    assert "time date 1" in text and f"{NOTHING} time 1" in text and f"city {NOTHING} 1" in text
    assert "leave 50.00% 1 / 2" in text and "leave arrive 1" in text
    assert "1 of 5 sentences (20.0%) is wholly right, 3 have a slot wrong, 1 the intent alone." in text
    assert text.index("95.0% from") < text.index("90.0% arrive") < text.index("20.0% a seat"), (
        "the surest first"
    )
    assert len(reader.all("svg")) == 2 + 1 + 3


def test_differences_are_marked_with_their_labels(tmp_path: Path) -> None:
    write(tmp_path, {"dev": answered()})
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert (
        "arrive <mark>Taipei</mark><small> city </small>on <del>November 2nd</del><small> date </small>"
        in page
    )
    assert "on <ins>November</ins><small> date </small>2nd" in page
    assert "a <ins>seat</ins><small> time </small>to <mark>Oslo</mark>" in page


def test_no_error_anywhere_is_said(tmp_path: Path) -> None:
    text = words_of(write(tmp_path, {"dev": evaluation(SENTENCES, SENTENCES, [1.0] * 5)}))
    assert "No slot was taken for another, missed or invented." in text
    assert "No intent was taken for another." in text and "5 of 5 sentences (100.0%) are wholly right" in text


def test_nothing_found_anywhere_is_said(tmp_path: Path) -> None:
    nothing = [Sentence(each.words, ("O",) * len(each.words), each.intent) for each in SENTENCES]
    text = words_of(write(tmp_path, {"dev": evaluation(SENTENCES, nothing, [0.5] * 5)}))
    assert "No slot was found in any sentence of dev." in text and "slots: precision none 0 / 0" in text


def test_labels_that_training_never_had_are_told(tmp_path: Path) -> None:
    new = [sentence("to Mars", "O B-planet", "launch")]
    text = words_of(write(tmp_path, {"test": evaluation(new, new, [0.5])}))
    assert "Test has labels that training never had, so they cannot be answered: planet (1)." in text
    assert "Test has intents that training never had, so they cannot be answered: launch (1)." in text


@pytest.mark.parametrize("count", [0, 1])
def test_little_or_nothing_to_tell(count: int, tmp_path: Path) -> None:
    plain = [Sentence(("hello",), ("O",))] * count
    text = words_of(write(tmp_path, {"dev": evaluation(plain, plain, [0.5] * count)}))
    assert "There is no slot" in text and "Intents" not in text
    assert "dev whole sentences none" in text or "dev whole sentences 100.0%" in text
    assert "no history" in words_of(write(tmp_path, {}))


def test_foreign_text_is_no_markup_and_long_sentences_are_cut(tmp_path: Path) -> None:
    words = ("<script>", "$x_1$", "名前", *["and"] * 10_000)
    gold = Sentence(words, ("B-<b>", "O", "B-&", *["O"] * 10_000))
    found = Sentence(words, ("O",) * len(words))
    reader = write(tmp_path, {"dev": evaluation([gold], [found], [0.5])})
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "名前" in page and "and …" in words_of(reader) and page.count(" and ") < 300


def test_marked_text_is_the_sentence() -> None:
    words = [f"w{number}" for number in range(100)]
    pieces = mark(words, [Span("a", 0, 2), Span("b", 2, 3), Span("c", 59, 61)], [True, False, True], "put in")
    text = "".join(piece.text if piece.kind != "note" else " " for piece in pieces)
    assert text == " ".join(words[:MOST_WORDS]) + " …"
    assert [piece.text for piece in pieces if piece.kind == "put in"] == ["w2"]
    assert [piece.text for piece in pieces if piece.kind == "right"] == ["w0 w1"]


def test_the_confusion_matrix_says_in_words_what_it_shows() -> None:
    matrix = confusion_matrix("Slots", ["a", "b"], {("a", "a"): 5, ("a", "b"): 3})
    assert "a answered as b 3 times" in matrix.alt and ">5<" in matrix.svg and ">3<" in matrix.svg
