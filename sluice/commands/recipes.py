"""List the recipes that come with the package, or print one to copy and change."""

import argparse
import json
from dataclasses import asdict

from sluice.commands.options import add_json, add_quiet
from sluice.recipes import RecipeError, find_recipe, list_recipes


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command to a parser."""
    parser.add_argument(
        "--show",
        metavar="NAME",
        help="print this recipe's YAML: sluice recipes --show ctc/travel > mine.yaml",
    )
    add_json(parser)
    add_quiet(parser)


def run(options: argparse.Namespace) -> int:
    """Print the table of recipes, or the text of one."""
    from tabulate import tabulate

    if options.show:
        path = find_recipe(options.show)
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise RecipeError(f"{path}: cannot read the recipe: {error}") from error
        print(json.dumps({"name": options.show, "yaml": text}) if options.json else text, end="")
        return 0
    recipes = list_recipes()
    if options.json:
        print(json.dumps([asdict(recipe) | {"path": str(recipe.path)} for recipe in recipes], indent=1))
        return 0
    rows = [(recipe.name, recipe.trains, recipe.description, recipe.data) for recipe in recipes]
    print(
        tabulate(
            rows,
            ("recipe", "trains a", "on", "data"),
            tablefmt="simple",
            disable_numparse=True,
            maxcolwidths=[None, None, 56, 40],
        )
    )
    print("\nsluice train NAME trains one; sluice recipes --show NAME prints it")
    return 0
