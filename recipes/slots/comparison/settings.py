"""The settings of a comparison, into which `cells.yaml`, `heads.yaml` and `ablation.yaml` are read."""

from typing import Any, Literal

from pydantic import Field

from slot_filling.config import TaggerConfig
from sluice.recipes import find_recipe
from sluice_core.config import Settings

Changes = list[str]
"""Changes of a tagger's settings, written as for `--set`."""

Figure = Literal[
    "f1",
    "intent_accuracy",
    "whole_sentences",
    "calibration_error",
    "errors_in_surer_half",
    "f1_edits",
    "f1_sounds",
]


class ComparisonSettings(Settings):
    """A table of taggers: every row and column is trained once for every seed."""

    name: str = Field(min_length=1, pattern=r"^[\w.-]+$", description="the run's directory in runs/")
    title: str
    seeds: list[int] = Field([17, 18, 19], min_length=1)
    processes: int = Field(0, ge=0, description="trainings at the same time, one thread each; 0: one a core")
    rows: dict[str, Changes] = Field(min_length=1, description="what is compared, by name")
    columns: dict[str, Changes] = Field(
        {"": []}, min_length=1, description="under which circumstances, by name"
    )
    figures: list[Figure] = Field(
        ["f1"], min_length=1, description="of dev, for the table; the first is drawn"
    )
    recipe: str | None = Field(None, description="the slots recipe that all begin with, such as atis")
    tagger: dict[str, Any] = Field({}, description="what all have in common, over the recipe")

    @property
    def common(self) -> dict[str, Any]:
        """The settings that all taggers have in common."""
        tree: dict[str, Any] = {}
        if self.recipe:
            tree = TaggerConfig.read(find_recipe(f"slots/{self.recipe}")).model_dump(mode="json")
        for name, value in self.tagger.items():
            tree[name] = {**tree.get(name, {}), **value} if isinstance(value, dict) else value
        return tree

    def config(self, row: str, column: str, seed: int) -> TaggerConfig:
        """Return the settings of the tagger of a row, a column and a seed.

        Raises:
            ConfigError: the settings are wrong; the message names row, column and setting.
        """
        changes = [*self.rows[row], *self.columns[column], f"training.seed={seed}"]
        tree = {**self.common, "name": "training"}
        return TaggerConfig.check(tree, f"{row}, {column}" if column else row, changes)
