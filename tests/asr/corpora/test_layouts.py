import os

import pytest

from asr.config import SpeechCorpusConfig
from asr.corpora import load_corpus
from sluice_core.corpus_files import CorpusError
from tests.asr.audio.wav_files import write_wav
from tests.conftest import real_corpus


def load(kind, data, cache, **settings):
    return load_corpus(SpeechCorpusConfig(kind=kind, data=data, **settings), cache)


@pytest.fixture
def an4(tmp_path):
    """AN4's layout: six speakers with two recordings each in training, one of a seventh in the test split."""

    def build(test=False):
        root = tmp_path / "an4"
        (root / "etc").mkdir(parents=True)
        lines = []
        for speaker in ("fash", "fbbh", "mblb", "mrjc2", "mwhw", "mxyz"):
            for name in (f"an1-{speaker}-b", f"cen2-{speaker}-b"):
                # Written as SPHERE, as published: soundfile goes by the format, not by the suffix.
                write_sphere(root / "wav" / "an4_clstk" / speaker / f"{name}.sph")
                lines.append(f"<s> SIX {speaker.upper()} </s> ({name})\n")
        (root / "etc" / "an4_train.transcription").write_text("".join(lines))
        if test:
            (root / "etc" / "an4_test.transcription").write_text("RUBOUT G M (an406-fcaw-b)\n")
            write_wav(root / "wav" / "an4test_clstk" / "fcaw" / "an406-fcaw-b.wav")
        return root

    return build


def write_sphere(path):
    import soundfile

    samples, rate = soundfile.read(write_wav(path.with_suffix(".wav"), seconds=0.5))
    path.with_suffix(".wav").unlink()
    soundfile.write(path, samples, rate, format="NIST", subtype="PCM_16")


def test_an4(an4, tmp_path):
    splits = load("an4", an4(), tmp_path / "cache")
    assert list(splits) == ["train", "dev"]
    assert len(splits["train"]) == 10 and len(splits["dev"]) == 2
    assert len(set(splits["dev"]["speaker"])) == 1
    assert not set(splits["dev"]["speaker"]) & set(splits["train"]["speaker"])
    row = splits["train"][0]
    assert row["text"] == f"six {row['speaker']}"
    assert row["audio"].endswith(f"wav/an4_clstk/{row['speaker']}/{row['id']}.sph")
    assert row["duration_seconds"] == 0.5


def test_an4_official_test_part(an4, tmp_path):
    splits = load("an4", an4(test=True), tmp_path / "cache", case="keep", dev_speakers=["fash"])
    assert list(splits) == ["train", "dev", "test"]
    (row,) = splits["test"]
    assert (row["id"], row["speaker"], row["text"]) == ("an406-fcaw-b", "fcaw", "RUBOUT G M")
    assert set(splits["dev"]["speaker"]) == {"fash"}


def test_an4_wrong_folder_says_what_was_looked_for_and_found(an4, tmp_path):
    root = an4()
    for folder, found in (
        (tmp_path, f"it holds an4/; did you mean {root}?"),
        (root / "etc", "it holds an4_train.transcription"),
        (tmp_path / "nowhere", "there is no such folder"),
    ):
        with pytest.raises(CorpusError) as caught:
            load("an4", folder, tmp_path / "cache")
        assert "looked for etc/an4_train.transcription and wav/an4_clstk; " + found in str(caught.value)
    with pytest.raises(CorpusError, match=r"needs its folder \(corpus\.data; --data FOLDER\)"):
        load("an4", None, tmp_path / "cache")


def test_an4_missing_recording_names_its_line(an4, tmp_path):
    root = an4()
    (root / "wav" / "an4_clstk" / "fbbh" / "cen2-fbbh-b.sph").unlink()
    with pytest.raises(
        CorpusError, match=r"an4_train\.transcription, line 4: .*cen2-fbbh-b\.sph.*No such file"
    ):
        load("an4", root, tmp_path / "cache")


