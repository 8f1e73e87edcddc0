"""`sluice voices`: what can speak, what cannot and why, and a text said to a file."""

import json
from pathlib import Path

import pytest
import soundfile

from asr.synthesis import engines
from sluice.cli import main
from tests.asr.synthesis.fake_engine import RATE, FakeEngine


@pytest.fixture(autouse=True)
def fakes(monkeypatch: pytest.MonkeyPatch) -> None:
    known = {
        "here": FakeEngine("here"),
        "gone": FakeEngine("gone", reason="gone is not available: make a wish"),
    }
    monkeypatch.setattr(engines, "CLASSES", dict.fromkeys(known, ""))
    monkeypatch.setattr(engines, "make_engine", lambda name, files=(): known[name])


def test_engines_are_listed_with_the_reasons_of_the_missing(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["voices"]) == 0
    printed = capsys.readouterr().out
    assert "gone is not available: make a wish" in printed
    assert main(["voices", "--json"]) == 0
    here, gone = json.loads(capsys.readouterr().out)
    assert (here["engine"], here["reason"], here["version"]) == ("here", None, "1")
    assert here["voices"] == {"train": ["a", "b", "c"], "dev": ["d"], "test": ["e"]}
    assert gone["reason"] and gone["version"] is None


def test_the_voices_of_one_engine(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["voices", "--engine", "here"]) == 0
    assert "train  a, b, c" in capsys.readouterr().out
    assert main(["voices", "--engine", "gone"]) == 1
    assert "make a wish" in capsys.readouterr().err


def test_a_text_is_said_to_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "a.wav"
    assert main(["voices", "a cab", "--engine", "here", "--voice", "d", "--out", str(out), "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert (facts["engine"], facts["voice"]) == ("here", "d")
    samples, rate = soundfile.read(out)
    assert rate == RATE
    assert len(samples) / rate == pytest.approx(facts["seconds"], abs=0.001)
    assert abs(samples).max() > 0.5


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["hello"], "name a synthesizer (--engine) and a file (--out)"),
        (["hello", "--engine", "gone", "--out", "a.wav"], "make a wish"),
        (["hello", "--engine", "here", "--voice", "z", "--out", "a.wav"], "here has no voice 'z'"),
        (["hello", "--engine", "here", "--out", "a.xyz"], "name a .flac or .wav file"),
        (
            ["hallo", "--engine", "here", "--language", "de", "--out", "a.wav"],
            "no voice for the language 'de'",
        ),
    ],
)
def test_errors_say_what_to_do(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["voices", *arguments]) == 1
    assert message in capsys.readouterr().err
