import json
import os

import pytest

from asr.config import SpeechCorpusConfig
from asr.corpora import load_corpus
from asr.corpora.manifest import ManifestEntry, read_manifest, to_utterance
from sluice_core.corpus_files import CorpusError
from tests.asr.audio.wav_files import write_wav


def write(path, content, encoding="utf-8"):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode(encoding))
    return path


def utterances(path, **settings):
    return [utterance for _, utterance in read_manifest(path, **settings)]


FORMS = {
    "m.csv": "speaker,audio,text,start_seconds,end_seconds,note\n"
    'ann,a.wav,"Yes, sir",,,x\n,sub/b.wav,no,0.5,1.5,\n',
    "m.tsv": "audio\ttext\tspeaker\tstart_seconds\tend_seconds\n"
    "a.wav\tYes, sir\tann\t\t\nsub/b.wav\tno\t\t0.5\t1.5\n",
    "m.jsonl": '{"audio": "a.wav", "text": "Yes, sir", "speaker": "ann"}\n\n'
    '{"audio": "sub/b.wav", "text": "no", "start_seconds": 0.5, "end_seconds": 1.5, "speaker": null}\n',
}


@pytest.mark.parametrize("name", FORMS)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_forms(tmp_path, name, encoding, newline):
    path = write(tmp_path / name, FORMS[name].replace("\n", newline), encoding)
    first, second = utterances(path, case="lower")
    assert first == {
        "id": "a", "audio": str(tmp_path / "a.wav"), "text": "yes, sir", "speaker": "ann",
        "start_seconds": None, "end_seconds": None,
    }  # fmt: skip
    assert second["audio"] == str(tmp_path / "sub" / "b.wav") and second["speaker"] == ""
    assert (second["start_seconds"], second["end_seconds"]) == (0.5, 1.5)
    assert second["id"] == "sub/b-0.50-1.50"


def test_ids_speakers_and_absolute_paths(tmp_path):
    line = {"id": 7, "audio": str(tmp_path / "else" / "a.wav"), "text": "cafe\u0301  noir", "speaker": 12}
    (row,) = utterances(write(tmp_path / "deep" / "m.jsonl", json.dumps(line)))
    assert (row["id"], row["speaker"], row["text"]) == ("7", "12", "café noir")
    assert row["audio"] == line["audio"]


def test_a_quotation_mark_in_tsv_is_itself(tmp_path):
    path = write(tmp_path / "m.tsv", 'audio\ttext\na.wav\t"so he\nb.wav\tsaid"\n')
    assert [row["text"] for row in utterances(path)] == ['"so he', 'said"']


def test_columns_that_are_ignored_may_share_a_name(tmp_path):
    path = write(tmp_path / "m.csv", "audio,text,note,note,,\na.wav,yes,a,b,,\n")
    assert [row["text"] for row in utterances(path)] == ["yes"]


def test_where_counts_lines_of_the_file(tmp_path):
    path = write(tmp_path / "m.csv", 'audio,text\n\na.wav,"two\nlines"\nb.wav,yes\n')
    assert [where for where, _ in read_manifest(path)] == [f"{path}, line 4", f"{path}, line 5"]