def test_an4_malformed_line(an4, tmp_path):
    root = an4()
    with (root / "etc" / "an4_train.transcription").open("a") as file:
        file.write("<s> NO ID </s>\n")
    with pytest.raises(CorpusError, match=r"line 13: expected words and an id in brackets, found '<s> NO ID"):
        load("an4", root, tmp_path / "cache")


def test_a_changed_transcription_is_read_again(an4, tmp_path):
    root, cache = an4(), tmp_path / "cache"
    first = load("an4", root, cache, dev_speakers=["fash"])
    path = root / "etc" / "an4_train.transcription"
    changed = path.stat().st_mtime_ns + 1_000_000_000
    path.write_text(path.read_text().replace("SIX", "TWO"))  # of the same size
    os.utime(path, ns=(changed, changed))
    second = load("an4", root, cache, dev_speakers=["fash"])
    assert first["train"][0]["text"].startswith("six") and second["train"][0]["text"].startswith("two")


def test_an_unchanged_corpus_is_not_read_again(an4, tmp_path):
    root, cache = an4(), tmp_path / "cache"
    before = {split: rows.to_list() for split, rows in load("an4", root, cache).items()}
    (root / "wav" / "an4_clstk" / "fash" / "an1-fash-b.sph").unlink()  # headers are not looked at again
    assert {split: rows.to_list() for split, rows in load("an4", root, cache).items()} == before


@pytest.fixture
def fsdd(tmp_path):
    def build(speakers=("ann", "bob", "van_der"), indexes=range(5, 8)):
        for speaker in speakers:
            for index in indexes:
                for digit in range(10):
                    path = tmp_path / "fsdd" / "recordings" / f"{digit}_{speaker}_{index}.wav"
                    write_wav(path, seconds=0.25, rate=8000)
        return tmp_path / "fsdd"

    return build


def test_fsdd(fsdd, tmp_path):
    splits = load("fsdd", fsdd(), tmp_path / "cache")
    assert {split: len(rows) for split, rows in splits.items()} == {"train": 81, "dev": 9}
    rows = {row["id"]: row for rows in splits.values() for row in rows}
    assert len(rows) == 90
    assert rows["7_van_der_6"]["text"] == "seven" and rows["7_van_der_6"]["speaker"] == "van_der"
    assert rows["0_ann_5"]["duration_seconds"] == 0.25


def test_fsdd_leaves_speakers_out(fsdd, tmp_path):
    splits = load("fsdd", fsdd(), tmp_path / "cache", test_speakers=["ann"])
    assert set(splits["test"]["speaker"]) == {"ann"} and len(splits["test"]) == 30
    assert len(splits["dev"]) == 6 and len(splits["train"]) == 54
    assert "ann" not in {*splits["dev"]["speaker"], *splits["train"]["speaker"]}


def test_fsdd_official_test_part_is_the_first_five_indexes(fsdd, tmp_path):
    splits = load("fsdd", fsdd(indexes=range(4, 7)), tmp_path / "cache")
    assert len(splits["test"]) == 30 and all(name.endswith("_4") for name in splits["test"]["id"])
    left_out = load("fsdd", tmp_path / "fsdd", tmp_path / "cache", test_speakers=["bob"])
    assert set(left_out["test"]["speaker"]) == {"bob"}


def test_fsdd_wrong_folders(tmp_path):
    with pytest.raises(CorpusError, match="looked for recordings; the folder is empty"):
        (tmp_path / "empty").mkdir()
        load("fsdd", tmp_path / "empty", tmp_path / "cache")
    write_wav(tmp_path / "recordings" / "hello.wav")
    with pytest.raises(CorpusError, match=r"DIGIT_SPEAKER_INDEX\.wav.*it holds hello\.wav"):
        load("fsdd", tmp_path, tmp_path / "cache")


