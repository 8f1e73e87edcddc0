"""Settings: typed, with errors that name the setting."""

from pathlib import Path

import pytest

from asr.config import RecognizerConfig
from training.config import ConfigError

RECIPES = Path(__file__).resolve().parents[2] / "recipes"


def write(tmp_path: Path, text: str) -> Path:
    (tmp_path / "recipe.yaml").write_text(text)
    return tmp_path / "recipe.yaml"


@pytest.mark.parametrize("recipe", sorted((RECIPES / "ctc").glob("*.yaml")), ids=lambda path: path.stem)
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
        ("name: a\ncorpus: {kind: an4}\n", ["name.x=1"], "name is a value"),
        ("name: ../a\ncorpus: {kind: an4}\n", [], "name: "),
        ("a: [", [], "not valid YAML"),
        ("- a", [], "expected names and values"),
    ],
)
def test_errors_name_the_setting(tmp_path: Path, text: str, overrides: list[str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        RecognizerConfig.read(write(tmp_path, text), overrides)


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nowhere\.yaml: cannot read"):
        RecognizerConfig.read(tmp_path / "nowhere.yaml")
