"""YAML files as plain values that know their lines, so that a message can say where something is wrong.

Every scalar stays the text that it is in the file: in YAML 1.1 a plain `on`, `off`, `yes` or `no` would be a truth
value, and nobody who lists words means that.
"""

from pathlib import Path
from typing import Any, NamedTuple

import yaml

from sluice_core.grammar.expressions import GrammarError

MOST_NESTED = 30


class Text(str):
    """A text from a file, with its line."""

    line: int

    def __new__(cls, text: str, line: int) -> "Text":
        """Make a text that knows its line, which counts from 1."""
        made = super().__new__(cls, text)
        made.line = line
        return made


class Entries(list[Any]):
    """A list from a file, with the line where it begins."""

    line = 0


class Names(dict[Any, Any]):
    """Names and values from a file, with the line where they begin."""

    line = 0


class Place(NamedTuple):
    """A line of a file."""

    path: Path
    line: int = 0

    def __str__(self) -> str:
        return f"{self.path}, line {self.line}" if self.line else str(self.path)

    def error(self, message: str) -> GrammarError:
        """Return an error that begins with this place."""
        return GrammarError(f"{self}: {message}")


def line_of(value: Any) -> int:
    """Return the line of a value that was read; 0 if it knows none."""
    return getattr(value, "line", 0)


def read_yaml(path: Path) -> Any:
    """Read a YAML file as `Text`, `Entries` and `Names`; an empty value is None.

    Raises:
        GrammarError: the file cannot be read, is empty or is not YAML, or a name occurs twice; says the line.
    """
    try:
        source = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise GrammarError(f"{path}: cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise Place(path, line).error("not UTF-8 text; save the file as UTF-8") from error
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # ten times as fast, where it is compiled
    try:
        node = yaml.compose(source, loader)
    except yaml.MarkedYAMLError as error:
        raise _explain(path, source, error) from error
    except yaml.YAMLError as error:
        raise GrammarError(f"{path}: not valid YAML: {error}") from error
    if node is None:
        raise GrammarError(
            f"{path}: the file is empty: write at least one intent with a sentence (intents: {{greet: [hello]}})"
        )
    return _value(path, node)


def _explain(path: Path, source: str, error: yaml.MarkedYAMLError) -> GrammarError:
    """Return the error of a file that is no YAML; tabs, the most usual reason, are named."""
    mark = error.problem_mark or error.context_mark
    line = mark.line if mark else 0
    lines = source.splitlines()
    for number in range(min(line, len(lines) - 1), max(line - 2, -1), -1):
        text = lines[number]
        if "\t" in text[: len(text) - len(text.lstrip())]:
            return Place(path, number + 1).error("a tab: YAML indents by spaces only; replace tabs by spaces")
    advice = "; put a text that begins with or holds such a sign in quotes"
    return Place(path, line + 1).error(f"not valid YAML: {error.problem or error.context}{advice}")


def _value(path: Path, node: yaml.Node, depth: int = 0) -> Any:
    line = node.start_mark.line + 1
    if depth > MOST_NESTED:  # also where an alias lies within what it stands for
        raise Place(path, line).error("lists and names are nested too deeply")
    if isinstance(node, yaml.ScalarNode):
        is_empty = node.tag == "tag:yaml.org,2002:null" and node.value in ("", "~", "null")
        return None if is_empty else Text(node.value, line)
    if isinstance(node, yaml.SequenceNode):
        entries = Entries(_value(path, each, depth + 1) for each in node.value)
        entries.line = line
        return entries
    names = Names()
    names.line = line
    for key_node, value_node in node.value:
        key = _value(path, key_node, depth + 1)
        if not isinstance(key, Text):
            raise Place(path, key_node.start_mark.line + 1).error("a name must be a text; put it in quotes")
        if key in names:
            first = next(each for each in names if each == key)
            raise Place(path, key.line).error(
                f"{str(key)!r} is here a second time (first in line {first.line}): join the two, or rename one"
            )
        names[key] = _value(path, value_node, depth + 1)
    return names
