"""The slot tagger's recipes: their settings hold, and what compares cells and heads does so fairly."""

import json
from pathlib import Path

import pytest
import torch

from recipes.slots.comparison.jordan import JordanTagger
from recipes.slots.comparison.report import picture, spread, table
from recipes.slots.comparison.run import HERE, main
from recipes.slots.comparison.settings import ComparisonSettings
from recipes.slots.comparison.training import by_cell, jobs_of
from slot_filling.config import TaggerConfig
from sluice.recipes import find_recipe
from sluice_core.config import ConfigError
from tests.conftest import ROOT
from tests.pages import check_self_contained
from tests.slot_filling.requests import SENTENCES, batch, settings, vocabulary

SLOTS = HERE.parent
RECIPES = ROOT / "sluice" / "recipes" / "slots"


@pytest.mark.parametrize("recipe", sorted(RECIPES.glob("*.yaml")), ids=lambda path: path.stem)
def test_each_recipe_is_of_the_corpus_it_is_named_after(recipe: Path) -> None:
    config = TaggerConfig.read(recipe)
    kind = "grammar" if recipe.stem == "domain" else recipe.stem
    assert config.name == f"slots-{recipe.stem}" and config.corpus.kind == kind


def comparison(what: str, *changes: str) -> ComparisonSettings:
    return ComparisonSettings.read(SLOTS / what / f"{what}.yaml", ["tagger.corpus.data=somewhere", *changes])


def test_all_cells_are_asked_the_same() -> None:
    compared = comparison("cells")
    planned = jobs_of(compared)
    assert len(planned) == len({each.file_name for each in planned}) == 10 * 2 * 3
    configs = [each.arguments["config"] for each in planned]
    assert {config.encoder.window for config in configs} == {1, 7}
    assert {config.encoder.hidden_size for config in configs} == {100}
    assert {config.training.seed for config in configs} == {17, 18, 19}
    cells = {"elman", "jordan", "lstm", "peephole_lstm", "gru", "clockwork", "scrn"}
    assert {config.encoder.cell for config in configs} == cells
    same = {"cell", "cell_options", "window", "bidirectional"}
    assert len({config.encoder.model_dump_json(exclude=same) for config in configs}) == 1
    assert len({config.training.model_dump_json(exclude={"seed"}) for config in configs}) == 1


def test_all_heads_have_the_same_encoder() -> None:
    configs = [each.arguments["config"] for each in jobs_of(comparison("heads"))]
    assert len({config.encoder.model_dump_json() for config in configs}) == 1
    assert len({config.head.kind for config in configs}) == 5 and len(configs) == 15


def test_a_wrong_setting_is_named_with_its_row() -> None:
    with pytest.raises(ConfigError, match=r"(?s)odd one.*encoder.cell"):
        jobs_of(comparison("heads", "rows={odd one: [encoder.cell=lstn]}"))


@pytest.mark.parametrize("output", ["softmax", "linear"])
def test_jordan_hears_its_own_answer_and_nothing_else(output: str) -> None:
    """The next word's scores follow from its vector and the scores of this one."""
    torch.manual_seed(0)
    config = settings("softmax", cell="jordan", cell_options={"output": output}, bidirectional=False)
    tagger = JordanTagger(config, vocabulary()).eval()
    words = batch(SENTENCES).words
    scores, intents = tagger(words)
    assert intents is None and scores.shape == (5, 10, len(vocabulary().tags))
    if output == "softmax":
        inside = torch.arange(10) < words.lengths[:, None]
        torch.testing.assert_close(scores[inside].exp().sum(1), torch.ones(int(inside.sum())))
    (layer,) = [module for name, module in tagger.encoder.stack.named_modules() if name == "layers.0.0"]
    vectors, longest = tagger.encoder.embed(words), 2
    heard = scores[longest, 4].exp() if output == "softmax" else scores[longest, 4]
    projected = layer.project(vectors[longest, 5])
    hidden = torch.tanh(projected + layer.feedback_weight @ heard + layer.bias)
    answer = layer.read_out(hidden[None])[0]
    torch.testing.assert_close(scores[longest, 5], answer.log() if output == "softmax" else answer)


def result(f1: float, curve: list[float]) -> dict[str, object]:
    return {"parameters": 1234, "seconds": 2.0, "f1": f1, "curve": curve, "sentences": 5, "gold": 7}


def test_the_table_has_means_and_deviations() -> None:
    compared = comparison("cells", "rows={one: [], two: []}", "seeds=[1, 2]")
    kept = {
        f"{row}-{column}-{seed}": result(0.9 + 0.01 * seed if row == "one" else 0.8, [0.5])
        for row in ("one", "two")
        for column in ("window-of-7", "no-window")
        for seed in (1, 2)
    }
    results = by_cell(kept, compared)
    made = table(results, compared)
    assert made.header == ["", "F1, window of 7", "F1, no window", "parameters", "seconds"]
    assert made.rows[0] == ["one", "91.50 ± 0.71", "91.50 ± 0.71", "1,234 / 1,234", "2 / 2"]
    assert made.rows[1][2] == "80.00 ± 0.00"
    assert "over 2 seeds" in made.caption and spread([0.5]) == "50.00"
    assert "one, no window: 91.50 ± 0.71" in picture(results, compared).alt


def test_the_ablation_changes_one_thing_of_the_recipe_at_a_time() -> None:
    compared = comparison("ablation")
    recipe, *others = [compared.config(row, "", 17) for row in compared.rows]
    assert recipe.model_copy(update={"name": "slots-atis"}) == TaggerConfig.read(
        find_recipe("slots/atis"), ["corpus.data=somewhere", "training.seed=17"]
    )
    assert [len(changed(recipe.model_dump(), other.model_dump())) for other in others] == [1, 2, 1, 1, 2]


def changed(one: dict[str, object], other: dict[str, object]) -> list[str]:
    """The settings that differ."""
    names = []
    for name, value in one.items():
        if isinstance(value, dict):
            names += changed(value, other[name])
        elif value != other[name]:
            names.append(name)
    return names


@pytest.mark.slow
def test_a_tiny_comparison_prints_its_table_and_leaves_a_report(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = "rows={elman: [encoder.cell=elman], jordan: [encoder.cell=jordan, 'encoder.cell_options={output: softmax}']}"
    arguments = [
        "cells",
        "--quick",
        "--quiet",
        "--runs",
        str(tmp_path),
        "--set",
        rows,
        "--set",
        "processes=1",
    ]
    for setting in ("tagger.encoder.engine=reference", "tagger.encoder.hidden_size=8"):
        arguments += ["--set", setting]
    assert main(arguments) == 0
    printed = capsys.readouterr().out
    assert "| elman" in printed and "F1, window of 7" in printed
    folder = tmp_path / "slots-quick"
    check_self_contained((folder / "report.html").read_text(encoding="utf-8"))
    kept = {file.name: file.stat().st_mtime_ns for file in (folder / "results").iterdir()}
    assert len(kept) == 4 and len(json.loads((folder / "results.json").read_text())["results"]) == 4
    assert main(arguments) == 0
    assert {file.name: file.stat().st_mtime_ns for file in (folder / "results").iterdir()} == kept
    assert capsys.readouterr().out.splitlines()[:5] == printed.splitlines()[:5]


def test_without_its_corpus_the_comparison_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["heads", "--runs", str(tmp_path), "--quiet", "--set", "processes=1"]) == 1
    assert "corpus.data" in capsys.readouterr().err
