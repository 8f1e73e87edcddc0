import json

import numpy as np
import pytest

from asr.config import SpeechCorpusConfig
from asr.corpora import load_corpus
from asr.corpora.validation import Limits, validate_manifest, validate_utterances
from sluice_core.corpus_files import CorpusError
from tests.asr.audio.wav_files import write_wav
from tests.conftest import real_corpus


@pytest.fixture
def manifest(tmp_path):
    """A manifest of good utterances (2 s, "one two three"), then the lines given."""

    def build(*lines, good=6):
        for number in range(good):
            write_wav(tmp_path / f"good{number}.wav", seconds=2.0, seed=number)
        head = ["audio,text,speaker"] + [
            f"good{number}.wav,one two three,s{number % 3}" for number in range(good)
        ]
        path = tmp_path / "m.csv"
        path.write_text("\n".join([*head, *lines, ""]), encoding="utf-8")
        return path

    return build


def check(path, **settings):
    return validate_manifest(path, quiet=True, **settings)


def kinds(report):
    return {suspect.kind: suspect for suspect in report.suspects}


def test_facts(manifest, tmp_path):
    samples = np.random.default_rng(1).uniform(-0.2, 0.2, (8000, 2))
    write_wav(tmp_path / "stereo.wav", rate=8000, samples=samples)
    report = check(manifest("stereo.wav,Four,"), case="lower")
    assert report.ok and report.suspects == []
    assert report.utterances == 7
    assert report.hours * 3600 == pytest.approx(13.0)
    assert report.seconds == {"shortest": 1.0, "median": 2.0, "longest": 2.0}
    assert report.speakers == 3
    assert (report.words, report.vocabulary) == (19, 4)
    assert report.characters["o"] == 13 and "F" not in report.characters
    assert report.sample_rates == {16000: 6, 8000: 1} and report.channels == {1: 6, 2: 1}
    assert report.characters_per_second == pytest.approx((6 * 13 + 4) / 13)
    assert report.words_per_second == pytest.approx(19 / 13)
    text = report.format()
    for fact in ("16000 Hz: 6, 8000 Hz: 1", "19, 4 of them different", "shortest 1.00", "Nothing is suspect"):
        assert fact in text


def test_silence(manifest, tmp_path):
    write_wav(tmp_path / "zeros.wav", samples=np.zeros(16000))
    write_wav(tmp_path / "faint.wav", samples=1e-4 * np.random.default_rng(0).standard_normal(16000))
    report = check(manifest("zeros.wav,one,", "faint.wav,one,"))
    assert report.suspect_counts == {"silence": 2}
    assert [(item.where, item.id) for item in report.suspects] == [("line 8", "zeros"), ("line 9", "faint")]
    assert "nothing but zeros" in report.suspects[0].reason and "-80 dB" in report.suspects[1].reason


def test_clipping(manifest, tmp_path):
    tone = np.sin(np.arange(16000) * 0.1)
    write_wav(tmp_path / "full.wav", samples=0.9 * tone)
    write_wav(tmp_path / "clipped.wav", samples=np.clip(3 * tone, -1, 1))
    report = check(manifest("full.wav,one,", "clipped.wav,one,"))
    assert report.suspect_counts == {"clipping": 1}
    assert report.suspects[0].id == "clipped" and "78.4% of the samples" in report.suspects[0].reason


def test_text_that_ctc_cannot_emit(manifest, tmp_path):
    # 0.5 s are 51 frames of 10 ms, 13 steps after 4x subsampling, 26 after 2x.
    for seed, name in enumerate(("fits", "twins", "long")):
        write_wav(tmp_path / f"{name}.wav", seconds=0.5, seed=seed)
    path = manifest(f"fits.wav,{'ab' * 6}a,", f"twins.wav,{'ab' * 6}b,", f"long.wav,{'ab' * 13},")
    report = check(path)
    assert report.suspect_counts["text too long"] == 2
    reasons = {item.id: item.reason for item in report.suspects if item.kind == "text too long"}
    assert list(reasons) == ["long", "twins"]  # the worse first
    assert reasons["long"].startswith("26 characters need 26 steps of CTC; 0.50 s give 13 ")
    assert reasons["twins"].startswith("13 characters need 14 steps of CTC; 0.50 s give 13 ")
    assert "text too long" not in check(path, limits=Limits(subsampling=2)).suspect_counts


