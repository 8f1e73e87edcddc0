"""The embedded corpus: who speaks what, what is stored, and builds that are killed."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile

from asr.config import SpeechCorpusConfig
from asr.corpora import load_corpus, travel
from asr.corpora.utterances import CorpusError
from asr.synthesis.espeak import EspeakError
from asr.synthesis.speak import Task, seconds_needed, spoken_form
from asr.synthesis.voices import ACCENTS, cast

ROOT = Path(__file__).resolve().parents[3]
UTTERANCES = 50
PARTS = ("train", "dev", "test")


def needs_espeak():
    pytest.importorskip(
        "espeakng_loader", reason="espeak-ng is not installed (the extra sluice-speech[espeak])"
    )


def config(**settings) -> SpeechCorpusConfig:
    return SpeechCorpusConfig(kind="travel", utterances=UTTERANCES, **settings)


def corpus_folder(cache: Path) -> Path:
    (manifest,) = cache.glob("travel-*/manifest.jsonl")
    return manifest.parent


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    needs_espeak()
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def parts(cache):
    return load_corpus(config(), cache)


# Plan: no sound needed.


@pytest.fixture(scope="module")
def tasks():
    return travel.plan(2000, seed=17)


def by_part(tasks: list[Task]) -> dict[str, list[Task]]:
    return {part: [task for task in tasks if task.id.startswith(part)] for part in PARTS}


def test_plan_sizes_and_seed(tasks):
    assert {part: len(of) for part, of in by_part(tasks).items()} == {"train": 1600, "dev": 200, "test": 200}
    assert travel.plan(2000, seed=17) == tasks
    assert travel.plan(2000, seed=18) != tasks


def test_voices_and_sentences_of_a_part_are_its_own(tasks):
    parts = by_part(tasks)
    for one, other in (("train", "dev"), ("train", "test"), ("dev", "test")):
        assert not {task.voice.name for task in parts[one]} & {task.voice.name for task in parts[other]}
        assert not {task.voice.variant for task in parts[one]} & {task.voice.variant for task in parts[other]}
        assert not {task.text for task in parts[one]} & {task.text for task in parts[other]}


def test_many_voices_and_every_accent_in_every_part(tasks):
    for part, of_part in by_part(tasks).items():
        voices = {task.voice.name for task in of_part}
        assert len(voices) == len(cast(part)) >= (60 if part == "train" else 10)
        assert {task.voice.language for task in of_part} == set(ACCENTS)


def test_utterances_differ_in_pace_pitch_and_level(tasks):
    for field in ("rate", "pitch"):
        assert len({getattr(task.voice, field) for task in tasks}) > 20
    assert len({task.peak_db for task in tasks}) > 100
    assert len({task.noise_seed for task in tasks}) == len(tasks)


def test_morning_hours_are_read_as_letters():
    assert spoken_form("a flight at ten a m on a monday") == "a flight at ten ay m on a monday"


def test_seconds_needed_counts_a_blank_between_twins():
    assert seconds_needed("abc") == pytest.approx(1.15 * 0.04 * 3)
    assert seconds_needed("abb") == pytest.approx(1.15 * 0.04 * 4)


# Sound.


def test_rows_match_their_files(parts):
    assert {part: len(rows) for part, rows in parts.items()} == {"train": 40, "dev": 5, "test": 5}
    for rows in parts.values():
        for row in rows:
            info = soundfile.info(row["audio"])
            assert (info.samplerate, info.channels, info.subtype) == (16_000, 1, "PCM_16")
            assert info.duration == pytest.approx(row["duration_seconds"])
            assert row["duration_seconds"] >= seconds_needed(row["text"])
            assert [word["text"] for word in row["words"]] == row["text"].split()


def test_word_times_cover_the_speech_and_leave_out_the_silence(parts):
    for row in parts["train"]:
        words, samples = row["words"], soundfile.read(row["audio"])[0]
        start, end = words[0]["start_seconds"], words[-1]["end_seconds"]
        assert 0.09 < start < 0.25
        assert 0.09 < row["duration_seconds"] - end < 0.4
        times = [time for word in words for time in (word["start_seconds"], word["end_seconds"])]
        assert times == sorted(times)
        before, speech = samples[: int(start * 16_000)], samples[int(start * 16_000) : int(end * 16_000)]
        assert np.sqrt((before**2).mean()) < 0.2 * np.sqrt((speech**2).mean())


def test_levels_vary_and_nothing_clips(parts):
    peaks = [np.abs(soundfile.read(audio)[0]).max() for audio in parts["train"]["audio"]]
    assert max(peaks) < 0.99
    assert max(peaks) > 2 * min(peaks)


def test_second_load_makes_nothing(parts, cache, monkeypatch):
    monkeypatch.setattr(travel, "_build", lambda *_: pytest.fail("made again"))
    again = load_corpus(config(), cache)
    assert {part: again[part][:] for part in PARTS} == {part: parts[part][:] for part in PARTS}


def test_case_is_as_asked_for(parts, cache):
    upper = load_corpus(config(case="upper"), cache)["dev"][0]
    assert upper["text"] == parts["dev"][0]["text"].upper()
    assert [word["text"] for word in upper["words"]] == upper["text"].split()
    assert len(list(cache.glob("travel-*/manifest.jsonl"))) == 1  # spoken once


def digests(folder: Path) -> dict[str, str]:
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in (*folder.glob("audio/*.flac"), folder / "manifest.jsonl")
    }


def test_the_number_of_processes_changes_nothing(parts, cache, tmp_path, monkeypatch):
    monkeypatch.setattr(travel, "CHUNK", 20)
    one, three = (travel.make(tmp_path / str(count), UTTERANCES, 17, processes=count) for count in (1, 3))
    assert digests(one) == digests(three)
    assert len(digests(one)) == UTTERANCES + 1
    assert one.name != corpus_folder(cache).name  # other chunks are heard, so they are named


def test_a_half_made_folder_is_not_used(cache, parts, tmp_path):
    name = corpus_folder(cache).name
    (tmp_path / name / "audio").mkdir(parents=True)  # as if a crash had left it, under the very name
    fresh = tmp_path / f".{name}.0123abcd" / "audio"
    old = tmp_path / f".{name}.4567cdef" / "audio"
    for folder in (fresh, old):
        folder.mkdir(parents=True)
    os.utime(old, (0, 0))
    rows = load_corpus(config(), tmp_path)["test"]
    assert [row["text"] for row in rows] == [row["text"] for row in parts["test"]]
    assert all(Path(row["audio"]).is_file() for row in rows)
    assert not old.parent.exists()  # an old leftover is swept away; a fresh one may be at work
    assert fresh.exists()


MAKE = (
    "import sys; from pathlib import Path; from asr.corpora.travel import make; make(Path(sys.argv[1]), 600)"
)


def test_a_killed_build_leaves_nothing_that_counts(tmp_path):
    needs_espeak()
    process = subprocess.Popen([sys.executable, "-c", MAKE, str(tmp_path)], cwd=ROOT)
    try:
        deadline = time.monotonic() + 60
        while not any(tmp_path.glob(".travel-*/audio/*.flac")):
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.02)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert any(tmp_path.glob(".travel-*"))
    assert not any(tmp_path.glob("travel-*"))


def test_a_failed_speaker_is_an_error_with_its_reason_and_leaves_nothing(tmp_path, monkeypatch):
    needs_espeak()
    real = travel.plan

    def plan(utterances: int, seed: int) -> list[Task]:
        *tasks, last = real(utterances, seed)
        return [*tasks, Task(**{**vars(last), "text": "..."})]

    monkeypatch.setattr(travel, "plan", plan)
    with pytest.raises(
        CorpusError, match=r"speaking the travel corpus failed: there is nothing to say in '\.\.\.'"
    ):
        travel.make(tmp_path, 20, 17)
    assert list(tmp_path.iterdir()) == []


def test_an_unwritable_cache_is_named(tmp_path):
    needs_espeak()
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(CorpusError, match="file: cannot write the travel corpus"):
        travel.make(tmp_path / "file", 20, 17)


def test_without_espeak_the_error_says_so_unless_the_corpus_is_there(parts, cache, tmp_path, monkeypatch):
    from asr.synthesis.espeak import synthesizer

    monkeypatch.setitem(sys.modules, "espeakng_loader", None)
    synthesizer.cache_clear()
    try:
        assert len(load_corpus(config(), cache)["dev"]) == 5
        with pytest.raises(EspeakError, match=r"sluice-speech\[espeak\]"):
            load_corpus(config(), tmp_path)
    finally:
        synthesizer.cache_clear()


def test_speakers_of_dev_cannot_be_chosen(tmp_path):
    with pytest.raises(CorpusError, match="brings its own dev and test voices"):
        load_corpus(config(dev_speakers=["en-us"]), tmp_path)


def test_manifest_is_json_lines_with_paths_beside_it(parts, cache):
    folder = corpus_folder(cache)
    rows = [json.loads(line) for line in (folder / "manifest.jsonl").read_text(encoding="utf-8").splitlines()]
    assert len(rows) == UTTERANCES
    assert {row["split"] for row in rows} == set(PARTS)
    assert all((folder / row["audio"]).is_file() for row in rows)
