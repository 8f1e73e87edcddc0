"""The recipes that come with the package: `ctc/` trains recognizers, `slots/` taggers, `domain` both of a grammar."""

import difflib
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from sluice_core.errors import UserError

FOLDER = Path(str(files(__name__)))
KINDS = {"ctc": "recognizer", "slots": "tagger", "": "domain"}
"""What the recipes of each folder train."""
DATA_MARK = "Data: "
"""Begins the line of a recipe's head comment that says what data it needs."""


class RecipeError(UserError):
    """There is no such recipe; the message lists names like it."""


@dataclass(frozen=True)
class Recipe:
    """A recipe that comes with the package."""

    name: str
    """Its folder and file, such as `ctc/travel`."""
    trains: str
    """`recognizer`, `tagger` or `domain`."""
    description: str
    """The first lines of its head comment."""
    data: str
    """What data it needs."""

    @property
    def path(self) -> Path:
        """The YAML file."""
        return FOLDER / f"{self.name}.yaml"


def list_recipes() -> list[Recipe]:
    """Return every recipe that comes with the package, recognizers first, in order of their names.

    >>> [recipe.name for recipe in list_recipes() if recipe.trains == "recognizer"][:2]
    ['ctc/an4', 'ctc/domain']
    """
    return [_read(path) for folder in KINDS for path in sorted((FOLDER / folder).glob("*.yaml"))]


def find_recipe(name: str | Path) -> Path:
    """Return the file of a recipe: a path to any YAML file, or the name of one that comes with the package.

    >>> find_recipe("ctc/travel").name
    'travel.yaml'

    Raises:
        RecipeError: there is no such file and no such name; lists the names that are nearest.
    """
    path = Path(name)
    if path.exists():
        return path
    recipes = {recipe.name: recipe for recipe in list_recipes()}
    if str(name) in recipes:
        return recipes[str(name)].path
    near = _near(str(name), list(recipes))
    meant = f"did you mean {' or '.join(near)}? " if near else ""
    raise RecipeError(
        f"{name}: cannot read the recipe: there is no such file, and no recipe of this name; "
        f"{meant}`sluice recipes` lists all"
    )


def _near(name: str, names: list[str]) -> list[str]:
    """Return at most three names like this one; those whose file is called the same come first."""
    wanted = name.removesuffix(".yaml")
    same = [each for each in names if each.rpartition("/")[2] == wanted.rpartition("/")[2]]
    whole = [each for each in same if wanted.endswith(each)]
    return (whole or same or difflib.get_close_matches(wanted, names, n=3, cutoff=0.7))[:3]


def _read(path: Path) -> Recipe:
    """Read the head comment of a recipe: its description, then the line that begins with `Data: `."""
    description: list[str] = []
    data = ""
    for line in path.read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            break
        text = line.lstrip("# ").rstrip()
        if text.startswith(DATA_MARK):
            data = text.removeprefix(DATA_MARK)
            break
        description.append(text)
    name = path.relative_to(FOLDER).with_suffix("").as_posix()
    return Recipe(name, KINDS[name.rpartition("/")[0]], " ".join(description), data)
