"""A run directory: where training writes a model, and where the model is opened for use.

Its `config.yaml` holds the settings and begins with the version of the directory's format:

- 0: no version is written. A tagger's `ensemble` is called `voices`.
- 1: `format: 1` stands at the top of `config.yaml`, and of the `understanding.yaml` of a joined directory.
"""

import logging
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Self, TypeVar

import yaml

from sluice_core.config import ConfigError, Override, Settings, read_tree
from sluice_core.files import CheckpointError

FORMAT = 1
"""The version of the format that is written; it and all versions before it can be read."""

CONFIG_FILE = "config.yaml"
WEIGHTS_FILE = "model.safetensors"
JOINED_FILE = "understanding.yaml"
"""What a directory has instead that joins a recognizer and a tagger; it names the run directory of either."""
HISTORY_FILE = "history.json"
"""The figures of each epoch of training."""
PRODUCTS_FILE = "products.json"
"""Which library computed which products of matrices in training (`sluice_cells.products`)."""
METRICS_FILE = "metrics.json"
"""What a run writes last: where it is, the run is finished."""


SPEECH = "speech"
"""The task of settings that name none: a recognizer's."""
MODELS = {SPEECH: "recognizer", "slots": "tagger"}
"""The kind of model of each task."""


class RunSettings(Settings):
    """Settings whose file carries the version of the run directory's format."""

    @classmethod
    def check(
        cls,
        tree: Mapping[str, Any],
        where: str,
        overrides: Iterable[Override] = (),
        remarks: int = logging.WARNING,
    ) -> Self:
        """Build the settings as `Settings.check` does.

        Raises:
            CheckpointError: a newer Sluice wrote them.
            ConfigError: a setting is wrong; names the setting.
        """
        version = tree.get("format", 0)
        if not isinstance(version, int) or version < 0:
            raise ConfigError(f"{where}: format: a whole number from 0 up, not {version!r}")
        if version > FORMAT:
            raise CheckpointError(
                f"{where}: written by a newer version of Sluice: its format is {version}, and this version reads "
                f"formats up to {FORMAT}. Update Sluice: pip install --upgrade sluice-speech"
            )
        others = {name: tree[name] for name in tree if name != "format"}
        return super().check(others, where, overrides, remarks)

    def to_yaml(self) -> str:
        """Return the format's version and the whole tree, defaults included, as YAML text."""
        return f"format: {FORMAT}\n{super().to_yaml()}"


SomeSettings = TypeVar("SomeSettings", bound=RunSettings)


def read_run_settings(
    directory: Path, settings: type[SomeSettings], overrides: Iterable[Override] = ()
) -> SomeSettings:
    """Read the settings of a run directory, then apply overrides.

    Raises:
        CheckpointError: there is no such directory, it is not a run directory, the run of another kind of model, what
            joins two models, or a newer Sluice wrote it.
        ConfigError: its settings are wrong; names the setting.
    """
    if not directory.is_dir():
        raise CheckpointError(f"{directory}: no such run directory; `sluice train` makes one")
    task = settings.model_fields["task"].default if "task" in settings.model_fields else SPEECH
    if (directory / JOINED_FILE).is_file():
        half = half_of(directory, MODELS[task])
        raise CheckpointError(
            f"{directory} joins a recognizer and a tagger; name the run of its {MODELS[task]} here: {half}"
        )
    if not (directory / CONFIG_FILE).is_file():
        raise CheckpointError(f"{directory}: no {CONFIG_FILE} in it, so it is not a run directory")
    tree = read_tree(directory / CONFIG_FILE)
    try:
        # A program wrote the old names in it, so that nobody has anything to mend.
        return settings.check(tree, str(directory / CONFIG_FILE), overrides, remarks=logging.DEBUG)
    except ConfigError as error:
        found = str(tree.get("task", SPEECH if "features" in tree else None))  # what is damaged may name none
        if found == task or found not in MODELS:
            raise
        raise CheckpointError(
            f"{directory} is the run of a {MODELS[found]}; name the run of a {MODELS[task]} here"
        ) from error


def half_of(directory: Path, model: str) -> Path:
    """Return the run directory of a "recognizer" or "tagger": the one given, or, where that joins two, its half.

    Raises:
        ConfigError: what joins the two cannot be read.
    """
    joined = directory / JOINED_FILE
    return directory / str(read_tree(joined).get(model, model)) if joined.is_file() else directory


def task_of(path: Path) -> str:
    """Return the `task` that a recipe or the settings of a run directory name: "speech" if they name none.

    Nothing is said of a file that cannot be read: whoever reads the whole of it says what is wrong.
    """
    file = path / CONFIG_FILE if path.is_dir() else path
    try:
        tree = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        return SPEECH
    return str(tree.get("task", SPEECH)) if isinstance(tree, dict) else SPEECH
