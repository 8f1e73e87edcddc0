import logging
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from asr.config import SpeechCorpusConfig
from asr.corpora import leave_out_long
from asr.corpora.dataset_cache import build_dataset, cache_key, dataset_features, utterance_batches
from asr.corpora.splits import complete_splits, hold_out
from asr.corpora.utterances import add_durations, map_threaded
from sluice_core.corpus_files import CorpusError
from sluice_core.normalization.text import normalize_text
from tests.asr.audio.wav_files import write_wav


def rows(speakers, seconds=1.0):
    return [
        {"id": f"u{n}", "audio": f"{n}.wav", "text": "yes", "speaker": name, "duration_seconds": seconds}
        for n, name in enumerate(speakers)
    ]


def config(**settings):
    return SpeechCorpusConfig(kind="manifest", **settings)


def test_rows_come_back_from_disk_with_every_column(tmp_path):
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


def test_rows_are_made_once(tmp_path):
    calls = []

    def make():
        calls.append(1)
        return rows("ab")

    for _ in range(2):
        assert build_dataset(make, tmp_path, "key")["id"] == ["u0", "u1"]
    assert len(calls) == 1
    assert len(build_dataset(make, tmp_path, "other")) == 2 and len(calls) == 2


def test_a_failure_midway_leaves_nothing_behind(tmp_path):
    def failing():
        yield from rows("ab")
        raise CorpusError("line 3 is wrong")

    with pytest.raises(CorpusError, match="line 3"):
        build_dataset(failing, tmp_path, "key")
    assert list(tmp_path.iterdir()) == []
    assert len(build_dataset(lambda: rows("ab"), tmp_path, "key")) == 2


def test_a_damaged_cache_is_written_again(tmp_path):
    build_dataset(lambda: rows("ab"), tmp_path, "key")
    (tmp_path / "key.arrow").write_bytes(b"not Arrow")
    assert len(build_dataset(lambda: rows("abc"), tmp_path, "key")) == 3


def test_no_rows_is_an_error(tmp_path):
    with pytest.raises(CorpusError, match="empty"):
        build_dataset(list, tmp_path, "key")
    assert list(tmp_path.iterdir()) == []


