"""Recipes that come with the package: listed, shown, found by name from any folder."""

import json
from pathlib import Path

import pytest

from asr.config import RecognizerConfig
from slot_filling.config import TaggerConfig
from sluice.cli import main
from sluice.domain.settings import DomainConfig
from sluice.recipes import RecipeError, find_recipe, list_recipes

READERS = {"recognizer": RecognizerConfig, "tagger": TaggerConfig, "domain": DomainConfig}


def test_every_recipe_says_what_it_trains_on_and_what_data_it_needs() -> None:
    recipes = list_recipes()
    assert {recipe.name for recipe in recipes} >= {"ctc/travel", "ctc/an4", "slots/travel", "slots/atis"}
    for recipe in recipes:
        assert recipe.description and recipe.data, recipe.name
        reader = READERS[recipe.trains]
        assert reader.read(recipe.path).name.startswith(recipe.name.partition("/")[0])


def test_the_list_for_people_and_for_programs(capsys) -> None:
    assert main(["recipes"]) == 0
    table = capsys.readouterr().out
    assert main(["recipes", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert [each["name"] for each in listed] == [recipe.name for recipe in list_recipes()]
    for each in listed:
        assert each["name"] in table and Path(each["path"]).is_file()


def test_a_recipe_is_shown_to_be_copied(tmp_path: Path, capsys, monkeypatch) -> None:
    assert main(["recipes", "--show", "ctc/travel"]) == 0
    mine = tmp_path / "mine.yaml"
    mine.write_text(capsys.readouterr().out)
    assert RecognizerConfig.read(mine) == RecognizerConfig.read(find_recipe("ctc/travel"))
    assert find_recipe(mine) == mine
    monkeypatch.chdir(tmp_path)
    assert find_recipe("mine.yaml") == Path("mine.yaml")
    assert find_recipe("ctc/travel").is_absolute()


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("ctc/travle", "did you mean ctc/travel?"),
        ("travel", "did you mean ctc/travel or slots/travel?"),
        ("recipes/ctc/travel.yaml", "did you mean ctc/travel?"),
        ("slots/atiss", "slots/atis"),
    ],
)
def test_an_unknown_name_lists_those_near_it(name: str, near: str, capsys) -> None:
    with pytest.raises(RecipeError, match="cannot read the recipe") as caught:
        find_recipe(name)
    assert near in str(caught.value) and "sluice recipes" in str(caught.value)
    assert main(["train", name]) == 1
    assert near in capsys.readouterr().err


def test_a_name_like_none_of_them_points_to_the_list() -> None:
    with pytest.raises(RecipeError, match="no recipe of this name; `sluice recipes` lists all"):
        find_recipe("qqqqqqqqqqq")


def test_training_without_its_extra_says_what_to_install(monkeypatch, capsys) -> None:
    monkeypatch.setattr("sluice.commands.extras.find_spec", lambda name: None if name == "jiwer" else name)
    assert main(["train", "ctc/travel"]) == 1
    error = capsys.readouterr().err
    assert "training needs the extra 'train' (pip install 'sluice-speech[train]')" in error
    assert error.rstrip().endswith("not installed: jiwer")
