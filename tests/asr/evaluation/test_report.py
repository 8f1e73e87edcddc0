"""The report of a recognizer's run copes with whatever a run is."""

import base64
import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pytest
import soundfile
import torch

from asr.config import RecognizerConfig
from asr.corpora.dataset_cache import dataset_features
from asr.evaluation import error_tables
from asr.evaluation.evaluation import Evaluation, evaluate
from asr.evaluation.pictures import DRAWN_SECONDS
from asr.evaluation.report import MOST_UNREADABLE, write_report
from asr.tokens import Tokens
from asr.transcriber import Transcriber
from tests.pages import Reader, check_self_contained

RATE = 8000


def recognizer(texts: list[str], **settings: Any) -> Transcriber:
    """A small recognizer that has learned nothing."""
    config = RecognizerConfig.check(
        {
            "name": "small",
            "corpus": {"kind": "manifest", "train": "train.csv"},
            "features": {"sample_rate": RATE, "mels": 16},
            "model": {"channels": 2, "layers": 1, "hidden_size": 8, "subsampling": 2},
            **settings,
        },
        "test",
    )
    torch.manual_seed(0)
    return Transcriber(config, Tokens.learn(texts)).to("cpu")


def corpus(folder: Path, texts: list[str], seconds: float = 0.5, **columns: list[Any]) -> datasets.Dataset:
    """Rows with noise for audio."""
    generator = np.random.default_rng(0)
    rows = []
    for number, text in enumerate(texts):
        path = folder / f"{number}.wav"
        soundfile.write(path, generator.normal(0, 0.1, int(seconds * RATE)), RATE)
        row = {"id": f"u{number}", "audio": str(path), "text": text, "speaker": f"speaker {number % 2}"}
        row |= {"duration_seconds": seconds, "start_seconds": None, "end_seconds": None, "words": []}
        rows.append({**row, **{name: values[number] for name, values in columns.items()}})
    return datasets.Dataset.from_list(rows, features=dataset_features())


def heard(rows: datasets.Dataset, hypotheses: list[str], **changes: Any) -> Evaluation:
    found = Evaluation(
        list(rows["id"]),
        list(rows["speaker"]),
        list(rows["duration_seconds"]),
        list(rows["text"]),
        hypotheses,
        {},
        confidences=[[0.9] * len(text.split()) for text in hypotheses],
    )
    return replace(found, **changes)


def write(
    run: Path, rows: dict[str, datasets.Dataset], evaluations: dict[str, Evaluation], **settings: Any
) -> Reader:
    """Write a report and read it; every one must be whole and fetch nothing."""
    texts = [text for split in rows.values() for text in split["text"]]
    path = write_report(run, rows, evaluations, recognizer(texts or ["a"], **settings), {})
    assert path == run / "report.html"
    assert not list(run.glob("*.part"))
    return check_self_contained(path.read_text(encoding="utf-8"))


def words_of(reader: Reader) -> str:
    return " ".join(" ".join(reader.text).split())


TEXTS = ["two seats", "one way", "to boston", "from denver to boston"]


def test_a_run_is_told_whole(tmp_path: Path) -> None:
    rows = corpus(tmp_path, TEXTS)
    words = [{"text": "twospoken", "start_seconds": 0.1, "end_seconds": 0.3}]
    test = corpus(tmp_path, TEXTS, id=[f"t{n}" for n in range(4)], words=[words] * 4)
    evaluations = {
        "dev": heard(rows, TEXTS),
        "test": heard(test, ["two eats", "one way", "to boston now", "from to"]),
    }
    history = [
        {"epoch": n, "train_loss": 2 / (n + 1), "dev_wer": 0.9**n, "dev_error": 0.9**n} for n in range(4)
    ]
    (tmp_path / "history.json").write_text(json.dumps(history))
    metrics = {"seed": 23, "minutes": 1.5, "machine": "a machine", "parameters": 12345, "torch": "2"}
    path = write_report(
        tmp_path, {"train": rows, "dev": rows, "test": test}, evaluations, recognizer(TEXTS), metrics
    )
    reader = check_self_contained(path.read_text(encoding="utf-8"))
    text = words_of(reader)
    assert all(fact in text for fact in ("small", "23", "1.5 minutes", "a machine", "12,345", "4 utterances"))
    assert "test word error rate 40.0%" in text and "dev word error rate 0.0%" in text
    assert "4 / 10" in text  # test: one substituted, two deleted, one inserted
    assert "Errors of test by length and speaker" in text and "speaker 1" in text
    assert "seats eats 1" in text and "epoch 4 was kept" in text
    assert "Best: t1" in text and "Worst: t3" in text and "twospoken" in text
    assert "1 of 4 utterances (25%) has no error" in text
    assert len(reader.all("audio")) == 3 and len(reader.all("svg")) == 2 + 3 + 2


