"""The embedded corpus: who speaks what, what is stored, and builds that are killed."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
from asr.synthesis.voices import ACCENTS, voices_of

from asr.config import SpeechCorpusConfig
from asr.corpora import load_corpus, travel
from asr.synthesis import corpus
from asr.synthesis.corpus import speak_corpus
from asr.synthesis.espeak import EspeakError
from asr.synthesis.speak import SpeechJob, seconds_needed, spoken_form
from sluice_core.corpus_files import CorpusError

ROOT = Path(__file__).resolve().parents[3]
UTTERANCES = 50
SPLITS = ("train", "dev", "test")


def needs_espeak():
    pytest.importorskip(
        "espeakng_loader", reason="espeak-ng is not installed (the extra sluice-speech[espeak])"
    )


def config(**settings) -> SpeechCorpusConfig:
    return SpeechCorpusConfig(kind="travel", utterances=UTTERANCES, **settings)


def make(cache: Path, utterances: int, processes: int | None = None) -> Path:
    return speak_corpus(travel.plan(utterances, seed=17), cache, "travel", processes)


def corpus_folder(cache: Path) -> Path:
    (manifest,) = cache.glob("travel-*/manifest.jsonl")
    return manifest.parent


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    needs_espeak()
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def splits(cache):
    return load_corpus(config(), cache)


# Plan: no sound needed.


@pytest.fixture(scope="module")
def jobs():
    return travel.plan(2000, seed=17)


def by_split(jobs: list[SpeechJob]) -> dict[str, list[SpeechJob]]:
    return {split: [job for job in jobs if job.id.startswith(split)] for split in SPLITS}


def test_plan_sizes_and_seed(jobs):
    assert {split: len(of) for split, of in by_split(jobs).items()} == {
        "train": 1600,
        "dev": 200,
        "test": 200,
    }
    assert travel.plan(2000, seed=17) == jobs
    assert travel.plan(2000, seed=18) != jobs


def test_voices_and_sentences_of_a_split_are_its_own(jobs):
    splits = by_split(jobs)
    for one, other in (("train", "dev"), ("train", "test"), ("dev", "test")):
        assert not {job.voice.name for job in splits[one]} & {job.voice.name for job in splits[other]}
        assert not {job.voice.variant for job in splits[one]} & {job.voice.variant for job in splits[other]}
        assert not {job.text for job in splits[one]} & {job.text for job in splits[other]}


def test_many_voices_and_every_accent_in_every_split(jobs):
    for split, of_split in by_split(jobs).items():
        voices = {job.voice.name for job in of_split}
        assert len(voices) == len(voices_of(split)) >= (60 if split == "train" else 10)
        assert {job.voice.language for job in of_split} == set(ACCENTS)


def test_utterances_differ_in_pace_pitch_and_level(jobs):
    for field in ("rate", "pitch"):
        assert len({getattr(job.voice, field) for job in jobs}) > 20
    assert len({job.peak_db for job in jobs}) > 100
    assert len({job.noise_seed for job in jobs}) == len(jobs)


def test_morning_hours_are_read_as_letters():
    assert spoken_form("a flight at ten a m on a monday") == "a flight at ten ay m on a monday"


def test_seconds_needed_counts_a_blank_between_twins():
    assert seconds_needed("abc") == pytest.approx(1.15 * 0.04 * 3)
    assert seconds_needed("abb") == pytest.approx(1.15 * 0.04 * 4)


# Sound.


def test_rows_match_their_files(splits):
    assert {split: len(rows) for split, rows in splits.items()} == {"train": 40, "dev": 5, "test": 5}
    for rows in splits.values():
        for row in rows:
            info = soundfile.info(row["audio"])
            assert (info.samplerate, info.channels, info.subtype) == (16_000, 1, "PCM_16")
            assert info.duration == pytest.approx(row["duration_seconds"])
            assert row["duration_seconds"] >= seconds_needed(row["text"])
            assert [word["text"] for word in row["words"]] == row["text"].split()


def test_word_times_cover_the_speech_and_leave_out_the_silence(splits):
    for row in splits["train"]:
        words, samples = row["words"], soundfile.read(row["audio"])[0]
        start, end = words[0]["start_seconds"], words[-1]["end_seconds"]
        assert 0.09 < start < 0.25
        assert 0.09 < row["duration_seconds"] - end < 0.4
        times = [time for word in words for time in (word["start_seconds"], word["end_seconds"])]
        assert times == sorted(times)
        before, speech = samples[: int(start * 16_000)], samples[int(start * 16_000) : int(end * 16_000)]
        assert np.sqrt((before**2).mean()) < 0.2 * np.sqrt((speech**2).mean())


def test_levels_vary_and_nothing_clips(splits):
    peaks = [np.abs(soundfile.read(audio)[0]).max() for audio in splits["train"]["audio"]]
    assert max(peaks) < 0.99
    assert max(peaks) > 2 * min(peaks)


def test_second_load_makes_nothing(splits, cache, monkeypatch):
    monkeypatch.setattr(corpus, "_build", lambda *_: pytest.fail("made again"))
    again = load_corpus(config(), cache)
    assert {split: again[split][:] for split in SPLITS} == {split: splits[split][:] for split in SPLITS}


def test_case_is_as_asked_for(splits, cache):
    upper = load_corpus(config(case="upper"), cache)["dev"][0]
    assert upper["text"] == splits["dev"][0]["text"].upper()
    assert [word["text"] for word in upper["words"]] == upper["text"].split()
    assert len(list(cache.glob("travel-*/manifest.jsonl"))) == 1  # spoken once


def digests(folder: Path) -> dict[str, str]:
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in (*folder.glob("audio/*.flac"), folder / "manifest.jsonl")
    }


def test_the_number_of_processes_changes_nothing(splits, cache, tmp_path, monkeypatch):
    monkeypatch.setattr(corpus, "CHUNK", 20)
    one, three = (make(tmp_path / str(count), UTTERANCES, processes=count) for count in (1, 3))
    assert digests(one) == digests(three)
    assert len(digests(one)) == UTTERANCES + 1
    assert one.name != corpus_folder(cache).name  # other chunks are heard, so they are named


def test_a_half_made_folder_is_not_used(cache, splits, tmp_path):
    name = corpus_folder(cache).name
    (tmp_path / name / "audio").mkdir(parents=True)  # as if a crash had left it, under the very name
    fresh = tmp_path / f".{name}.0123abcd" / "audio"
    old = tmp_path / f".{name}.4567cdef" / "audio"
    for folder in (fresh, old):
        folder.mkdir(parents=True)
    os.utime(old, (0, 0))
    rows = load_corpus(config(), tmp_path)["test"]
    assert [row["text"] for row in rows] == [row["text"] for row in splits["test"]]
    assert all(Path(row["audio"]).is_file() for row in rows)
    assert not old.parent.exists()  # an old leftover is swept away; a fresh one may be at work
    assert fresh.exists()


MAKE = """
import sys
from pathlib import Path
from asr.corpora.travel import plan
from asr.synthesis.corpus import speak_corpus
speak_corpus(plan(600, 17), Path(sys.argv[1]), "travel")
"""


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


def test_a_failed_speaker_is_an_error_with_its_reason_and_leaves_nothing(tmp_path):
    needs_espeak()
    *jobs, last = travel.plan(20, 17)
    with pytest.raises(
        CorpusError, match=r"speaking the travel corpus failed: there is nothing to say in '\.\.\.'"
    ):
        speak_corpus([*jobs, replace(last, text="...")], tmp_path, "travel")
    assert list(tmp_path.iterdir()) == []


def test_an_unwritable_cache_is_named(tmp_path):
    needs_espeak()
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(CorpusError, match="file: cannot write the travel corpus"):
        make(tmp_path / "file", 20)


def test_without_espeak_the_error_says_so_unless_the_corpus_is_there(splits, cache, tmp_path, monkeypatch):
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


def test_manifest_is_json_lines_with_paths_beside_it(splits, cache):
    folder = corpus_folder(cache)
    rows = [json.loads(line) for line in (folder / "manifest.jsonl").read_text(encoding="utf-8").splitlines()]
    assert len(rows) == UTTERANCES
    assert {row["split"] for row in rows} == set(SPLITS)
    assert all((folder / row["audio"]).is_file() for row in rows)
