"""What holds for the run directories of recognizers and of taggers alike."""

import math
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from safetensors.torch import load_file, save_file

from asr import Transcriber
from slot_filling import Tagger
from sluice.understanding import Understander
from sluice_core.config import ConfigError
from sluice_core.files import CheckpointError
from sluice_core.run_directory import FORMAT, RunSettings, task_of

OLD_RUNS = Path(__file__).parent / "fixtures" / "old_runs"
Load = Callable[[Path], Transcriber | Tagger]
BOTH = pytest.mark.parametrize(
    ("name", "load"),
    [("recognizer", Transcriber.load), ("tagger", Tagger.load)],
    ids=["recognizer", "tagger"],
)


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """Return a folder with copies of the old runs "recognizer-v0", "tagger-v0" and "understanding-v0"."""
    shutil.copytree(OLD_RUNS, tmp_path / "runs")
    return tmp_path / "runs"


def replace_line(file: Path, start: str, line: str) -> None:
    """Replace the line that begins with `start`, which there must be."""
    lines = file.read_text(encoding="utf-8").splitlines()
    assert any(each.startswith(start) for each in lines)
    file.write_text("\n".join(line if each.startswith(start) else each for each in lines), encoding="utf-8")


@BOTH
def test_saved_runs_have_the_format_of_today(runs: Path, name: str, load: Load) -> None:
    load(runs / f"{name}-v0").save(runs / "new")
    config = runs / "new" / "config.yaml"
    assert config.read_text(encoding="utf-8").startswith(f"format: {FORMAT}\n")
    assert load(runs / "new").config == load(runs / f"{name}-v0").config


@BOTH
def test_a_run_of_a_newer_format_is_refused(runs: Path, name: str, load: Load) -> None:
    load(runs / f"{name}-v0").save(runs / "new")
    replace_line(runs / "new" / "config.yaml", "format:", f"format: {FORMAT + 1}\nunheard_of: 1")
    with pytest.raises(
        CheckpointError, match=rf"its format is {FORMAT + 1}, .* up to {FORMAT}\. Update Sluice"
    ):
        load(runs / "new")


def test_a_joined_run_of_a_newer_format_is_refused(runs: Path) -> None:
    Understander.load(runs / "understanding-v0").save(runs / "new")
    Understander.load(runs / "new")
    replace_line(runs / "new" / "understanding.yaml", "format:", "format: 99")
    with pytest.raises(CheckpointError, match=r"understanding\.yaml: .* its format is 99"):
        Understander.load(runs / "new")


@pytest.mark.parametrize("version", ["one", -1, 1.5, None])
def test_a_format_that_is_no_version_is_named(version: object) -> None:
    with pytest.raises(ConfigError, match=r"config\.yaml: format: a whole number"):
        RunSettings.check({"format": version}, "config.yaml")


@BOTH
def test_weights_that_are_not_finite_are_refused_by_name(runs: Path, name: str, load: Load) -> None:
    file = runs / f"{name}-v0" / "model.safetensors"
    weights = load_file(file)
    for number, tensor in enumerate(sorted(weights)[:2]):
        broken = {**weights, tensor: weights[tensor].clone()}
        broken[tensor].view(-1)[-1] = (math.nan, math.inf)[number]
        save_file(broken, file)
        with pytest.raises(
            CheckpointError, match=rf"model\.safetensors is damaged: the tensor {tensor} holds"
        ):
            load(file.parent)


@BOTH
def test_weights_of_another_run_are_refused(runs: Path, name: str, load: Load) -> None:
    other = {"recognizer": "tagger", "tagger": "recognizer"}[name]
    shutil.copy(runs / f"{other}-v0" / "model.safetensors", runs / f"{name}-v0")
    with pytest.raises(
        CheckpointError, match=r"model\.safetensors does not fit config\.yaml and .*different runs"
    ):
        load(runs / f"{name}-v0")


@BOTH
def test_of_a_directory_that_joins_two_models_the_half_to_name_is_told(
    runs: Path, name: str, load: Load
) -> None:
    joined = runs / "new"
    half = joined / name
    Understander.load(runs / "understanding-v0").save(joined)
    with pytest.raises(CheckpointError) as refused:
        load(joined)
    assert str(refused.value) == (
        f"{joined} joins a recognizer and a tagger; name the run of its {name} here: {half}"
    )
    load(half)


@BOTH
def test_a_run_of_the_other_kind_is_told_as_such(runs: Path, name: str, load: Load) -> None:
    other = {"recognizer": "tagger", "tagger": "recognizer"}[name]
    with pytest.raises(
        CheckpointError, match=rf"{other}-v0 is the run of a {other}; name the run of a {name} here"
    ):
        load(runs / f"{other}-v0")
    with (runs / f"{name}-v0" / "config.yaml").open("a", encoding="utf-8") as file:
        file.write("unheard_of: 1\n")
    with pytest.raises(ConfigError, match=r"unheard_of"):
        load(runs / f"{name}-v0")


@BOTH
def test_what_is_no_run_directory(tmp_path: Path, name: str, load: Load) -> None:
    with pytest.raises(CheckpointError, match="no such run directory; `sluice train` makes one"):
        load(tmp_path / "nothing")
    with pytest.raises(CheckpointError, match=r"no config\.yaml in it, so it is not a run directory"):
        load(tmp_path)


def test_what_is_no_joined_directory(runs: Path, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"nothing: no such run directory"):
        Understander.load(tmp_path / "nothing")
    with pytest.raises(
        CheckpointError, match=r"recognizer-v0: has no understanding\.yaml; name .* with --tagger"
    ):
        Understander.load(runs / "recognizer-v0")


def test_the_task_of_a_run_or_recipe(runs: Path, tmp_path: Path) -> None:
    assert task_of(runs / "recognizer-v0") == "speech"
    assert task_of(runs / "tagger-v0") == task_of(runs / "tagger-v0" / "config.yaml") == "slots"
    assert task_of(tmp_path / "nothing") == "speech"
