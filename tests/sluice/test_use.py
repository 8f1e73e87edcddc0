"""The tiny recognizer in use, from the command line and from Python."""

import json
import os
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from asr import Transcriber
from asr.audio.reading import AudioError
from sluice.cli import main
from sluice_core.devices import DeviceError
from sluice_core.files import CheckpointError
from tests.conftest import ToneRun
from tests.tones import RATE, say

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def transcriber(tone_run: ToneRun) -> Transcriber:
    return Transcriber.load(tone_run.run)


def test_training_learned_the_language_and_left_everything_behind(tone_run: ToneRun) -> None:
    metrics = json.loads((tone_run.run / "metrics.json").read_text())
    assert metrics["test"]["characters"]["rate"] < 0.1
    assert metrics["test"]["utterances"] == 12
    for name in ("config.yaml", "tokens.json", "model.safetensors", "history.json", "report.html"):
        assert (tone_run.run / name).stat().st_size > 0
    for split in ("dev", "test"):
        assert (tone_run.run / f"transcripts-{split}.tsv").read_text().startswith("id\terrors")
    assert len(json.loads((tone_run.run / "history.json").read_text())) == 20
    assert any((tone_run.run / "tensorboard").rglob("events*"))


def test_doubled_letters_and_word_times(transcriber: Transcriber) -> None:
    samples = say("abb da")
    transcript = transcriber.transcribe(samples, RATE)
    assert transcript.text == "abb da"
    first, second = transcript.words
    assert (first.text, second.text) == ("abb", "da")
    assert 0.05 < first.start < 0.25
    assert first.start < first.end <= second.start < second.end <= transcript.duration_seconds
    space, letter = 0.1 + 3 * 0.14, 0.1 + 4 * 0.14  # in this language a space is a sound, between two words
    assert space - 0.08 < second.start < letter + 0.08
    assert all(0 < word.confidence <= 1 for word in transcript.words)


def test_any_source_gives_the_same_text(transcriber: Transcriber, tmp_path: Path) -> None:
    samples = say("cab ed")
    soundfile.write(tmp_path / "a.wav", samples, RATE)
    soundfile.write(tmp_path / "b.flac", np.stack([samples, samples], axis=1), RATE)
    sources = [tmp_path / "a.wav", str(tmp_path / "b.flac"), samples, torch.from_numpy(samples)]
    assert [transcriber.transcribe(source, RATE).text for source in sources] == ["cab ed"] * 4
    faster = np.repeat(samples, 2)  # 16 kHz
    assert transcriber.transcribe(faster, 2 * RATE).text == "cab ed"


def test_alone_and_in_any_batch(transcriber: Transcriber) -> None:
    generator = np.random.default_rng(5)
    samples = [say(text, generator) for text in ("a", "abc de", "ee", "bad cab", "d", "abba abba")]
    together, steps = transcriber.emissions(samples)
    for row, one in enumerate(samples):
        alone, one_steps = transcriber.emissions([one])
        assert int(one_steps[0]) == int(steps[row])
        np.testing.assert_allclose(together[row, : steps[row]], alone[0], atol=1e-5, rtol=0)
    alone_texts = [transcriber.transcribe(one).text for one in samples]
    for size in (1, 2, 5):
        assert [t.text for t in transcriber.transcribe_many(samples, batch_size=size)] == alone_texts


def test_transcribe_command_goes_on_past_bad_files(tone_run: ToneRun, tmp_path: Path, capsys) -> None:
    soundfile.write(tmp_path / "good.wav", say("bed"), RATE)
    (tmp_path / "bad.wav").write_text("this is no audio")
    code = main(["transcribe", str(tone_run.run), str(tmp_path), "--json", "--quiet"])
    out, err = capsys.readouterr()
    assert code == 1
    assert [json.loads(line)["text"] for line in out.splitlines()] == ["bed"]
    assert "bad.wav" in err and "Traceback" not in err
    assert "1 could not be transcribed" in err
    assert main(["transcribe", str(tone_run.run), "nowhere.wav", str(tmp_path / "good.wav")]) == 1
    out, err = capsys.readouterr()
    assert out == "bed\n" and "nowhere.wav" in err


def test_transcribe_command_prints_text(tone_run: ToneRun, tmp_path: Path, capsys) -> None:
    for name, text in (("1.wav", "ab"), ("2.wav", "ba")):
        soundfile.write(tmp_path / name, say(text), RATE)
    assert main(["transcribe", str(tone_run.run), str(tmp_path / "1.wav")]) == 0
    assert capsys.readouterr().out == "ab\n"
    assert main(["transcribe", str(tone_run.run), str(tmp_path / "*.wav"), "--quiet"]) == 0
    assert capsys.readouterr().out == f"{tmp_path / '1.wav'}\tab\n{tmp_path / '2.wav'}\tba\n"