def test_ljspeech(tmp_path):
    lines = [f"LJ001-{n:04}|Chapter {n}.|Chapter number {n}." for n in range(20)]
    lines.append('LJ002-0001|He said "go|')  # no normalized text; a quotation mark is itself
    (tmp_path / "metadata.csv").write_text("\n".join(lines), encoding="utf-8")
    for line in lines:
        write_wav(tmp_path / "wavs" / f"{line.split('|')[0]}.wav", seconds=0.2, rate=22050)
    splits = load("ljspeech", tmp_path, tmp_path / "cache")
    assert len(splits["train"]) == 19 and len(splits["dev"]) == 2
    texts = {row["id"]: row["text"] for rows in splits.values() for row in rows}
    assert texts["LJ001-0007"] == "chapter number 7." and texts["LJ002-0001"] == 'he said "go'


@pytest.mark.parametrize("line", ["LJ001-0001", "|text|text", "LJ001-0001||"])
def test_ljspeech_malformed_line(tmp_path, line):
    (tmp_path / "wavs").mkdir()
    (tmp_path / "metadata.csv").write_text(line)
    with pytest.raises(CorpusError, match=r"metadata\.csv, line 1: expected ID\|TEXT"):
        load("ljspeech", tmp_path, tmp_path / "cache")


@pytest.fixture
def chapter():
    """Writes SPEAKER/CHAPTER with two utterances."""

    def write(split, speaker, chapter=1):
        folder = split / speaker / str(chapter)
        names = [f"{speaker}-{chapter}-{n:04}" for n in range(2)]
        for name in names:
            write_wav(folder / f"{name}.flac", seconds=0.3)
        (folder / f"{speaker}-{chapter}.trans.txt").write_text("".join(f"{n} HELLO WORLD\n" for n in names))

    return write


def test_librispeech_parts_are_its_folders(tmp_path, chapter):
    for split, speaker in (
        ("train-clean-100", "19"), ("train-other-500", "20"), ("dev-clean", "30"), ("dev-other", "31"),
        ("test-clean", "40"),
    ):  # fmt: skip
        chapter(tmp_path / "LibriSpeech" / split, speaker)
    splits = load("librispeech", tmp_path, tmp_path / "cache")
    assert {split: set(rows["speaker"]) for split, rows in splits.items()} == {
        "train": {"19", "20"}, "dev": {"30", "31"}, "test": {"40"},
    }  # fmt: skip
    assert splits["test"][0]["text"] == "hello world" and splits["test"][0]["duration_seconds"] == 0.3


def test_librispeech_one_folder_alone_is_divided_by_speaker(tmp_path, chapter):
    for speaker in ("1", "2", "3"):
        chapter(tmp_path / "dev-clean", speaker)
    splits = load("librispeech", tmp_path / "dev-clean", tmp_path / "cache")
    assert len(splits["dev"]) == 2 and len(splits["train"]) == 4
    assert not set(splits["dev"]["speaker"]) & set(splits["train"]["speaker"])


def test_librispeech_wrong_folder(tmp_path, chapter):
    chapter(tmp_path / "dev-clean", "1")  # no training split
    with pytest.raises(CorpusError, match=r"looked for train-\*/SPEAKER.*it holds dev-clean/"):
        load("librispeech", tmp_path, tmp_path / "cache")


def test_real_an4(tmp_path):
    splits = load("an4", real_corpus("an4"), tmp_path)
    train, dev = splits["train"], splits["dev"]
    assert len(train) + len(dev) == 948
    speakers = set(train["speaker"]), set(dev["speaker"])
    assert len(speakers[0] | speakers[1]) == 74 and len(speakers[1]) == 7 and not speakers[0] & speakers[1]
    minutes = (sum(train["duration_seconds"]) + sum(dev["duration_seconds"])) / 60
    assert minutes == pytest.approx(42.4, abs=0.1)
    assert set("".join(train["text"])) == set("abcdefghijklmnopqrstuvwxyz ")
    assert not {text for text in train["text"] if "<" in text or "(" in text}


def test_real_fsdd(tmp_path):
    splits = load("fsdd", real_corpus("fsdd"), tmp_path, test_speakers=["theo"])
    assert {split: len(rows) for split, rows in splits.items()} == {"train": 2025, "dev": 225, "test": 450}
    assert "theo" not in {*splits["train"]["speaker"], *splits["dev"]["speaker"]}