def test_reading_is_a_stream(tmp_path):
    path = write(tmp_path / "m.csv", "audio,text\n" + "a.wav,yes\n" * 1000 + "b.wav,\n")
    stream = read_manifest(path)
    for _ in range(1000):
        next(stream)
    with pytest.raises(CorpusError, match="line 1002: text is empty"):
        next(stream)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("m.csv", "path,text\na.wav,yes\n", "line 1: no column audio; the columns are path, text"),
        ("m.csv", "audio;text\na.wav;yes\n", "line 1: no column audio and text; .*semicolons, not commas"),
        ("m.tsv", "audio,text\na.wav,yes\n", "separated by commas, not tabs"),
        ("m.csv", "audio,text,text\na.wav,yes,no\n", "line 1: more than one column text; keep one"),
        ("m.tsv", "audio\tid\ttext\tid\na.wav\t1\tyes\t2\n", "line 1: more than one column id; keep one"),
        ("m.csv", "", "m.csv: the file is empty; its first line names the columns: audio, text"),
        ("m.csv", "audio,text\na.wav,yes, sir\n", "line 2: 3 fields where the header has 2; quote a text"),
        ("m.csv", 'audio,text\na.wav,"yes\n', "line 2: not valid CSV"),
        ("m.csv", "audio,text\na.wav,yes\nb.wav, \n", "line 3: text is empty"),
        ("m.csv", "audio,text\n,yes\n", "line 2: audio is empty"),
        (
            "m.csv",
            "audio,text,start_seconds\na.wav,yes,soon\n",
            "line 2: start_seconds is not a number .*soon",
        ),
        ("m.csv", "audio,text,end_seconds\na.wav,yes,nan\n", "line 2: end_seconds is not a number .*'nan'"),
        ("m.csv", "audio,text,start_seconds\na.wav,yes,-1\n", "line 2: start_seconds is not a number"),
        (
            "m.csv",
            "audio,text,start_seconds,end_seconds\na.wav,yes,2,1.5\n",
            r"line 2: end_seconds 1\.5 is not after start_seconds 2",
        ),
        ("m.jsonl", '{"audio": "b.wav", "sentence": "no"}\n', "no text; the names there are audio, sentence"),
        ("m.jsonl", '{"audio": "a.wav", "text"\n', "line 1: not valid JSON"),
        ("m.jsonl", '["a.wav", "yes"]\n', "line 1: expected an object"),
        (
            "m.jsonl",
            '{"audio": "a.wav", "text": ["yes"]}\n',
            "line 1: text must be text in quotation marks, found",
        ),
        (
            "m.jsonl",
            '{"audio": "a", "text": "b", "start_seconds": true}',
            "line 1: start_seconds is not a number",
        ),
        ("m.xml", "audio", r"a manifest is one of \.csv, \.tsv, \.jsonl.*not \.xml"),
    ],
)
def test_what_is_wrong_and_where(tmp_path, name, content, message):
    path = write(tmp_path / name, content)
    with pytest.raises(CorpusError, match=message) as caught:
        utterances(path)
    assert str(path) in str(caught.value)


HARDLY_WRITTEN = {
    "a number too large": ('"start_seconds": 1' + 400 * "0", "start_seconds is not a number .*: 10+"),
    "half of a pair in text": (r'"text": "yes \ud83d"', r"text holds '\\ud83d', which is no character"),
    "half of a pair in audio": (r'"audio": "\ude00.wav"', r"audio holds '\\ude00', which is no character"),
    "half of a pair in id": (r'"id": "\ud83d"', r"id holds '\\ud83d', which is no character"),
    "NUL": (r'"audio": "a\u0000.wav"', r"audio holds '\\x00', which is no character"),
    "no name": ('"audio": "."', r"audio '\.' is a folder, not a recording"),
    "brackets in brackets": ('"text": ' + 100_000 * "[", "not valid JSON: .*recursion"),
}


@pytest.mark.parametrize("kind", HARDLY_WRITTEN)
def test_what_is_hardly_ever_written_names_its_line_too(tmp_path, kind):
    fields, message = HARDLY_WRITTEN[kind]
    path = write(tmp_path / "m.jsonl", '\n{"audio": "a.wav", "text": "yes", ' + fields + "}\n")
    with pytest.raises(CorpusError, match=f"line 2: {message}"):
        utterances(path)


@pytest.mark.parametrize("column", ["text", "start_seconds"])
def test_what_stands_in_a_wrong_place_is_shown_however_deep(tmp_path, column):
    value = []
    for _ in range(100_000):  # deeper than Python can write down
        value = [value]
    with pytest.raises(CorpusError, match=rf"line 1: {column} .*\[\[\[\.\.\.\]\]\]"):
        to_utterance(ManifestEntry(1, {"audio": "a.wav", "text": "yes", column: value}), tmp_path / "m.jsonl")


def test_nul_in_csv(tmp_path):
    path = write(tmp_path / "m.csv", "audio,text\na\0.wav,yes\n")
    with pytest.raises(CorpusError, match=r"line 2: audio holds '\\x00'"):
        utterances(path)


