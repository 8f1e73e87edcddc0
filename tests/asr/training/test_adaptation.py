"""A recognizer of tones learns a voice whose tones lie elsewhere, and does not forget the others."""

import csv
import logging
import shutil
import signal
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from asr.evaluation.error_rates import ErrorCount
from asr.training.adaptation import AdaptationSettings, Errors, adapt, draw_seconds, interpolate
from asr.transcriber import Transcriber
from sluice.cli import main
from sluice_core.config import ConfigError
from sluice_core.errors import UserError
from sluice_core.run_directory import JOINED_FILE
from tests.conftest import ToneRun
from tests.processes import start
from tests.tones import LETTER_SECONDS, RATE, TONES_HZ, say

pytestmark = pytest.mark.slow

SHIFT = 1.22
"""The other voice's tones lie so much higher, some nearer to another letter's than to their own."""


def say_higher(text: str, generator: np.random.Generator) -> np.ndarray:
    """Samples of a text in the other voice, at `RATE`."""
    time = np.arange(int(LETTER_SECONDS * RATE)) / RATE
    pieces = [np.zeros(800)]
    for letter in text:
        tone = np.sin(2 * np.pi * SHIFT * TONES_HZ.get(letter, 180 / SHIFT) * time) * np.hanning(len(time))
        pieces += [generator.uniform(0.2, 0.5) * tone, np.zeros(160)]
    samples = np.concatenate([*pieces, np.zeros(800)])
    return (samples + generator.normal(0, 0.002, len(samples))).astype(np.float32)


