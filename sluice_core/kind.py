"""Which task a recipe or run is of."""

from pathlib import Path

import yaml


def task_of(path: Path) -> str:
    """The `task` that a recipe, or the `config.yaml` of a run directory, names: "speech" where it names none.

    A file that cannot be read is left to those who read the whole of it and say what is wrong.
    """
    file = path / "config.yaml" if path.is_dir() else path
    try:
        tree = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        return "speech"
    return str(tree.get("task", "speech")) if isinstance(tree, dict) else "speech"
