"""Language models, tuning, hot words, alignment and formats: from the command line and from Python."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile
import yaml

from asr import Transcriber
from asr.evaluation.error_rates import word_errors
from sluice.cli import main
from sluice_core.errors import UserError
from tests.conftest import ToneRun
from tests.tones import RATE, say

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def tuned(tone_run: ToneRun, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the tiny run, tuned as a person would."""
    run = tmp_path_factory.mktemp("tuned") / "run"
    shutil.copytree(tone_run.run, run)
    assert main(["tune", str(run), "--cache", str(run.parent / "cache"), "--beam", "8", "--quiet"]) == 0
    return run


def test_tuning_is_kept_with_the_run(tuned: Path) -> None:
    settings = yaml.safe_load((tuned / "decoding.yaml").read_text())
    assert settings["method"] == "beam" and settings["beam"] == 8
    figures = json.loads((tuned / "tuning.json").read_text())
    assert set(figures["candidates"]) == {
        "no language model",
        "4-gram of words",
        "4-gram of words, lexicon",
        "6-gram of characters",
    }
    best = figures["candidates"][figures["chosen"]]["words"]["errors"]
    assert best == min(each["words"]["errors"] for each in figures["candidates"].values())
    transcriber = Transcriber.load(tuned)
    assert transcriber.decoding.method == "beam"
    moved = tuned.with_name("moved")
    shutil.copytree(tuned, moved)
    assert Transcriber.load(moved).transcribe(say("abb da"), RATE).text == "abb da"


