"""Settings: typed, with errors that name the setting."""

import logging
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

import pytest

from asr.config import RecognizerConfig
from sluice_core.config import ConfigError, Settings
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
        (
            "name: a\ncorpus: {kind: an4}\nmodle: {}\n",
            [],
            "modle: there is no setting of this name; did you mean model?",
        ),
        ("name: a\ncorpus: {kind: an4}\nmodel: {hiden_size: 3}\n", [], "did you mean model.hidden_size?"),
        ("name: a\ncorpus: {kind: an4}\n", ["hidden_size=3"], "did you mean model.hidden_size?"),
        ("name: a\ncorpus: {kind: an4}\n", ["model.clip_nrm=3"], "model.clip_nrm: .*; check its spelling"),
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


class Inner(Settings):
    renamed: ClassVar[Mapping[str, str]] = {"width": "size"}
    size: int = 1


class Outer(Settings):
    renamed: ClassVar[Mapping[str, str]] = {"core": "inner"}
    inner: Inner = Inner()
    other: Inner | None = None


def test_old_names_of_settings_are_read_with_a_remark(caplog: pytest.LogCaptureFixture) -> None:
    tree = {"core": {"width": 3}, "other": {"width": 4}}
    with caplog.at_level(logging.WARNING, "sluice"):
        config = Outer.check(tree, "x.yaml")
    assert config == Outer(inner=Inner(size=3), other=Inner(size=4))
    assert tree == {"core": {"width": 3}, "other": {"width": 4}}
    assert caplog.messages == [
        "x.yaml: core is called inner now; the old name is still read",
        "x.yaml: inner.width is called inner.size now; the old name is still read",
        "x.yaml: other.width is called other.size now; the old name is still read",
    ]


@pytest.mark.parametrize("given", ["core: {width: 3}", "inner: {size: 3}"])
@pytest.mark.parametrize("override", ["core.width=5", "inner.size=5"])
def test_overrides_by_old_or_new_names_win(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, given: str, override: str
) -> None:
    with caplog.at_level(logging.WARNING, "sluice"):
        assert Outer.read(write(tmp_path, given), [override]).inner.size == 5
    told = (
        "the setting core.width is called inner.size now; the old name is still understood" in caplog.messages
    )
    assert told == override.startswith("core")


def test_an_override_of_a_whole_group_may_hold_old_names(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "sluice"):
        assert Outer.check({"inner": {"size": 1}}, "x.yaml", ["core={width: 5}"]).inner.size == 5
    assert caplog.messages == [
        "the setting core is called inner now; the old name is still understood",
        "x.yaml: inner.width is called inner.size now; the old name is still read",
    ]


def test_an_old_name_beside_the_new_one_is_an_error() -> None:
    with pytest.raises(ConfigError, match=r"x\.yaml: inner\.width is the old name of inner\.size, and both"):
        Outer.check({"inner": {"width": 3, "size": 4}}, "x.yaml")


def test_overrides_leave_the_tree_as_it_was() -> None:
    tree = {
        "name": "a",
        "corpus": {"kind": "an4"},
        "model": {"cell": "clockwork", "cell_options": {"periods": [1, 2]}},
    }
    config = RecognizerConfig.check(tree, "x.yaml", ["model.cell_options.periods=[1, 3]", "corpus.kind=fsdd"])
    assert config.model.cell_options == {"periods": [1, 3]}
    assert tree["model"] == {"cell": "clockwork", "cell_options": {"periods": [1, 2]}}
    assert tree["corpus"] == {"kind": "an4"}
