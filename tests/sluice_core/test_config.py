"""Settings: typed, with errors that name the setting."""

import subprocess
import sys
from pathlib import Path

import pytest

from asr.config import RecognizerConfig
from sluice_core.config import ConfigError
from tests.conftest import RECIPES, ROOT


def write(tmp_path: Path, text: str) -> Path:
    (tmp_path / "recipe.yaml").write_text(text)
    return tmp_path / "recipe.yaml"


@pytest.mark.parametrize("recipe", sorted(RECIPES.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_recipe_is_valid_and_survives_a_round_trip(recipe: Path, tmp_path: Path) -> None:
    config = RecognizerConfig.read(recipe)
    assert RecognizerConfig.read(write(tmp_path, config.to_yaml())) == config


def test_overrides(tmp_path: Path) -> None:
    path = write(tmp_path, "name: a\ncorpus: {kind: an4}\n")
    config = RecognizerConfig.read(path, ["model.layers=3", "augment.speed=[0.9, 1.1]", "corpus.data=x/y"])
    assert config.model.layers == 3
    assert config.augment.speed == (0.9, 1.1)
    assert config.corpus.data == Path("x/y")


@pytest.mark.parametrize(
    ("text", "overrides", "message"),
    [
        ("name: a\ncorpus: {kind: an4}\nmodle: {}\n", [], "modle: Extra"),
        ("name: a\ncorpus: {kind: an5}\n", [], r"corpus\.kind: .*'an4'"),
        ("corpus: {kind: an4}\n", [], "name: Field required"),
        ("name: a\ncorpus: {kind: an4}\n", ["model.layers=0"], "model.layers: .*greater"),
        ("name: a\ncorpus: {kind: an4}\n", ["model.layers"], "name=value"),
        (
            "name: a\ncorpus: {kind: an4}\n",
            ["model.cell=lstn"],
            "model.cell: unknown cell 'lstn'.*elman, .*gru",
        ),
        (
            "name: a\ncorpus: {kind: an4}\n",
            ["model.cell=clockwork", "model.cell_options.period=2"],
            "model.cell_options: the cell clockwork has no option 'period'; it takes periods",
        ),
        ("name: a\ncorpus: {kind: an4}\n", ["model.engine=warp"], "model.engine: .*'reference'"),
        ("name: a\ncorpus: {kind: an4}\n", ["training.clip_value=0"], "training.clip_value: .*greater"),
        ("name: a\ncorpus: {kind: an4}\n", ["name.x=1"], "name is a value"),
        ("name: ../a\ncorpus: {kind: an4}\n", [], "name: "),
        ("a: [", [], "not valid YAML"),
        ("- a", [], "expected names and values"),
    ],
)
def test_errors_name_the_setting(tmp_path: Path, text: str, overrides: list[str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        RecognizerConfig.read(write(tmp_path, text), overrides)


def test_options_of_the_cell_and_limits_of_the_gradient(tmp_path: Path) -> None:
    path = write(tmp_path, "name: a\ncorpus: {kind: an4}\nmodel: {cell: clockwork}\n")
    overrides = ["model.cell_options={periods: [1, 3]}", "training.clip_norm=null", "training.clip_value=1"]
    config = RecognizerConfig.read(path, overrides)
    assert config.model.cell_options == {"periods": [1, 3]}
    assert (config.training.clip_norm, config.training.clip_value) == (None, 1.0)
    assert RecognizerConfig.read(write(tmp_path, config.to_yaml())) == config


def test_a_module_of_settings_is_read_without_torch() -> None:
    command = "import sys, asr.config; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", command], cwd=ROOT).returncode == 0


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nowhere\.yaml: cannot read"):
        RecognizerConfig.read(tmp_path / "nowhere.yaml")