def test_differences_are_marked_and_the_audio_is_that_of_the_utterance(tmp_path: Path) -> None:
    rows = corpus(tmp_path, ["one two three"])
    write(tmp_path, {"dev": rows}, {"dev": heard(rows, ["one too three four"])})
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "one <del>two</del> three" in page and "one <ins>too</ins> three <ins>four</ins>" in page
    data = page.split("data:audio/flac;base64,")[1].split('"')[0]
    samples, rate = soundfile.read(io.BytesIO(base64.b64decode(data)))
    assert rate == RATE
    np.testing.assert_allclose(samples, soundfile.read(rows[0]["audio"])[0], atol=1e-3)


def test_nothing_recognized_anywhere_is_said(tmp_path: Path) -> None:
    rows = corpus(tmp_path, TEXTS)
    reader = write(tmp_path, {"dev": rows}, {"dev": heard(rows, [""] * 4)})
    text = words_of(reader)
    assert "every output is blank" in text and "(nothing)" in text and "100.00%" in text
    assert "Substitutions: none." in text and "Insertions: none." in text


def test_no_error_anywhere_is_said(tmp_path: Path) -> None:
    rows = corpus(tmp_path, TEXTS, speaker=["alone"] * 4)
    text = words_of(write(tmp_path, {"dev": rows}, {"dev": heard(rows, TEXTS)}))
    assert (
        "There are no errors." in text
        and "4 of 4 utterances (100%) have no error" in text
        and "1 speaker" in text
    )


def test_unreadable_utterances_are_named_and_not_drawn(tmp_path: Path) -> None:
    rows = corpus(tmp_path, TEXTS)
    gone = {"u0": "u0.wav: truncated <here>", "u1": "u1.wav: empty"}
    reader = write(tmp_path, {"dev": rows}, {"dev": heard(rows, ["", "", *TEXTS[2:]], unreadable=gone)})
    text = words_of(reader)
    assert "2 utterances of dev could not be read" in text and "truncated <here>" in text
    assert "2 of 2 utterances" in text and "Worst: u0" not in text
    everything = dict.fromkeys(rows["id"], "gone")
    text = words_of(write(tmp_path, {"dev": rows}, {"dev": heard(rows, [""] * 4, unreadable=everything)}))
    assert "in detail" not in text and "0 of 0 utterances" in text


def test_audio_that_has_gone_since_is_said_in_its_place(tmp_path: Path) -> None:
    rows = corpus(tmp_path, ["one"])
    Path(rows[0]["audio"]).unlink()
    reader = write(tmp_path, {"dev": rows}, {"dev": heard(rows, ["two"])})
    assert "0.wav" in words_of(reader) and not reader.all("audio")


@pytest.mark.filterwarnings("error")
def test_texts_of_any_script_are_shown_escaped_and_by_their_units(tmp_path: Path) -> None:
    texts = ["好棒棒", "你好世界", "<b>$a$&", "你 好"]
    rows = corpus(tmp_path, texts, speaker=["<i>"] * 4, id=[f"<u{n}>" for n in range(4)])
    reader = write(tmp_path, {"dev": rows}, {"dev": heard(rows, ["好棒", "你好四界", "<b>$a$&", "你好"])})
    text = words_of(reader)
    assert "世 四 1" in text and "␣ 1" in text and "棒 1" in text and "<u1>" in text
    assert not reader.all("b") and not reader.all("i")
    assert "Errors over characters" in text


def test_the_figure_that_selects_decides_the_unit(tmp_path: Path) -> None:
    rows = corpus(tmp_path, ["abc"])
    reader = write(tmp_path, {"dev": rows}, {"dev": heard(rows, ["abd"])}, select_by="cer")
    assert "1 error in 3 characters" in words_of(reader)


