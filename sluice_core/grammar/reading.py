"""Read a grammar from a file, whichever of the formats it has.

| the file has | format |
| --- | --- |
| `intents:` with templates | our own (`sluice_core.grammar.own_format`) |
| `context:` with `expressions:` | a context of Picovoice Rhino (`sluice_core.grammar.rhino`) |
| `home_assistant:` with a folder | sentences of Home Assistant (`sluice_core.grammar.home_assistant`) |
"""

from pathlib import Path

from sluice_core.grammar.draft import Draft
from sluice_core.grammar.grammar import Grammar
from sluice_core.grammar.home_assistant import read_home_assistant
from sluice_core.grammar.own_format import read_own_format
from sluice_core.grammar.rhino import read_rhino
from sluice_core.grammar.yaml_lines import Names, Place, read_yaml

BUILT_IN = {"travel": Path(__file__).with_name("travel.yaml")}
"""The grammars that have a name."""


def grammar_path(name_or_path: str | Path) -> Path:
    """Return the path of a grammar: of a built-in one by its name, else the path itself."""
    return BUILT_IN.get(str(name_or_path), Path(name_or_path))


def read_grammar(name_or_path: str | Path) -> Grammar:
    """Read a grammar.

    Args:
        name_or_path: a file in one of the formats, or "travel", the built-in grammar.

    Raises:
        GrammarError: the file cannot be read or something in it is wrong; says the file, the line and what to do.
    """
    return read_draft(grammar_path(name_or_path)).finish()


def read_draft(path: Path) -> Draft:
    """Read a grammar with all its faults, for whoever wants to list them.

    Raises:
        GrammarError: the file cannot be read, or is in none of the formats.
    """
    tree = read_yaml(path)
    draft = Draft(path)
    if isinstance(tree, Names) and "context" in tree:
        read_rhino(tree["context"], draft)
    elif isinstance(tree, Names) and "home_assistant" in tree:
        read_home_assistant(tree, draft)
    elif isinstance(tree, Names) and ("intents" in tree or "lists" in tree or "rules" in tree):
        read_own_format(tree, draft)
    else:
        raise Place(path, 1).error(
            "not a grammar: expected intents: with sentences, a Rhino context: with expressions:, or home_assistant: "
            "with a folder of sentences"
        )
    return draft