def test_lengths(manifest, tmp_path):
    write_wav(tmp_path / "blip.wav", seconds=0.05)
    write_wav(tmp_path / "lecture.wav", seconds=3.0)
    report = check(manifest("blip.wav,a,", "lecture.wav,one,"), limits=Limits(max_seconds=2.5))
    assert report.suspect_counts == {"too short": 1, "too long": 1}
    assert kinds(report)["too short"].id == "blip" and kinds(report)["too long"].id == "lecture"


def test_speaking_rates_far_from_the_others(manifest, tmp_path):
    lines = []
    for number in range(30):
        write_wav(tmp_path / f"r{number}.wav", seconds=1.0, seed=100 + number)
        lines.append(f"r{number}.wav,{'abcdefgh'[: 6 + number % 3]},")
    write_wav(tmp_path / "slow.wav", seconds=20.0)
    write_wav(tmp_path / "fast.wav", seconds=1.5)
    report = check(manifest(*lines, "slow.wav,yes,", f"fast.wav,{'ab' * 18},"))
    assert report.suspect_counts == {"fast speech": 1, "slow speech": 1}
    assert kinds(report)["fast speech"].id == "fast" and kinds(report)["slow speech"].id == "slow"


def test_the_same_audio_again(manifest):
    report = check(manifest("good0.wav,one two three,", "good1.wav,four,"))
    assert report.suspect_counts == {"two texts": 1, "duplicate": 1}
    assert (
        kinds(report)["duplicate"].where == "line 8"
        and "line 2, with the same" in kinds(report)["duplicate"].reason
    )
    assert (
        kinds(report)["two texts"].where == "line 9"
        and "line 3, with another" in kinds(report)["two texts"].reason
    )


def test_bad_lines_are_all_reported_and_do_not_end_the_check(manifest, tmp_path):
    (tmp_path / "text.wav").write_text("this is not audio")
    (tmp_path / "empty.wav").touch()
    path = manifest(
        "gone.wav,one,", "text.wav,one,", "good0.wav, ,", "a,b,c,d", "empty.wav,one,", "good1.wav,one,"
    )
    report = check(path)
    assert not report.ok and report.utterances == 12
    assert [(item.where, item.kind) for item in report.errors] == [
        ("line 8", "missing audio"), ("line 9", "unreadable audio"), ("line 10", "bad line"),
        ("line 11", "bad line"), ("line 12", "unreadable audio"),
    ]  # fmt: skip
    text = report.format()
    assert "Lines that cannot be used: 5 of 12" in text
    for expected in (
        "line 8: ",
        "gone.wav",
        "is a text file, not audio",
        "text is empty",
        "4 fields where the header has 3",
    ):
        assert expected in text
    assert report.suspect_counts == {"two texts": 1}  # the last line was still heard


def test_lines_that_no_program_should_write_are_bad_lines_too(tmp_path):
    write_wav(tmp_path / "a.wav", seconds=2.0)
    fields = [
        {"start_seconds": 10**400},
        {"text": "\ud83d"},
        {"id": "\ud83d"},
        {"audio": "\ud83d.wav"},
        {"audio": "a\0.wav"},
        {"audio": "."},
        {"audio": "a" * 5000},
        {},
    ]
    lines = [json.dumps({"audio": "a.wav", "text": "one two three"} | changed) for changed in fields]
    path = tmp_path / "m.jsonl"
    path.write_text("\n".join([*lines, "[" * 100_000]))
    report = check(path)
    assert [(item.where, item.kind) for item in report.errors] == [
        *((f"line {number}", "bad line") for number in range(1, 7)),
        ("line 7", "missing audio"),
        ("line 9", "bad line"),
    ]
    assert report.hours * 3600 == pytest.approx(2.0)


def test_what_cannot_be_read_further_is_reported(manifest):
    report = check(manifest('good0.wav,"one'))
    assert report.utterances == 7 and report.hours * 3600 == pytest.approx(12.0)
    assert report.errors[0].where == "after line 7" and "nothing further was read" in report.errors[0].reason