def test_recordings_printed_as_subtitles_do_not_run_into_each_other(
    tone_run: ToneRun, tmp_path: Path, capsys
) -> None:
    soundfile.write(tmp_path / "0.wav", np.zeros(RATE), RATE)  # nothing is said: it has no cue
    for name, text in (("1.wav", "ab"), ("2.wav", "ba")):
        soundfile.write(tmp_path / name, say(text), RATE)

    def blocks(kind: str) -> list[list[str]]:
        assert main(["transcribe", str(tone_run.run), str(tmp_path), "--quiet", "--format", kind]) == 0
        return [block.splitlines() for block in capsys.readouterr().out.split("\n\n")]

    assert [block[2:] for block in blocks("srt")] == [["ab"], ["ba"]]
    headers_and_cues = [["WEBVTT"], ["WEBVTT"], ["ab"], ["WEBVTT"], ["ba"]]
    assert [block[-1:] for block in blocks("vtt")] == headers_and_cues
    (lines,) = blocks("ctm")
    assert [line.split()[4] for line in lines] == ["ab", "ba"]


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="names of files are Unicode there")
def test_transcribe_command_takes_names_that_are_not_utf8(tone_run: ToneRun, tmp_path: Path, capsys) -> None:
    for name, text in (("1.wav", "ab"), ("2.wav", "ba")):
        soundfile.write(tmp_path / name, say(text), RATE)
    (tmp_path / "1.wav").rename(tmp_path / os.fsdecode(b"1\xe9.wav"))
    arguments = ["transcribe", str(tone_run.run), str(tmp_path), "--quiet"]
    assert main(arguments) == 0
    assert capsys.readouterr().out == f"{tmp_path}/1\\udce9.wav\tab\n{tmp_path}/2.wav\tba\n"
    assert main([*arguments, "--json"]) == 0
    first, _ = map(json.loads, capsys.readouterr().out.splitlines())
    assert first["source"] == str(tmp_path / os.fsdecode(b"1\xe9.wav"))
    for kind in ("json", "ctm"):  # both name the recording
        assert main([*arguments, "--format", kind, "-o", str(tmp_path / "out")]) == 0
        written = tmp_path / "out" / os.fsdecode(b"1\xe9." + kind.encode())
        assert r"1\udce9" in written.read_text(encoding="utf-8")


def test_evaluate_command(tone_run: ToneRun, tmp_path: Path, capsys) -> None:
    arguments = ["evaluate", str(tone_run.run), "--cache", str(tmp_path), "--quiet"]
    assert main([*arguments, "--data", str(tone_run.manifest), "--json"]) == 0
    figures = json.loads(capsys.readouterr().out)["manifest.csv"]
    stored = json.loads((tone_run.run / "metrics.json").read_text())["test"]
    assert figures["words"] == stored["words"]
    assert main([*arguments, "--split", "dev", "--transcripts", str(tmp_path / "t.tsv")]) == 0
    assert "characters" in capsys.readouterr().out
    assert (tmp_path / "t.tsv").read_text().count("\n") > 1
    assert main([*arguments, "--split", "eval"]) == 1
    assert "no split 'eval'" in capsys.readouterr().err


@pytest.mark.parametrize("missing", ["model.safetensors", "tokens.json", "config.yaml"])
def test_a_run_directory_that_lacks_a_file(tone_run: ToneRun, tmp_path: Path, missing: str, capsys) -> None:
    for name in {"model.safetensors", "tokens.json", "config.yaml"} - {missing}:
        (tmp_path / name).write_bytes((tone_run.run / name).read_bytes())
    assert main(["transcribe", str(tmp_path), "x.wav"]) == 1
    err = capsys.readouterr().err
    assert str(tmp_path) in err and "Traceback" not in err


def test_weights_of_another_model(tone_run: ToneRun, tmp_path: Path) -> None:
    Transcriber.load(tone_run.run).save(tmp_path)
    text = (tmp_path / "config.yaml").read_text().replace("hidden_size: 32", "hidden_size: 33")
    (tmp_path / "config.yaml").write_text(text)
    with pytest.raises(CheckpointError, match="does not fit"):
        Transcriber.load(tmp_path)


def test_samples_that_are_no_audio(transcriber: Transcriber) -> None:
    with pytest.raises(AudioError, match="the samples given"):
        transcriber.transcribe(np.full(8000, np.nan, dtype=np.float32))
    with pytest.raises(AudioError, match="the samples given"):
        transcriber.transcribe(np.zeros(0, dtype=np.float32))


def test_samples_of_any_type_and_a_device_that_is_not_there(
    transcriber: Transcriber, tone_run: ToneRun
) -> None:
    samples = torch.from_numpy(say("abb da"))
    assert transcriber.transcribe(samples.to(torch.bfloat16), RATE).text == "abb da"
    with pytest.raises(DeviceError, match="'foo'"):
        Transcriber.load(tone_run.run, "foo")


def test_fine_tuning_starts_where_the_other_run_ended(tone_run: ToneRun, tmp_path: Path, capsys) -> None:
    arguments = [
        "train",
        "ctc/manifest",
        "--from",
        str(tone_run.run),
        "--name",
        "tuned",
        "--quiet",
    ]
    arguments += [
        "--data",
        str(tone_run.manifest),
        "--runs",
        str(tmp_path),
        "--cache",
        str(tmp_path / "cache"),
    ]
    for setting in ("training.max_epochs=1", "training.learning_rate=0.0001", "training.workers=0"):
        arguments += ["--set", setting]
    assert main(arguments) == 0
    history = json.loads((tmp_path / "tuned" / "history.json").read_text())
    assert history[0]["dev_cer"] < 0.2  # untrained, one epoch leaves it near 1


def test_fine_tuning_on_other_characters_names_them(tone_run: ToneRun, tmp_path: Path, capsys) -> None:
    for number in range(10):
        soundfile.write(tmp_path / f"{number}.wav", say("abc"), RATE)
    lines = [f"{number}.wav,xyz" for number in range(10)]
    (tmp_path / "m.csv").write_text("\n".join(["audio,text", *lines]))
    arguments = ["train", "ctc/manifest", "--from", str(tone_run.run), "--name", "tuned"]
    assert (
        main(
            [*arguments, "--data", str(tmp_path / "m.csv"), "--runs", str(tmp_path), "--cache", str(tmp_path)]
        )
        == 1
    )
    err = capsys.readouterr().err
    assert "'x' 'y' 'z'" in err and "alphabet is space a b c d e" in err
