"""Utterances on disk: whole or not there, made once, found by their sources."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from asr.corpora.dataset_cache import build_dataset, cache_key, dataset_features, utterance_batches
from sluice_core.corpus_files import CorpusError
from tests.asr.corpora.examples import utterances


def test_utterances_come_back_from_disk_with_every_column(tmp_path):
    word = {"text": "yes", "start_seconds": 0.1, "end_seconds": 0.4}
    full = {
        "id": "a", "audio": "a.wav", "text": "yes", "speaker": "ann", "duration_seconds": 2.0,
        "start_seconds": 1.0, "end_seconds": 3.0, "words": [word],
    }  # fmt: skip
    dataset = build_dataset(lambda: [full, {"id": "b", "audio": "b.wav", "text": "no"}], tmp_path, "key")
    assert dataset.features == dataset_features()
    assert dataset[0] == full
    assert dataset[1]["speaker"] == "" and dataset[1]["words"] == [] and dataset[1]["start_seconds"] is None
    assert dataset.cache_files == [{"filename": str(tmp_path / "key.arrow")}]  # mapped, not in memory


def test_utterances_are_made_once(tmp_path):
    calls = []

    def make():
        calls.append(1)
        return utterances("ab")

    for _ in range(2):
        assert build_dataset(make, tmp_path, "key")["id"] == ["u0", "u1"]
    assert len(calls) == 1
    assert len(build_dataset(make, tmp_path, "other")) == 2 and len(calls) == 2


def test_a_failure_midway_leaves_nothing_behind(tmp_path):
    def failing():
        yield from utterances("ab")
        raise CorpusError("line 3 is wrong")

    with pytest.raises(CorpusError, match="line 3"):
        build_dataset(failing, tmp_path, "key")
    assert list(tmp_path.iterdir()) == []
    assert len(build_dataset(lambda: utterances("ab"), tmp_path, "key")) == 2


def test_a_damaged_cache_is_written_again(tmp_path):
    build_dataset(lambda: utterances("ab"), tmp_path, "key")
    (tmp_path / "key.arrow").write_bytes(b"not Arrow")
    assert len(build_dataset(lambda: utterances("abc"), tmp_path, "key")) == 3


def test_no_utterances_is_an_error(tmp_path):
    with pytest.raises(CorpusError, match="empty"):
        build_dataset(list, tmp_path, "key")
    assert list(tmp_path.iterdir()) == []


def test_a_cache_that_cannot_be_written_says_where(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(CorpusError, match=r"file.*cannot write the cache"):
        build_dataset(lambda: utterances("a"), tmp_path / "file" / "cache", "key")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_said(tmp_path, monkeypatch):
    monkeypatch.setattr("asr.corpora.dataset_cache.uuid.uuid4", lambda: type("Fixed", (), {"hex": "full"}))
    (tmp_path / ".key.arrow.full").symlink_to("/dev/full")
    with pytest.raises(CorpusError, match="No space left"):
        build_dataset(lambda: utterances("ab" * 6000), tmp_path, "key")


def test_batches_are_bounded():
    assert [len(batch) for batch in utterance_batches(utterances("a" * 20_001))] == [10_000, 10_000, 1]


def test_nothing_is_written_outside_the_cache(tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    code = (
        "import sys; from pathlib import Path; from asr.corpora.dataset_cache import build_dataset; "
        "build_dataset(lambda: [{'id': 'a', 'audio': 'a.wav', 'text': 'b'}], Path(sys.argv[1]), 'key')"
    )
    elsewhere = ("HF_HOME", "XDG_CACHE_HOME", "HF_DATASETS_CACHE")
    environment = {name: value for name, value in os.environ.items() if name not in elsewhere}
    environment["HOME"] = str(home)
    command = [sys.executable, "-c", code, str(tmp_path / "cache")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == done.stderr == ""
    assert list(home.iterdir()) == []


def test_key_follows_files_and_settings(tmp_path):
    file = tmp_path / "index"
    file.write_text("one")
    key = cache_key("an4", [file], {"case": "lower"})
    assert key == cache_key("an4", [file], {"case": "lower"})
    assert key != cache_key("an4", [file], {"case": "upper"})
    file.write_text("other")
    assert key != cache_key("an4", [file], {"case": "lower"})


def test_a_touched_index_has_another_key(tmp_path):
    file = tmp_path / "index"
    file.write_text("one")
    os.utime(file, ns=(1, 1))
    key = cache_key("an4", [file], {})
    os.utime(file, ns=(2, 2))
    assert key != cache_key("an4", [file], {})
