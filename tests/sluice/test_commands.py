"""Commands that need no trained model, and how errors are told."""

import argparse
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import soundfile

from sluice.cli import COMMANDS, main, make_parser
from tests.tones import RATE, say, write_corpus

PLACES = ("data", "runs", "cache")


def test_manifest_check(tmp_path: Path, capsys) -> None:
    manifest = write_corpus(tmp_path / "data", 8)
    assert main(["manifest", "check", str(manifest), "--quiet"]) == 0
    assert "speakers" in capsys.readouterr().out
    with manifest.open("a") as file:
        file.write("nowhere.wav,abc,speaker-1\n")
    assert main(["manifest", "check", str(manifest), "--quiet", "--json"]) == 1
    (error,) = json.loads(capsys.readouterr().out)["errors"]
    assert "line 10" in error["where"] and "nowhere.wav" in error["reason"]


def test_features_prints_figures_and_draws(tmp_path: Path, capsys) -> None:
    soundfile.write(tmp_path / "a.wav", say("abc"), RATE)
    plot = tmp_path / "a.png"
    arguments = ["features", str(tmp_path / "a.wav"), "--plot", str(plot), "--set", "mels=40", "--json"]
    assert main(arguments) == 0
    facts = json.loads(capsys.readouterr().out)
    assert (facts["size"], facts["sample_rate"]) == (40, 16000)
    assert facts["frames"] == 1 + round(facts["seconds"] * 100)
    assert plot.read_bytes().startswith(b"\x89PNG")


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="names of files are Unicode there")
def test_names_that_are_not_utf8_are_printed_with_escapes(tmp_path: Path, capsys) -> None:
    named = tmp_path / os.fsdecode(b"caf\xe9.wav")
    soundfile.write(tmp_path / "a.wav", say("abc"), RATE)
    (tmp_path / "a.wav").rename(named)
    assert main(["features", str(named)]) == 0
    assert r"caf\udce9.wav" in capsys.readouterr().out
    assert main(["features", str(named.with_suffix(".mp3"))]) == 1
    assert r"caf\udce9.mp3: cannot read" in capsys.readouterr().err


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="names of files are Unicode there")
@pytest.mark.parametrize("place", PLACES)
def test_training_in_a_folder_whose_name_is_not_utf8_says_so(place: str, tmp_path: Path, capsys) -> None:
    places = {each: tmp_path / (os.fsdecode(b"caf\xe9") if each == place else each) for each in PLACES}
    write_corpus(tmp_path / "made", 12).parent.rename(places["data"])
    places["data"] /= "manifest.csv"
    options = [text for each in PLACES for text in (f"--{each}", str(places[each]))]
    assert main(["train", "ctc/manifest", *options, "--quiet"]) == 1
    error = capsys.readouterr().err
    assert error.startswith(f"sluice: {tmp_path}/caf\\udce9") and "the path is not UTF-8" in error


