"""`sluice tag`: arguments, files and standard input; text and JSON; every line has its answer."""

import io
import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from slot_filling.config import TaggerConfig
from slot_filling.sentences import Sentence
from slot_filling.tagger import Tagger
from slot_filling.tagging import Slot, Tagging
from slot_filling.vocabulary import Vocabulary
from sluice.cli import main
from sluice.commands.tag import LineError, describe, read_lines

SETTINGS = {
    "name": "tiny",
    "corpus": {"kind": "travel"},
    "encoder": {"word_size": 4, "character_size": 4, "character_filters": 4, "hidden_size": 4},
}
LABELLED = [
    Sentence(("fly", "to", "New", "York"), ("O", "O", "B-city", "I-city"), "fly"),
    Sentence(("on", "May", "2nd"), ("O", "B-date", "I-date"), "when"),
]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An untrained tagger whose large random weights make it find something."""
    torch.manual_seed(3)
    tagger = Tagger(TaggerConfig.check(SETTINGS, "test"), Vocabulary.learn(LABELLED))
    with torch.no_grad():
        tagger.model.output.weight *= 20
    folder = tmp_path_factory.mktemp("runs") / "tiny"
    tagger.save(folder)
    return folder


def stdin(monkeypatch: pytest.MonkeyPatch, data: bytes) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(data), encoding="utf-8"))


def json_lines(text: str) -> list[dict]:
    return [json.loads(line) for line in text.splitlines()]


def test_arguments_as_json(run: Path, capsys) -> None:
    texts = ["fly to  New York", "", "on May 2nd 台北 ✈️"]
    assert main(["tag", str(run), *texts, "--json", "--alternatives", "2"]) == 0
    answers = json_lines(capsys.readouterr().out)
    tagger = Tagger.load(run)
    assert [answer["text"] for answer in answers] == texts
    for text, answer in zip(texts, answers, strict=True):
        assert answer == json.loads(json.dumps(tagger.tag(text, alternatives=2).to_dict()))
        assert all(text[slot["start"] : slot["end"]] == slot["text"] for slot in answer["slots"])
    assert answers[1]["slots"] == [] and answers[1]["intent"] is None
    assert len(answers[0]["alternatives"]) == 2


@pytest.mark.parametrize("source", ["file", "stdin"])
def test_every_line_has_its_answer(run: Path, tmp_path: Path, monkeypatch, capsys, source: str) -> None:
    data = "\ufefffly to New York\r\n\n   \non May 2nd".encode()
    (tmp_path / "lines.txt").write_bytes(data)
    stdin(monkeypatch, data)
    arguments = ["--file", str(tmp_path / "lines.txt")] if source == "file" else []
    assert main(["tag", str(run), *arguments, "--json", "--quiet"]) == 0
    texts = [answer["text"] for answer in json_lines(capsys.readouterr().out)]
    assert texts == ["fly to New York", "", "   ", "on May 2nd"]


def test_nothing_in_nothing_out(run: Path, monkeypatch, capsys) -> None:
    stdin(monkeypatch, b"")
    assert main(["tag", str(run)]) == 0
    assert capsys.readouterr().out == ""


def test_text_for_people() -> None:
    slots = (
        Slot("destination", "Taipei", 7, 13, 0.998, None),
        Slot("date", "November 2nd", 17, 29, 0.98, "0000-11-02"),
    )
    text = "arrive Taipei on November 2nd"
    other = Tagging(text, slots[1:], "book_flight", 0.9, 0.01)
    assert describe(Tagging(text, slots, "book_flight", 0.9, 0.97, (other,))).splitlines() == [
        "arrive Taipei on November 2nd",
        "  intent: book_flight (0.900)",
        "  destination  7-13   0.998  Taipei",
        "  date         17-29  0.980  November 2nd  0000-11-02",
        "  or (0.010):",
        "  date  17-29  0.980  November 2nd  0000-11-02",
    ]
    assert describe(Tagging("", (), None, None, 1.0)).splitlines() == ["", "  no slots"]


def test_text_has_a_blank_line_between_sentences(run: Path, capsys) -> None:
    assert main(["tag", str(run), "fly", "to New York"]) == 0
    blocks = capsys.readouterr().out.split("\n\n")
    assert [block.splitlines()[0] for block in blocks] == ["fly", "to New York"]


def test_today_is_a_date(run: Path, capsys) -> None:
    assert main(["tag", str(run), "tomorrow", "--today", "2026-03-03", "--alternatives", "9", "--json"]) == 0
    (answer,) = json_lines(capsys.readouterr().out)
    found = [slot for reading in (answer, *answer["alternatives"]) for slot in reading["slots"]]
    assert {slot["value"] for slot in found if slot["label"] == "date"} == {"2026-03-04"}
    with pytest.raises(SystemExit):
        main(["tag", str(run), "tomorrow", "--today", "soon"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--file", "nowhere.txt"], "nowhere.txt: cannot be read"),
        (["--file", "."], "cannot be read"),
        (["fly", "--file", "x"], "not both"),
        (["fly", "bad \udcff bytes"], "sentence 2 is not UTF-8"),
    ],
)
def test_what_cannot_be_done_is_said(run: Path, capsys, arguments: list[str], message: str) -> None:
    assert main(["tag", str(run), *arguments]) == 1
    assert message in capsys.readouterr().err


def test_a_line_that_is_no_text_is_named_after_those_before_it(run: Path, tmp_path: Path, capsys) -> None:
    (tmp_path / "bad.txt").write_bytes(b"fly\nto\n\xff\xfe\nlost\n")
    assert main(["tag", str(run), "--file", str(tmp_path / "bad.txt"), "--json"]) == 1
    out, err = capsys.readouterr()
    assert [answer["text"] for answer in json_lines(out)] == ["fly", "to"]
    assert "bad.txt, line 3: not UTF-8" in err


def test_a_run_that_is_not_there(tmp_path: Path, capsys) -> None:
    assert main(["tag", str(tmp_path / "nothing"), "fly"]) == 1
    assert "no such run directory" in capsys.readouterr().err


def test_lines_are_given_as_soon_as_they_arrive() -> None:
    source, sink = os.pipe()
    groups: Iterator[list[str]]
    with os.fdopen(source, "rb") as reading:
        groups = read_lines(reading, "pipe")
        os.write(sink, "one\ntwo ü\nthr".encode())
        assert next(groups) == ["one", "two ü"]  # though the pipe is open, and may bring more
        writer = threading.Thread(target=lambda: (os.write(sink, b"ee\n"), os.close(sink)))
        writer.start()
        assert list(groups) == [["three"]]
        writer.join()


def test_a_character_cut_by_a_chunk_is_whole_again() -> None:
    class Slowly(io.BytesIO):
        def read1(self, size: int = -1, /) -> bytes:
            return super().read1(1)

    lines = [line for group in read_lines(Slowly("台北\nü".encode()), "x") for line in group]
    assert lines == ["台北", "ü"]
    with pytest.raises(LineError, match="x, line 2"):
        list(read_lines(Slowly(b"a\n\xe5\x8f"), "x"))