def test_a_cache_that_cannot_be_written_says_where(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(CorpusError, match=r"file.*cannot write the cache"):
        build_dataset(lambda: rows("a"), tmp_path / "file" / "cache", "key")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_said(tmp_path, monkeypatch):
    monkeypatch.setattr("asr.corpora.dataset_cache.uuid.uuid4", lambda: type("Fixed", (), {"hex": "full"}))
    (tmp_path / ".key.arrow.full").symlink_to("/dev/full")
    with pytest.raises(CorpusError, match="No space left"):
        build_dataset(lambda: rows("ab" * 6000), tmp_path, "key")


def test_batches_are_bounded():
    assert [len(batch) for batch in utterance_batches(rows("a" * 20_001))] == [10_000, 10_000, 1]


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


def test_text_is_composed_and_collapsed():
    assert normalize_text(" cafe\u0301 \t au\nlait ") == "café au lait"
    assert normalize_text("Ja UND nein", "lower") == "ja und nein"
    assert normalize_text("straße", "upper") == "STRASSE"
    assert normalize_text("\u3000好棒棒\u3000") == "好棒棒"


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


def test_threaded_keeps_order_and_does_not_run_away():
    taken = []

    def numbers():
        for number in range(1000):
            taken.append(number)
            yield number

    results = map_threaded(lambda number: number * 2, numbers(), threads=2)
    assert [next(results) for _ in range(3)] == [0, 2, 4]
    assert len(taken) < 100
    results.close()
    assert [*map_threaded(str, range(5), threads=3)] == ["0", "1", "2", "3", "4"]
    assert [*map_threaded(str, [], threads=3)] == []


def test_threaded_ends_its_threads_after_an_error():
    before = threading.active_count()
    with pytest.raises(ZeroDivisionError):
        list(map_threaded(lambda number: 1 // number, [2, 1, 0, 3], threads=2))
    assert threading.active_count() == before


def test_measured_reads_headers_and_segments(tmp_path):
    audio = str(write_wav(tmp_path / "a.wav", seconds=2.0))
    base = {"id": "a", "audio": audio, "text": "yes"}
    whole, split, rounded = add_durations(
        [
            ("line 1", base),
            ("line 2", {**base, "start_seconds": 0.5, "end_seconds": 1.25}),
            ("line 3", {**base, "start_seconds": 1.0, "end_seconds": 2.05}),
        ]
    )
    assert whole["duration_seconds"] == 2.0 and whole["end_seconds"] is None
    assert split["duration_seconds"] == 0.75 and split["end_seconds"] == 1.25
    assert rounded["duration_seconds"] == 1.0 and rounded["end_seconds"] == 2.0
    with pytest.raises(CorpusError, match=r"line 4: the segment from 1 to 9 seconds is not inside .*2\.00"):
        list(add_durations([("line 4", {**base, "start_seconds": 1.0, "end_seconds": 9.0})]))
    with pytest.raises(CorpusError, match=r"line 5: .*gone\.wav"):
        list(add_durations([("line 5", {**base, "audio": str(tmp_path / "gone.wav")})]))


def test_held_out_speakers_are_seeded_and_stable():
    names = [f"s{number}" for number in range(50)]
    held_out = hold_out(names, 0.1, 17)
    assert len(held_out) == 5
    assert held_out == hold_out(reversed(names), 0.1, 17)
    assert held_out != hold_out(names, 0.1, 18)
    assert len(hold_out([*names, "new"], 0.1, 17) & held_out) >= 4
    assert len(hold_out("ab", 0.01, 17)) == 1 == len(hold_out("ab", 0.99, 17))
    with pytest.raises(CorpusError, match="at least two"):
        hold_out(["alone"], 0.1, 17)


def whole(tmp_path, speakers):
    return {"train": build_dataset(lambda: rows(speakers), tmp_path, "whole")}


def test_dev_is_of_other_speakers_where_there_are_enough(tmp_path):
    splits = complete_splits(whole(tmp_path, "abcdefghij" * 3), config(), tmp_path, "whole")
    assert list(splits) == ["train", "dev"]
    assert len(splits["dev"]) == 3 and len(splits["train"]) == 27
    assert not set(splits["dev"]["speaker"]) & set(splits["train"]["speaker"])


def test_dev_is_of_other_utterances_where_speakers_are_few(tmp_path):
    splits = complete_splits(whole(tmp_path, "ab" * 15), config(), tmp_path, "whole")
    assert len(splits["dev"]) == 3 and len(splits["train"]) == 27
    assert not set(splits["dev"]["id"]) & set(splits["train"]["id"])


def test_named_speakers_go_where_they_are_named(tmp_path):
    splits = complete_splits(
        whole(tmp_path, "abcdef" * 2), config(dev_speakers=["a"], test_speakers=["b", "c"]), tmp_path, "whole"
    )
    assert [set(splits[split]["speaker"]) for split in ("train", "dev", "test")] == [
        set("def"),
        {"a"},
        {"b", "c"},
    ]


def test_a_test_of_named_speakers_shares_none_with_dev(tmp_path):
    splits = complete_splits(
        whole(tmp_path, "abc" * 10), config(test_speakers=["b"]), tmp_path, "whole", by="utterance"
    )
    assert set(splits["test"]["speaker"]) == {"b"} and len(splits["test"]) == 10
    assert len(splits["dev"]) == 2 and "b" not in splits["dev"]["speaker"]
    assert "b" not in splits["train"]["speaker"]


def test_the_division_follows_its_settings_not_the_cache(tmp_path):
    first = complete_splits(whole(tmp_path, "abcdefghij"), config(), tmp_path, "whole")
    again = complete_splits(whole(tmp_path, "abcdefghij"), config(), tmp_path, "whole")
    other = complete_splits(whole(tmp_path, "abcdefghij"), config(dev_fraction=0.4), tmp_path, "whole")
    assert first["dev"]["id"] == again["dev"]["id"] and len(other["dev"]) == 4


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"dev_speakers": ["zoe"]}, "no speaker is named zoe; the speakers of the corpus: a, b, c"),
        ({"test_speakers": ["a"], "dev_speakers": ["a"]}, "both dev and test: a"),
        ({"test_speakers": ["a", "b"], "dev_speakers": ["c"]}, "leave no speaker for training"),
    ],
)
def test_wrong_names_are_said(tmp_path, settings, message):
    with pytest.raises(CorpusError, match=message):
        complete_splits(whole(tmp_path, "abc"), config(**settings), tmp_path, "whole")


def test_a_part_cannot_be_named_twice(tmp_path):
    splits = {**whole(tmp_path, "abc"), "test": build_dataset(lambda: rows("d"), tmp_path, "test")}
    with pytest.raises(CorpusError, match="test_speakers is set, but the corpus brings its own test split"):
        complete_splits(splits, config(test_speakers=["a"]), tmp_path, "whole")


def test_one_utterance_cannot_be_divided(tmp_path):
    with pytest.raises(CorpusError, match="at least two utterances"):
        complete_splits(whole(tmp_path, "a"), config(), tmp_path, "whole")


def test_long_utterances_are_left_out_and_counted(tmp_path, caplog):
    mixed = [*rows("ab", seconds=5.0), {**rows("c", seconds=31.0)[0], "id": "long"}]
    dataset = build_dataset(lambda: mixed, tmp_path, "key")
    with caplog.at_level(logging.WARNING):
        assert leave_out_long(dataset, 30.0)["id"] == ["u0", "u1"]
    assert "left out 1 of 3 training utterances" in caplog.text
    assert leave_out_long(dataset, 40.0) is dataset
    with pytest.raises(CorpusError, match=r"longer than corpus\.max_seconds"):
        leave_out_long(dataset, 1.0)
