"""Who is held out for dev and test."""

import logging

import pytest

from asr.config import SpeechCorpusConfig
from asr.corpora import leave_out_long
from asr.corpora.dataset_cache import build_dataset
from asr.corpora.splits import complete_splits, hold_out
from sluice_core.corpus_files import CorpusError
from tests.asr.corpora.examples import utterances


def config(**settings):
    return SpeechCorpusConfig(kind="manifest", **settings)


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
    return {"train": build_dataset(lambda: utterances(speakers), tmp_path, "whole")}


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


def test_a_split_cannot_be_named_twice(tmp_path):
    splits = {**whole(tmp_path, "abc"), "test": build_dataset(lambda: utterances("d"), tmp_path, "test")}
    with pytest.raises(CorpusError, match="test_speakers is set, but the corpus brings its own test split"):
        complete_splits(splits, config(test_speakers=["a"]), tmp_path, "whole")


def test_one_utterance_cannot_be_divided(tmp_path):
    with pytest.raises(CorpusError, match="at least two utterances"):
        complete_splits(whole(tmp_path, "a"), config(), tmp_path, "whole")


def test_long_utterances_are_left_out_and_counted(tmp_path, caplog):
    mixed = [*utterances("ab", seconds=5.0), {**utterances("c", seconds=31.0)[0], "id": "long"}]
    dataset = build_dataset(lambda: mixed, tmp_path, "key")
    with caplog.at_level(logging.WARNING):
        assert leave_out_long(dataset, 30.0)["id"] == ["u0", "u1"]
    assert "left out 1 of 3 training utterances" in caplog.text
    assert leave_out_long(dataset, 40.0) is dataset
    with pytest.raises(CorpusError, match=r"longer than corpus\.max_seconds"):
        leave_out_long(dataset, 1.0)