def test_not_utf8(tmp_path):
    path = write(tmp_path / "m.csv", "audio,text\na.wav,yes\nb.wav,café\n", "latin-1")
    with pytest.raises(CorpusError, match=r"m\.csv, line 3: not UTF-8 text \(byte 10 of the line\)"):
        utterances(path)


def test_no_such_manifest(tmp_path):
    write(tmp_path / "train.csv", "")
    for path in (tmp_path / "trian.csv", tmp_path):
        with pytest.raises(CorpusError, match=r"no such manifest file.*it holds train\.csv"):
            utterances(path)


@pytest.fixture
def corpus(tmp_path):
    """A manifest with as many utterances of each speaker as asked, of one second each."""

    def build(name="m.csv", speakers="abcdef", each=2, text="yes", named=True):
        lines = ["audio,text,speaker"]
        for speaker in speakers:
            for number in range(each):
                write_wav(tmp_path / f"{speaker}{number}.wav")
                lines.append(f"{speaker}{number}.wav,{text},{speaker if named else ''}")
        return write(tmp_path / name, "\n".join(lines))

    return build


def load(tmp_path, **settings):
    return load_corpus(SpeechCorpusConfig(kind="manifest", **settings), tmp_path / "cache")


def test_dev_has_its_own_speakers_where_five_are_named(corpus, tmp_path):
    splits = load(tmp_path, data=corpus(), dev_fraction=0.3)
    assert len(splits["dev"]) == 4 and len(splits["train"]) == 8
    assert not set(splits["dev"]["speaker"]) & set(splits["train"]["speaker"])
    assert splits["dev"][0]["duration_seconds"] == 1.0


def test_dev_has_its_own_utterances_where_speakers_are_few_or_unknown(corpus, tmp_path):
    for speakers, named in (("ab", True), ("abcdef", False)):
        path = corpus(speakers=speakers, each=10, named=named)
        splits = load(tmp_path, data=path, dev_fraction=0.25)
        assert len(splits["dev"]) == 10 * len(speakers) / 4
        assert len(splits["train"]) == 10 * len(speakers) * 3 / 4


def test_one_manifest_for_each_part(corpus, tmp_path):
    paths = {
        split: corpus(f"{split}.csv", speakers)
        for split, speakers in zip(("train", "dev", "test"), "abc", strict=True)
    }
    splits = load(tmp_path, **paths)
    assert {split: set(rows["speaker"]) for split, rows in splits.items()} == {
        "train": {"a"},
        "dev": {"b"},
        "test": {"c"},
    }


def test_settings_that_contradict_or_miss(corpus, tmp_path):
    with pytest.raises(CorpusError, match="both name a training manifest"):
        load(tmp_path, data=corpus(), train=corpus())
    with pytest.raises(CorpusError, match="needs a manifest file"):
        load(tmp_path)


def test_a_changed_manifest_is_read_again(corpus, tmp_path):
    first = load(tmp_path, data=corpus(), dev_speakers=["a"])
    path = corpus(text="no!")
    changed = path.stat().st_mtime_ns + 1_000_000_000
    os.utime(path, ns=(changed, changed))
    second = load(tmp_path, data=path, dev_speakers=["a"])
    assert set(first["train"]["text"]) == {"yes"} and set(second["train"]["text"]) == {"no!"}


def test_a_missing_recording_names_its_line(corpus, tmp_path):
    path = corpus()
    (tmp_path / "b1.wav").unlink()
    with pytest.raises(CorpusError, match=r"m\.csv, line 5: .*b1\.wav.*No such file"):
        load(tmp_path, data=path)


def test_a_segment_outside_its_recording_names_its_line(tmp_path):
    write_wav(tmp_path / "a.wav", seconds=2.0)
    path = write(tmp_path / "m.csv", "audio,text,start_seconds,end_seconds\na.wav,yes,0,1\na.wav,no,1.5,4\n")
    with pytest.raises(
        CorpusError, match=r"m\.csv, line 3: the segment from 1\.5 to 4 seconds is not inside"
    ):
        load(tmp_path, data=path)
