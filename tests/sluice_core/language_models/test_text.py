"""Text for language models, and the command `sluice lm`."""

import argparse
import gzip
import io
import json
import sys
from pathlib import Path

import pytest

from sluice.commands import lm
from sluice_core.errors import UserError
from sluice_core.grammar.travel import generate
from sluice_core.language_models.ngram import load_ngram
from sluice_core.language_models.text import read_sentences, split_units
from sluice_core.language_models.units import LanguageModelError
from tests.tones import write_corpus


def call(*arguments: object) -> int:
    parser = argparse.ArgumentParser()
    lm.add_arguments(parser)
    return lm.run(parser.parse_args([str(argument) for argument in arguments]))


@pytest.fixture
def text(tmp_path: Path) -> Path:
    path = tmp_path / "text.txt"
    path.write_text("\n".join(sentence.text for sentence in generate(200)) + "\n\n")
    return path


def test_sentences_are_lines(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("To  Oslo\n\n 好棒棒\t\r\n")
    (tmp_path / "b").write_bytes(gzip.compress("ÉTÉ".encode()))
    paths = [tmp_path / "a", tmp_path / "b"]
    assert list(read_sentences(paths, "word")) == [["To", "Oslo"], ["好棒棒"], ["ÉTÉ"]]
    assert list(read_sentences(paths, "character", "lower")) == [list("to oslo"), list("好棒棒"), list("été")]
    assert split_units("straße", "word", "upper") == ["STRASSE"]
    assert split_units("cafe\u0301", "word") == ["café"]  # as transcripts have it


def test_bad_text_is_told_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "t"
    for line, said in (
        (b"caf\xe9", "not UTF-8"),
        (b"to <s> oslo", "'<s>'"),
        (b"a <unk>", "'<unk>'"),
        (b"<UNK>", "'<UNK>'"),
    ):
        path.write_bytes(b"fine\n" + line + b"\n")
        with pytest.raises(LanguageModelError, match=f"t, line 2: .*{said}"):
            list(read_sentences([path], "word"))
    packed = gzip.compress(b"fine\n" * 1000)
    for damaged in (packed[:-10], packed[:10] + b"\xff" + packed[11:]):
        path.write_bytes(damaged)
        with pytest.raises(LanguageModelError, match="cut off or damaged"):
            list(read_sentences([path], "word"))
    with pytest.raises(LanguageModelError, match="nowhere: cannot read"):
        list(read_sentences([tmp_path / "nowhere"], "word"))


def test_train_convert_and_score(text: Path, tmp_path: Path, capsys) -> None:
    small, binary = tmp_path / "m.arpa.gz", tmp_path / "m.ngram"
    assert call("train", text, "--order", 3, "--prune", 0, 0, 1, "-o", small, "--quiet", "--json") == 0
    facts = json.loads(capsys.readouterr().out)
    assert (facts["unit"], facts["order"], facts["file"]) == ("word", 3, str(small))
    assert facts["n-grams"] == load_ngram(small).sizes
    assert call("convert", small, binary, "--quiet") == 0
    assert f"file {' ' * 21} {binary}".split() == capsys.readouterr().out.splitlines()[-1].split()

    spoken = tmp_path / "test.txt"
    spoken.write_text("FLIGHTS TO OSLO\nto zzz\n")
    told = []
    for model in (small, binary):
        assert call("score", model, spoken, "--case", "lower", "--quiet", "--json") == 0
        told.append(json.loads(capsys.readouterr().out))
    expected = load_ngram(binary).score_text([["flights", "to", "oslo"], ["to", "zzz"]])
    for facts in told:
        assert (facts["sentences"], facts["words"], facts["unknown"]) == (2, 5, 1)
        assert facts["perplexity"] == pytest.approx(expected.perplexity, rel=1e-4)
        assert facts["perplexity_without_ends"] == pytest.approx(expected.perplexity_without_ends, rel=1e-4)
        assert facts["perplexity_without_unknown"] == pytest.approx(expected.perplexity_of_known, rel=1e-4)
        assert facts["log10_probability"] == pytest.approx(expected.log10_prob, abs=1e-3)


def test_from_stdin_to_stdout(text: Path, tmp_path: Path, capfdbinary, monkeypatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BufferedReader(io.BytesIO(text.read_bytes()))))
    assert call("train", "-", "--unit", "character", "--order", 3, "--quiet") == 0
    (tmp_path / "m").write_bytes(capfdbinary.readouterr().out)
    model = load_ngram(tmp_path / "m")
    assert model.unit == "character" and model.order == 3


def test_a_runs_own_transcripts(tmp_path: Path, capsys) -> None:
    manifest = write_corpus(tmp_path / "data", 12)
    run = tmp_path / "run"
    run.mkdir()
    recipe = {"name": "run", "corpus": {"kind": "manifest", "train": str(manifest), "case": "upper"}}
    (run / "config.yaml").write_text(json.dumps(recipe))
    cache = tmp_path / "cache"
    options = ("--unit", "character", "--order", 2, "--cache", cache, "--quiet")
    assert call("train", "--run", run, "-o", tmp_path / "m.ngram", *options) == 0
    words = load_ngram(tmp_path / "m.ngram").words
    assert set(words) & set("ABC") and not set(words) & set("abc")


def test_what_cannot_be_done_is_told(text: Path, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.write_text("\n \n")
    call("train", text, "-o", tmp_path / "m.ngram", "--quiet")
    for arguments, said in [
        (("train",), "give text files"),
        (("train", empty), "no text to train"),
        (("train", "--run", tmp_path), "no config.yaml in it, so it is not a run directory"),
        (("score", tmp_path / "m.ngram", empty, "--quiet"), "nothing to score"),
        (("score", text, text, "--quiet"), "neither an ARPA file"),
        (("convert", tmp_path / "nowhere", tmp_path / "x"), "nowhere: cannot read"),
    ]:
        with pytest.raises(UserError, match=said):
            call(*arguments)
    assert not (tmp_path / "x").exists()