def test_tuning_leaves_what_the_person_set(tuned: Path, tone_run: ToneRun, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(tuned, run)
    settings = yaml.safe_load((run / "decoding.yaml").read_text())
    own = {
        "hot_words": {"decade": 2.0},
        "unknown_score": -7.0,
        "beam_threshold": 9.0,
        "token_threshold": 1e-3,
    }
    (run / "decoding.yaml").write_text(yaml.safe_dump({**settings, **own}))
    assert main(["tune", str(run), "--cache", str(tuned.parent / "cache"), "--beam", "4", "--quiet"]) == 0
    decoding = Transcriber.load(run).decoding
    assert decoding.beam == 4 and decoding.model_dump(include=own.keys()) == own
    assert (
        Transcriber.load(run).transcribe(say("abb da"), RATE).text == "abb da"
    )  # the hot word's word is known
    assert "decade" not in {word for row in tone_run.manifest.read_text().split() for word in row.split(",")}


def test_a_beam_without_prefixes_is_refused(
    tuned: Path, tone_run: ToneRun, capsys: pytest.CaptureFixture[str]
) -> None:
    cache = str(tuned.parent / "cache")
    with pytest.raises(SystemExit) as caught:
        main(["tune", str(tone_run.run), "--cache", cache, "--beam", "0", "--quiet"])
    assert caught.value.code == 2
    assert "--beam: must be at least 1, not 0" in capsys.readouterr().err
    assert not (tone_run.run / "decoding.yaml").exists()


def test_a_run_is_tuned_once_more_and_saved_elsewhere(tuned: Path, tmp_path: Path) -> None:
    Transcriber.load(tuned).save(tmp_path / "copy")
    again = Transcriber.load(tmp_path / "copy")
    assert again.decoding == Transcriber.load(tuned).decoding
    assert again.transcribe(say("cab ed"), RATE).text == "cab ed"


def test_evaluation_prints_both_decodings(tuned: Path, tone_run: ToneRun, tmp_path: Path, capsys) -> None:
    arguments = [
        "evaluate",
        str(tuned),
        "--cache",
        str(tmp_path),
        "--data",
        str(tone_run.manifest),
        "--quiet",
    ]
    assert main([*arguments, "--json"]) == 0
    figures = json.loads(capsys.readouterr().out)["manifest.csv"]
    stored = json.loads((tone_run.run / "metrics.json").read_text())["test"]
    assert figures["greedy"]["words"] == stored["words"]
    assert figures["decoding"].startswith("beam 8")
    assert main(arguments) == 0
    out = capsys.readouterr().out
    assert "greedy" in out and "beam 8" in out and f"/ {figures['words']['total']}" in out


def test_alternatives_are_distinct_and_in_order(tone_run: ToneRun) -> None:
    transcript = Transcriber.load(tone_run.run).transcribe(say("bad cab"), RATE, alternatives=3)
    assert len(transcript.alternatives) == 3
    scores = [transcript.score, *(each.score for each in transcript.alternatives)]
    assert scores == sorted(scores, reverse=True)
    assert len({transcript.text, *(each.text for each in transcript.alternatives)}) == 4


def test_hot_words_are_heard_and_harm_no_others(tone_run: ToneRun) -> None:
    transcriber = Transcriber.load(tone_run.run)
    plain = transcriber.transcribe(say("bad cab"), RATE, alternatives=5)
    assert plain.text == "bad cab"
    other = next(each for each in plain.alternatives if each.text.split() != ["bad", "cab"])
    wanted = next(word for word in other.text.split() if word not in ("bad", "cab"))
    boosted = transcriber.transcribe(say("bad cab"), RATE, hot_words={wanted: 60.0})
    assert wanted in boosted.text.split()
    assert transcriber.transcribe(say("de"), RATE, hot_words={"abba abba": 5.0}).text == "de"
    with pytest.raises(UserError, match="x"):
        transcriber.transcribe(say("de"), RATE, hot_words={"xylophone": 3.0})


def test_align_command(tone_run: ToneRun, tmp_path: Path, capsys) -> None:
    soundfile.write(tmp_path / "a.wav", say("abb da"), RATE)
    arguments = ["align", str(tone_run.run), str(tmp_path / "a.wav")]
    assert main([*arguments, "abb da", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [word["text"] for word in found["words"]] == ["abb", "da"]
    assert len(found["tokens"]) == 6
    assert main([*arguments, "abb da"]) == 0
    assert "start" in capsys.readouterr().out
    for text, said in (("xyz", "alphabet"), ("", "no text"), ("abcde " * 40, "too long")):
        assert main([*arguments, text]) == 1
        err = capsys.readouterr().err
        assert said in err and "Traceback" not in err


def test_formats_are_printed_or_written_beside_each_other(tone_run: ToneRun, tmp_path: Path, capsys) -> None:
    for name in ("1.wav", "2.wav"):
        soundfile.write(tmp_path / name, say("bed"), RATE)
    run = str(tone_run.run)
    assert main(["transcribe", run, str(tmp_path / "1.wav"), "--format", "vtt"]) == 0
    assert capsys.readouterr().out.startswith("WEBVTT")
    out = tmp_path / "out"
    arguments = ["transcribe", run, str(tmp_path), "--format", "srt", "-o", str(out), "--quiet"]
    assert main(arguments) == 0
    assert sorted(path.name for path in out.iterdir()) == ["1.srt", "2.srt"]
    assert "-->" in (out / "1.srt").read_text() and "bed" in (out / "2.srt").read_text()


def test_a_long_recording_among_short_ones(tone_run: ToneRun, tmp_path: Path, capsys) -> None:
    texts = [("cab", "bed", "abba")[number % 3] for number in range(40)]
    generator = np.random.default_rng(3)
    pauses = generator.normal(0, 0.002, (len(texts), int(0.8 * RATE))).astype(np.float32)
    pieces = [
        part for text, pause in zip(texts, pauses, strict=True) for part in (say(text, generator), pause)
    ]
    soundfile.write(tmp_path / "2-long.wav", np.concatenate(pieces), RATE)
    for name in ("1.wav", "3.wav"):
        soundfile.write(tmp_path / name, say("de"), RATE)
    assert main(["transcribe", str(tone_run.run), str(tmp_path), "--json", "--quiet"]) == 0
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [each["text"] for each in found[::2]] == ["de", "de"]
    assert len(found[1]["words"]) == len(texts)  # none lost, none doubled
    assert word_errors([" ".join(texts)], [found[1]["text"]]).errors <= 2  # the recognizer is a tiny one
    starts = [word["start"] for word in found[1]["words"]]
    assert starts == sorted(starts) and starts[-1] > 40


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("language_model: nowhere.arpa", "nowhere.arpa"),
        ("lexicon: nowhere.txt", "nowhere.txt"),
        ("beam: many", "beam"),
        ("hot_words: {xyz: 3}", "xyz"),
    ],
)
def test_settings_of_decoding_that_are_wrong(
    tone_run: ToneRun, tmp_path: Path, capsys, content: str, said: str
) -> None:
    run = tmp_path / "run"
    shutil.copytree(tone_run.run, run, ignore=shutil.ignore_patterns("checkpoints", "tensorboard"))
    (run / "decoding.yaml").write_text(f"method: beam\n{content}\n")
    soundfile.write(tmp_path / "a.wav", say("de"), RATE)
    assert main(["transcribe", str(run), str(tmp_path / "a.wav")]) == 1
    err = capsys.readouterr().err
    assert said in err and "Traceback" not in err