def record(folder: Path, count: int, seed: int = 5, letters: str = "".join(TONES_HZ)) -> Path:
    """Write recordings of the other voice, and return their manifest."""
    generator = np.random.default_rng(seed)
    folder.mkdir()
    with (folder / "recordings.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["audio", "text"])
        for number in range(count):
            text = " ".join("".join(generator.choice(list(letters), 3)) for _ in range(2))
            soundfile.write(folder / f"{number}.wav", say_higher(text, generator), RATE)
            writer.writerow([f"{number}.wav", text])
    return folder / "recordings.csv"


@pytest.fixture
def run(tone_run: ToneRun, tmp_path: Path) -> Path:
    """Return a copy of the recognizer of tones that a test may change."""
    shutil.copytree(
        tone_run.run, tmp_path / "run", ignore=shutil.ignore_patterns("checkpoints", "tensorboard")
    )
    return tmp_path / "run"


def wrong(run: Path, manifest: Path) -> int:
    transcriber = Transcriber.load(run)
    with manifest.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    heard = transcriber.transcribe_many([manifest.parent / row["audio"] for row in rows])
    return sum(row["text"] != transcript.text for row, transcript in zip(rows, heard, strict=True))


SETTINGS = ["--set", "work=30", "--set", "learning_rate=0.01"]  # a small network, and seconds of patience


def test_a_new_voice_is_understood_others_still_are_and_it_can_be_undone(
    run: Path, tone_run: ToneRun, tmp_path: Path, capsys
) -> None:
    manifest, other = record(tmp_path / "mine", 20), record(tmp_path / "test", 20, seed=6)
    before, others = wrong(run, other), wrong(run, tone_run.manifest)
    weights = (run / "model.safetensors").read_bytes()
    arguments = ["adapt", str(run), str(manifest), "--cache", str(tmp_path / "cache"), "--quiet", *SETTINGS]
    assert main(arguments) == 0
    printed = capsys.readouterr().out
    assert "20 recordings" in printed and f"sluice adapt {run} --undo" in printed
    assert before >= 10
    assert wrong(run, other) <= before // 2
    assert wrong(run, tone_run.manifest) <= others + 1
    assert not (run / "adapting").exists()
    adapted = (run / "model.safetensors").read_bytes()
    assert main(["adapt", str(run), "--undo"]) == 0
    assert (run / "model.safetensors").read_bytes() == weights
    assert main(arguments) == 0
    assert (run / "model.safetensors").read_bytes() == adapted  # the same recordings, the same weights


def test_killed_it_leaves_the_recognizer_as_it_was(run: Path, tmp_path: Path) -> None:
    manifest = record(tmp_path / "mine", 12)
    weights = (run / "model.safetensors").read_bytes()
    arguments = ["adapt", str(run), str(manifest), "--cache", str(tmp_path / "cache"), *SETTINGS]
    arguments += ["--set", "work=10000", "--set", "passes=100000"]
    process = start(main, arguments, output=tmp_path / "said.txt")
    deadline = time.monotonic() + 240
    while not (run / "adapting" / "history.json").exists():
        assert process.is_alive(), (tmp_path / "said.txt").read_text()
        assert time.monotonic() < deadline, "adapting is too slow to be tested here"
        time.sleep(0.02)
    process.kill()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    assert (run / "model.safetensors").read_bytes() == weights
    assert Transcriber.load(run).transcribe(say("abc"), RATE).text
    assert main(["adapt", str(run), "--undo"]) == 1  # nothing was done
    assert main([*arguments, "--set", "work=1", "--quiet"]) == 0  # what was left there is no hindrance
    assert not (run / "adapting").exists()


def test_a_joined_directory_has_its_recognizer_adapted(run: Path, tmp_path: Path, capsys) -> None:
    joined = tmp_path / "joined"
    shutil.copytree(run, joined / "hears")
    (joined / JOINED_FILE).write_text("recognizer: hears\ntagger: tags\n")
    weights = (run / "model.safetensors").read_bytes()
    manifest = record(tmp_path / "mine", 12)
    arguments = ["--cache", str(tmp_path / "cache"), "--quiet", "--json", *SETTINGS, "--set", "work=2"]
    assert main(["adapt", str(joined), str(manifest), *arguments]) == 0
    assert '"recordings": 12' in capsys.readouterr().out
    assert (joined / "hears" / "model.safetensors").read_bytes() != weights
    assert main(["adapt", str(joined), "--undo"]) == 0
    assert (joined / "hears" / "model.safetensors").read_bytes() == weights


def test_where_all_of_the_change_makes_others_worse_less_of_it_is_kept(
    run: Path, tmp_path: Path, caplog
) -> None:
    manifest = record(tmp_path / "mine", 12, letters="ab")
    forgetting = {"replay": 0.0, "work": 8.0, "learning_rate": 0.03}
    with caplog.at_level(logging.INFO, "sluice"):
        try:
            kept = adapt(
                run, manifest, tmp_path / "cache", settings=AdaptationSettings(**forgetting), quiet=True
            )
        except UserError as error:
            assert "the recognizer is as it was" in str(error)
            assert not list(run.glob("model.previous*"))
        else:
            assert kept.share < 1 and kept.others.as_good(0.05)
    assert any("with 100% of the change others would have" in each.getMessage() for each in caplog.records)


def test_some_of_many_recordings_are_held_out(run: Path, tmp_path: Path) -> None:
    manifest = record(tmp_path / "mine", 20)
    settings = AdaptationSettings(enough=20, work=2.0)
    adaptation = adapt(run, manifest, tmp_path / "cache", settings=settings, quiet=True)
    assert (adaptation.recordings, adaptation.held_out) == (20, 4)
    assert adaptation.own.before.total == 8  # two words each


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("aß", r"recordings\.csv: 0: the text 'aß' has characters outside the model's alphabet: 'ß'"),
        ("a" * 90, "frames enough"),
    ],
)
def test_recordings_that_do_not_fit(run: Path, tmp_path: Path, text: str, message: str) -> None:
    manifest = record(tmp_path / "mine", 1)
    manifest.write_text(f"audio,text\n0.wav,{text}\n")
    with pytest.raises(UserError, match=message):
        adapt(run, manifest, tmp_path / "cache", quiet=True)