def test_names_and_folders_need_no_quotes_of_yaml(tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    for folder in ("2024", "a #b", "c: d", "null"):
        assert main(["train", "ctc/an4", "--data", folder, "--name", "17"]) == 1
        assert f"sluice: {folder}: not the an4 corpus" in capsys.readouterr().err


def test_output_may_go_to_any_stream(tmp_path: Path, monkeypatch) -> None:
    soundfile.write(tmp_path / "a.wav", say("abc"), RATE)
    monkeypatch.setattr(sys, "stdout", io.StringIO())  # it has no encoding, and nothing to set
    assert main(["features", str(tmp_path / "a.wav")]) == 0
    assert "a.wav" in sys.stdout.getvalue()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["transcribe", "nowhere", "x.wav"], "nowhere: no such run directory"),
        (["transcribe", ".", "x.wav"], "not a run directory"),
        (["features", "nowhere.wav"], "nowhere.wav"),
        (["features", "README.md"], "README.md"),
        (["train", "nowhere.yaml"], "nowhere.yaml: cannot read"),
        (
            ["train", "ctc/an4", "--set", "model.layer=3"],
            "model.layer: there is no setting of this name; did you mean model.layers?",
        ),
        (["train", "ctc/an4", "--data", "recipes"], "recipes"),
        (["train", "ctc/manifest"], "manifest file"),
        (["manifest", "check", "nowhere.csv"], "nowhere.csv"),
        (["manifest", "check", "pyproject.toml"], "pyproject.toml"),
    ],
)
def test_errors_are_one_message_without_a_traceback(arguments, said, tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(Path(__file__).resolve().parents[2])
    if arguments[0] == "train":
        arguments = [*arguments, "--runs", str(tmp_path), "--cache", str(tmp_path)]
    assert main(arguments) == 1
    err = capsys.readouterr().err
    assert said in err and err.startswith("sluice: ") and "Traceback" not in err


def test_a_manifest_without_its_column_names_it(tmp_path: Path, capsys) -> None:
    (tmp_path / "m.csv").write_text("audio,words\na.wav,abc\n")
    arguments = ["train", "ctc/manifest", "--data", str(tmp_path / "m.csv")]
    assert main([*arguments, "--runs", str(tmp_path), "--cache", str(tmp_path / "cache")]) == 1
    err = capsys.readouterr().err
    assert "line 1: no column text; the columns are audio, words" in err


def test_usage_errors_and_help(capsys) -> None:
    below = [[command, "run", "x", "--alternatives", "-1"] for command in ("tag", "transcribe", "understand")]
    wrong = [(arguments, 2) for arguments in (["nonsense"], [], *below)]
    for arguments, code in ((["--help"], 0), (["transcribe", "--help"], 0), *wrong):
        with pytest.raises(SystemExit) as stop:
            main(arguments)
        assert stop.value.code == code
    assert "transcribe" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["transcribe", "run", "x", "--threads", "-3"], "argument --threads: must be at least 1, not -3"),
        (["tag", "run", "x", "--threads", "0"], "argument --threads: must be at least 1, not 0"),
        (["transcribe", "run", "x", "--batch-size", "0"], "argument --batch-size: must be at least 1, not 0"),
        (
            ["understand", "run", "x", "--batch-size", "-1"],
            "argument --batch-size: must be at least 1, not -1",
        ),
        (["tune", "run", "--beam", "0"], "argument --beam: must be at least 1, not 0"),
        (["lm", "train", "x.txt", "--order", "0"], "argument --order: must be at least 1, not 0"),
        (
            ["transcribe", "run", "x", "--threads", "two"],
            "argument --threads: must be a whole number, not 'two'",
        ),
        (["tag", "run", "x", "--alternatives", "-1"], "argument --alternatives: must be at least 0, not -1"),
    ],
)
def test_numbers_too_small_for_an_option_are_refused(arguments, said, capsys) -> None:
    with pytest.raises(SystemExit):
        main(arguments)
    assert said in capsys.readouterr().err


def test_the_parser_is_complete_and_brings_nothing_slow() -> None:
    code = (
        "import sys\nfrom sluice.cli import make_parser\nmake_parser().format_help()\n"
        "sys.exit(', '.join({'torch', 'numpy', 'datasets', 'matplotlib'} & set(sys.modules)) or 0)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
    (commands,) = [
        action.choices for action in make_parser()._actions if isinstance(action, argparse._SubParsersAction)
    ]
    assert set(commands) == set(COMMANDS)
    assert all(parser.format_help() for parser in commands.values())


def test_old_names_of_options_are_accepted_with_a_remark(capsys) -> None:
    arguments = ["serve", "nowhere", "--port", "0", "--batch", "8", "--queue", "9"]
    options = make_parser().parse_args(arguments)
    assert (options.batch_size, options.queue_size) == (8, 9)
    assert main(arguments) == 1
    err = capsys.readouterr().err
    assert "--batch is now called --batch-size" in err and "--queue is now called --queue-size" in err
    with pytest.raises(SystemExit):
        main(["serve", "--help"])
    assert "--batch " not in capsys.readouterr().out
