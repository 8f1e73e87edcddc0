"""Durations of utterances, and threads."""

import threading

import pytest

from asr.corpora.utterances import add_durations, map_threaded
from sluice_core.corpus_files import CorpusError
from tests.asr.audio.wav_files import write_wav


def test_map_threaded_keeps_order_and_does_not_run_away():
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


def test_map_threaded_ends_its_threads_after_an_error():
    before = threading.active_count()
    with pytest.raises(ZeroDivisionError):
        list(map_threaded(lambda number: 1 // number, [2, 1, 0, 3], threads=2))
    assert threading.active_count() == before


def test_durations_are_read_from_headers_and_segments(tmp_path):
    audio = str(write_wav(tmp_path / "a.wav", seconds=2.0))
    base = {"id": "a", "audio": audio, "text": "yes"}
    whole, segment, rounded = add_durations(
        [
            ("line 1", base),
            ("line 2", {**base, "start_seconds": 0.5, "end_seconds": 1.25}),
            ("line 3", {**base, "start_seconds": 1.0, "end_seconds": 2.05}),
        ]
    )
    assert whole["duration_seconds"] == 2.0 and whole["end_seconds"] is None
    assert segment["duration_seconds"] == 0.75 and segment["end_seconds"] == 1.25
    assert rounded["duration_seconds"] == 1.0 and rounded["end_seconds"] == 2.0
    with pytest.raises(CorpusError, match=r"line 4: the segment from 1 to 9 seconds is not inside .*2\.00"):
        list(add_durations([("line 4", {**base, "start_seconds": 1.0, "end_seconds": 9.0})]))
    with pytest.raises(CorpusError, match=r"line 5: .*gone\.wav"):
        list(add_durations([("line 5", {**base, "audio": str(tmp_path / "gone.wav")})]))