def test_long_recordings_and_large_splits_are_cut(tmp_path: Path) -> None:
    rows = corpus(tmp_path, ["a " * 1000], seconds=DRAWN_SECONDS + 5)
    reader = write(tmp_path, {"dev": rows}, {"dev": heard(rows, ["b"])})
    assert "The first 30 seconds" in words_of(reader)
    assert (tmp_path / "report.html").stat().st_size < 3_000_000
    count = 300
    many = heard(rows, ["x"], ids=[f"u{n}" for n in range(count)], speakers=[f"s{n}" for n in range(count)])
    many = replace(many, durations=[1.0] * count, hypotheses=[f"x{n}" for n in range(count)])
    many = replace(many, references=[f"y{n}" for n in range(count)], confidences=[[0.5]] * count)
    many = replace(many, unreadable={f"v{n}": "gone" for n in range(99)})
    text = words_of(write(tmp_path, {}, {"dev": many}))
    assert f"the {error_tables.MOST_SPEAKERS} worst of {count}" in text
    assert f"300 different, the {error_tables.MOST_CONFUSIONS} most frequent" in text
    assert f"The {error_tables.MOST_UTTERANCES} with the highest" in text
    assert f"the first {MOST_UNREADABLE}" in text and "v60" not in text


def test_what_the_diagnostics_would_say_is_said_without_repeating_it_in_the_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rows = corpus(tmp_path, ["one"])
    stuck = [
        {"epoch": n, "train_loss": 2.9, "dev_loss": 2.9, "dev_error": 1.0, "dev_answered": 0.0}
        for n in range(7)
    ]
    (tmp_path / "history.json").write_text(json.dumps(stuck))
    assert "all blank" in words_of(write(tmp_path, {"dev": rows}, {"dev": heard(rows, [""])}))
    assert not caplog.records


def test_no_evaluation_at_all_is_still_a_page(tmp_path: Path) -> None:
    rows = corpus(tmp_path, ["one"])
    assert "Learning curves" in words_of(write(tmp_path, {"train": rows}, {}))
    empty = heard(rows.select([]), [])
    assert "0 / 0" in words_of(write(tmp_path, {"dev": rows.select([0])}, {"dev": empty}))


def test_confidences_of_words_are_shown_with_their_calibration_error(tmp_path: Path) -> None:
    rows = corpus(tmp_path, TEXTS)
    evaluation = heard(rows, ["two eats", "one way", "to boston now", "from to"])
    reader = write(tmp_path, {"dev": rows}, {"dev": evaluation, "test": heard(rows, TEXTS)})
    text = words_of(reader)
    # Of dev 7 of 9 words are right, of test all 10; all have a confidence of 0.9.
    assert (
        "Expected calibration error: dev 0.122, test 0.100. Geometric means of posteriors, not calibrated."
        in text
    )
    assert "not calibrated: each is the geometric mean" in text
    assert "Found words of dev by confidence mean confidence right words 90.0% 77.8% 9" in text
    labels = [tag.get("aria-label") or "" for tag in reader.all("div")]
    assert any("dev: 9 of confidence 0.90 are right in 78%." in label for label in labels)
    assert any("Share of wrong words by coverage. dev: 22.2% of the surer half" in label for label in labels)


def test_without_a_recognized_word_there_is_no_confidence_to_judge(tmp_path: Path) -> None:
    rows = corpus(tmp_path, ["one"])
    assert "No word was recognized" in words_of(write(tmp_path, {"dev": rows}, {"dev": heard(rows, [""])}))


def test_an_evaluation_has_a_confidence_for_every_recognized_word(tmp_path: Path) -> None:
    rows = corpus(tmp_path, TEXTS)
    (tmp_path / "1.wav").unlink()
    found = evaluate(recognizer(TEXTS), rows, quiet=True)
    assert found.confidences is not None and found.confidences[1] == [] and set(found.unreadable) == {"u1"}
    assert [len(each) for each in found.confidences] == [len(text.split()) for text in found.hypotheses]
    sure, right = found.certainty
    assert sure and len(sure) == len(right) and all(0 < each <= 1 for each in sure)
    assert evaluate(recognizer(TEXTS), rows.select([0]), quiet=True).hypotheses == found.hypotheses[:1]
