"""Spoken grammars: who speaks what, what is stored, and builds that are killed."""

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

from asr.config import SpeechCorpusConfig
from asr.corpora import load_corpus
from asr.corpora.grammar import plan
from asr.synthesis import corpus
from asr.synthesis.corpus import speak_corpus
from asr.synthesis.espeak_voices import ENGLISH_ACCENTS, voices_of
from asr.synthesis.speak import SpeechJob, seconds_needed, spoken_form
from asr.synthesis.speech import EngineError
from sluice_core.corpus_files import CorpusError

ROOT = Path(__file__).resolve().parents[3]
UTTERANCES = 50
SPLITS = ("train", "dev", "test")


def needs_espeak():
    pytest.importorskip(
        "espeakng_loader", reason="espeak-ng is not installed (the extra sluice-speech[espeak])"
    )


def config(**settings) -> SpeechCorpusConfig:
    return SpeechCorpusConfig(
        **{"kind": "travel", "utterances": UTTERANCES, "engines": ["espeak"], **settings}
    )


def make(cache: Path, utterances: int, processes: int | None = None) -> Path:
    return speak_corpus(plan(config(utterances=utterances))[1], cache, "travel", processes)


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
    needs_espeak()
    return plan(config(utterances=2000))[1]


def by_split(jobs: list[SpeechJob]) -> dict[str, list[SpeechJob]]:
    return {split: [job for job in jobs if job.id.startswith(split)] for split in SPLITS}


def test_plan_sizes_and_seed(jobs):
    assert {split: len(of) for split, of in by_split(jobs).items()} == {
        "train": 1600,
        "dev": 200,
        "test": 200,
    }
    assert plan(config(utterances=2000))[1] == jobs
    assert plan(config(utterances=2000, split_seed=18))[1] != jobs


def test_voices_and_sentences_of_a_split_are_its_own(jobs):
    splits = by_split(jobs)
    for one, other in (("train", "dev"), ("train", "test"), ("dev", "test")):
        variants = [{job.voice.partition("+")[2] for job in splits[split]} for split in (one, other)]
        assert not variants[0] & variants[1]
        assert not {job.text for job in splits[one]} & {job.text for job in splits[other]}


def test_many_voices_and_every_accent_in_every_split(jobs):
    for split, of_split in by_split(jobs).items():
        voices = {job.voice for job in of_split}
        assert len(voices) == len(voices_of(split)) >= (60 if split == "train" else 10)
        assert {job.voice.partition("+")[0] for job in of_split} == set(ENGLISH_ACCENTS)


def test_utterances_differ_in_level_and_seed(jobs):
    assert len({job.peak_db for job in jobs}) > 100
    assert len({job.seed for job in jobs}) == len(jobs)


def test_morning_hours_are_read_as_letters():
    assert " ".join(spoken_form("a flight at ten a m on a monday")) == "a flight at ten ay m on a monday"


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
    monkeypatch.setattr(corpus, "_speak_all", lambda *_: pytest.fail("made again"))
    again = load_corpus(config(), cache)
    assert {split: again[split][:] for split in SPLITS} == {split: splits[split][:] for split in SPLITS}


def test_case_is_as_asked_for(splits, cache):
    upper = load_corpus(config(case="upper"), cache)["dev"][0]
    assert upper["text"] == splits["dev"][0]["text"].upper()
    assert [word["text"] for word in upper["words"]] == upper["text"].split()
    assert len(list(cache.glob("travel-*/manifest.jsonl"))) == 1  # spoken once


def digests(cache: Path) -> dict[str, str]:
    files = [path for path in cache.rglob("*") if path.is_file()]
    return {
        path.relative_to(cache).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files
    }


def test_the_number_of_processes_changes_nothing(tmp_path, monkeypatch):
    needs_espeak()
    monkeypatch.setattr(corpus, "LARGEST_CHUNK", 20)
    for count in (1, 3):
        make(tmp_path / str(count), UTTERANCES, processes=count)
    one, three = (digests(tmp_path / str(count)) for count in (1, 3))
    assert one == three
    assert len([name for name in one if name.endswith(".flac")]) == UTTERANCES