def test_too_much_is_for_fine_tuning(run: Path, tmp_path: Path) -> None:
    manifest = record(tmp_path / "mine", 1)
    soundfile.write(manifest.parent / "0.wav", np.ones(RATE * 25, np.float32) / 9, RATE)
    manifest.write_text("audio,text\n" + "0.wav,ab\n" * 60)
    with pytest.raises(UserError, match=r"25 minutes .* sluice train ctc/manifest --from"):
        adapt(run, manifest, tmp_path / "cache", quiet=True)


def test_a_corpus_that_has_gone_is_asked_for(run: Path, tmp_path: Path) -> None:
    config = (run / "config.yaml").read_text()
    (data,) = [line.split(": ")[1] for line in config.splitlines() if line.strip().startswith("data: ")]
    (run / "config.yaml").write_text(config.replace(data, str(tmp_path / "moved.csv")))
    manifest = record(tmp_path / "mine", 2)
    with pytest.raises(UserError, match=r"moved\.csv.*\n.*--data PATH"):
        adapt(run, manifest, tmp_path / "cache", quiet=True)
    settings = AdaptationSettings(work=1.0)
    adapt(run, manifest, tmp_path / "cache", settings=settings, data=Path(data), quiet=True)


def test_sentences_to_read_are_a_manifest(run: Path, tmp_path: Path, capsys) -> None:
    assert main(["adapt", str(run), "--sentences", "3", "--cache", str(tmp_path / "cache"), "--quiet"]) == 0
    rows = list(csv.DictReader(capsys.readouterr().out.splitlines()))
    assert [row["audio"] for row in rows] == ["01.wav", "02.wav", "03.wav"]
    assert set("".join(row["text"] for row in rows)) >= set(TONES_HZ)


def test_one_thing_at_a_time(capsys) -> None:
    for wrong in ([], ["mine.csv", "--undo"], ["--sentences", "3", "--undo"], ["--sentences", "0"]):
        with pytest.raises(SystemExit):
            main(["adapt", "run", *wrong])
        assert "usage" in capsys.readouterr().err


def test_an_unknown_setting_is_named(run: Path, capsys) -> None:
    assert main(["adapt", str(run), "mine.csv", "--set", "learning=1"]) == 1
    assert "learning" in capsys.readouterr().err
    with pytest.raises(ConfigError, match="shares"):
        AdaptationSettings.check({}, "adapting", ["shares=[]"])


def test_how_much_worse_is_as_good() -> None:
    def errors(before: int, after: int) -> Errors:
        return Errors(*(ErrorCount(0, 0, count, 1000) for count in (before, after)))

    assert errors(100, 105).as_good(0.05) and not errors(100, 106).as_good(0.05)
    assert errors(3, 4).as_good(0.05) and not errors(3, 5).as_good(0.05) and errors(0, 1).as_good(0.05)
    assert not errors(20, 22).as_good(0.05)


def test_interpolation_ends_at_both_weights() -> None:
    before = {"w": torch.tensor([1.0, 2.0]), "count": torch.tensor(3)}
    after = {"w": torch.tensor([3.0, 0.0]), "count": torch.tensor(9)}
    assert interpolate(before, after, 1)["w"].equal(after["w"])
    assert interpolate(before, after, 0)["w"].equal(before["w"])
    assert interpolate(before, after, 0.5)["w"].tolist() == [2.0, 1.0]
    assert interpolate(before, after, 0.5)["count"] == 9


def test_drawn_utterances_are_different_and_last_about_as_long_as_asked() -> None:
    datasets = pytest.importorskip("datasets")
    rows = datasets.Dataset.from_dict({"id": list(range(50)), "duration_seconds": [2.0] * 50})
    drawn = draw_seconds(rows, 21.0, np.random.default_rng(0))
    assert len(drawn) == len(set(drawn["id"])) == 10
    assert len(draw_seconds(rows, 1000.0, np.random.default_rng(0))) == 50