def test_nothing_usable(tmp_path):
    path = tmp_path / "m.csv"
    path.write_text("audio,text\ngone.wav,yes\n")
    report = check(path)
    assert (report.hours, len(report.errors)) == (0.0, 1)
    assert "cannot be used: 1 of 1" in report.format()
    json.dumps(report.to_dict())


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "the file is empty"),
        ("audio,text\n", "no utterances, only a header"),
        ("file,text\na,b\n", "no column audio"),
    ],
)
def test_what_is_no_manifest_is_an_error(tmp_path, content, message):
    path = tmp_path / "m.csv"
    path.write_text(content)
    with pytest.raises(CorpusError, match=message):
        check(path)


def test_the_worst_come_first_and_every_kind_is_heard(manifest, tmp_path):
    write_wav(tmp_path / "zeros.wav", samples=np.zeros(16000))
    write_wav(tmp_path / "clipped.wav", samples=np.sign(np.sin(np.arange(16000) * 0.1)))
    lines = [f"zeros.wav,one,{number}" for number in range(20)] + ["clipped.wav,one,"]
    report = check(manifest(*lines), worst=3)
    assert report.suspect_counts == {"silence": 20, "clipping": 1, "duplicate": 19}
    assert [(item.kind, item.where) for item in report.suspects] == [
        ("silence", "line 8"), ("clipping", "line 28"), ("duplicate", "line 9"),
    ]  # fmt: skip
    assert "The 3 worst suspects (in all: 20 silence, 1 clipping, 19 duplicate)" in report.format()


def test_for_programs(manifest, tmp_path):
    write_wav(tmp_path / "zeros.wav", samples=np.zeros(16000))
    facts = json.loads(json.dumps(check(manifest("zeros.wav,one,", "gone.wav,one,")).to_dict()))
    assert facts["ok"] is False and facts["utterances"] == 8
    assert facts["suspects"] == [
        {
            "kind": "silence",
            "where": "line 8",
            "id": "zeros",
            "reason": "nothing but zeros (RMS against full scale)",
        }
    ]
    assert facts["errors"][0]["kind"] == "missing audio" and facts["errors"][0]["where"] == "line 9"


def test_segments_are_heard_by_themselves(tmp_path):
    noise = 0.1 * np.random.default_rng(0).standard_normal(16000)
    write_wav(tmp_path / "a.wav", samples=np.concatenate([np.zeros(16000), noise]))
    path = tmp_path / "m.csv"
    path.write_text("audio,text,start_seconds,end_seconds\na.wav,one,0,1\na.wav,two,1,2\na.wav,three,1.5,9\n")
    report = check(path)
    assert [(item.kind, item.where) for item in report.suspects] == [("silence", "line 2")]
    assert [item.where for item in report.errors] == ["line 4"]


def test_progress_goes_to_stderr_and_quiet_silences_it(manifest, capsys):
    path = manifest()
    check(path)
    assert capsys.readouterr() == ("", "")
    validate_manifest(path)
    assert capsys.readouterr().out == ""


def test_rows_of_a_corpus(manifest, tmp_path):
    splits = load_corpus(
        SpeechCorpusConfig(kind="manifest", data=manifest("good0.wav,two,s0")), tmp_path / "cache"
    )
    report = validate_utterances([*splits["train"], *splits["dev"]], "mine", quiet=True)
    assert report.source == "mine" and report.utterances == 7
    assert report.suspect_counts == {"two texts": 1} and report.suspects[0].where == report.suspects[0].id


def test_real_fsdd_is_tight_for_ctc(tmp_path):
    splits = load_corpus(SpeechCorpusConfig(kind="fsdd", data=real_corpus("fsdd")), tmp_path)
    threes = [row for row in splits["train"] if row["speaker"] == "george" and row["text"] == "three"]
    report = validate_utterances(threes, "fsdd", quiet=True)
    assert report.ok and report.sample_rates == {8000: len(threes)}
    assert {item.kind for item in report.suspects} == {"text too long"}