def test_a_half_made_folder_is_not_used(cache, splits, tmp_path):
    name = corpus_folder(cache).name
    (tmp_path / name).mkdir()  # as if somebody had removed files from it
    chunk = next((cache / "spoken").iterdir()).name
    (tmp_path / "spoken" / chunk / "audio").mkdir(parents=True)
    fresh = tmp_path / "spoken" / f".{chunk}.0123abcd" / "audio"
    old = tmp_path / "spoken" / f".{chunk}.4567cdef" / "audio"
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
from asr.config import SpeechCorpusConfig
from asr.corpora.grammar import plan
from asr.synthesis import corpus
corpus.LARGEST_CHUNK = 40
_, jobs = plan(SpeechCorpusConfig(kind="travel", utterances=500, engines=["espeak"]))
corpus.speak_corpus(jobs, Path(sys.argv[1]), "travel", processes=1)
"""


def test_a_killed_build_goes_on_where_it_stopped(tmp_path, monkeypatch):
    needs_espeak()
    process = subprocess.Popen([sys.executable, "-c", MAKE, str(tmp_path)], cwd=ROOT)
    try:
        deadline = time.monotonic() + 120
        while not any(tmp_path.glob("spoken/*/manifest.jsonl")):
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.02)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert not any(tmp_path.glob("travel-*"))
    whole = {
        path.parent.name: path.stat().st_mtime_ns for path in tmp_path.glob("spoken/espeak-*/manifest.jsonl")
    }
    monkeypatch.setattr(corpus, "LARGEST_CHUNK", 40)
    _, jobs = plan(config(utterances=500))
    chunks = corpus.make_chunks(jobs)
    assert 0 < len(whole) < len(chunks)
    spoken = []
    monkeypatch.setattr(corpus, "_speak_all", lambda folder, todo, *_: iter(spoken.extend(todo) or []))
    with pytest.raises(
        CorpusError
    ):  # nothing was spoken in this test, so that the manifest cannot be written
        speak_corpus(jobs, tmp_path, "travel")
    assert {chunk.name for chunk in chunks} - {chunk.name for chunk in spoken} == set(whole)


def test_chunks_are_shared_by_corpora(tmp_path, monkeypatch):
    needs_espeak()
    monkeypatch.setattr(corpus, "LARGEST_CHUNK", 20)
    small, large = (corpus.make_chunks(plan(config(utterances=count))[1]) for count in (50, 75))
    train = [{chunk.name for chunk in of if chunk.jobs[0].split == "train"} for of in (small, large)]
    assert train[0] < train[1]
    assert all(len({job.engine for job in chunk.jobs}) == 1 for chunk in large)


def test_a_failed_speaker_is_an_error_with_its_reason_and_leaves_no_corpus(tmp_path):
    needs_espeak()
    *jobs, last = plan(config(utterances=20))[1]
    with pytest.raises(
        CorpusError, match=r"speaking the travel corpus failed: there is nothing to say in '\.\.\.'"
    ):
        speak_corpus([*jobs, replace(last, said=("...",))], tmp_path, "travel")
    assert not any(tmp_path.glob("travel-*"))
    assert not any(tmp_path.glob("spoken/.*"))


def test_an_unwritable_cache_is_named(tmp_path):
    needs_espeak()
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(CorpusError, match="file: cannot write the travel corpus"):
        make(tmp_path / "file", 20)


def test_without_espeak_the_error_says_so_before_anything_is_spoken(tmp_path, monkeypatch):
    needs_espeak()
    _, jobs = plan(config())
    monkeypatch.setattr("asr.synthesis.engines.espeak.find_spec", lambda name: None)
    with pytest.raises(EngineError, match=r"sluice-speech\[espeak\]"):
        speak_corpus(jobs, tmp_path, "travel")
    with pytest.raises(EngineError, match=r"sluice-speech\[espeak\]"):
        load_corpus(config(), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_grammar_of_ones_own_is_spoken_with_its_sounds(tmp_path):
    needs_espeak()
    file = tmp_path / "my coffee.yaml"
    file.write_text(COFFEE)
    splits = load_corpus(config(kind="grammar", data=file, utterances=30), tmp_path / "cache")
    texts = [text for rows in splits.values() for text in rows["text"]]
    assert len(texts) == 30
    assert {word for text in texts for word in text.split()} == {"one", "latte", "mocha", "please", "two"}
    assert any((tmp_path / "cache").glob("my-coffee-*/manifest.jsonl"))
    _, jobs = plan(config(kind="grammar", data=file, utterances=30))
    assert all(("latte" in job.text) == ("lah tay" in job.said) for job in jobs)


COFFEE = """
sounds: {latte: lah tay}
lists:
  drink: [latte, mocha]
intents:
  order: ["(one|two) {drink} please"]
"""


def test_held_out_engines_must_leave_one_for_training(tmp_path):
    needs_espeak()
    with pytest.raises(CorpusError, match="no engine is left for training"):
        load_corpus(config(held_out_engines=["espeak"]), tmp_path)


def test_shares_are_of_engines_even_if_they_do_not_speak(tmp_path):
    needs_espeak()
    with pytest.raises(EngineError, match="there is no synthesizer 'nobody'"):
        load_corpus(config(engine_shares={"espeak": 1, "nobody": 2}), tmp_path)
    assert plan(config(engine_shares={"espeak": 1, "flite": 2})) == plan(config())


def test_an_engine_may_be_named_alone(tmp_path):
    needs_espeak()
    assert plan(config(engines="espeak")) == plan(config(engines=["espeak"]))


def test_the_built_in_grammar_takes_no_file(tmp_path):
    with pytest.raises(CorpusError, match="for a grammar of your own set corpus"):
        load_corpus(config(data=tmp_path / "mine.yaml"), tmp_path)


def test_speakers_of_dev_cannot_be_chosen(tmp_path):
    with pytest.raises(CorpusError, match="brings its own dev and test voices"):
        load_corpus(config(dev_speakers=["en-us"]), tmp_path)


def test_manifest_is_json_lines_with_paths_beside_it(splits, cache):
    folder = corpus_folder(cache)
    rows = [json.loads(line) for line in (folder / "manifest.jsonl").read_text(encoding="utf-8").splitlines()]
    assert len(rows) == UTTERANCES
    assert {row["split"] for row in rows} == set(SPLITS)
    assert all((folder / row["audio"]).is_file() for row in rows)
