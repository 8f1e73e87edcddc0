"""The values of lists: phrases with what they stand for, from the grammar's file, from other files, or from numbers."""

import csv
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from sluice_core.corpus_files import CorpusError, read_lines
from sluice_core.errors import UserError
from sluice_core.grammar.draft import Draft, Finding
from sluice_core.grammar.expressions import Alternative, GrammarError
from sluice_core.grammar.templates import parse_template, phrase, tokenize, with_value
from sluice_core.grammar.yaml_lines import Entries, Names, Place, Text, line_of
from sluice_core.normalization.number_words import number_words

MOST_NUMBERS = 20_000
RANGE_SETTINGS = ("from", "to", "step")
FILE_SETTINGS = ("file", "text", "value", "weight")


def texts(value: Any, draft: Draft) -> Iterator[Text]:
    """Yield the texts of a list, or the one text that stands in its place; others are noted as wrong."""
    for each in value if isinstance(value, Entries) else [value]:
        if isinstance(each, Text):
            yield each
        elif each is not None:
            draft.say(
                line_of(each),
                "expected a text here; put a text that has ': ' or begins with a bracket in quotes",
            )


def read_list(name: Text, value: Any, draft: Draft) -> None:
    """Read a list of a grammar into a draft: entries, names with their values, a range of numbers, or a file."""
    entries: list[Alternative | None] = []
    if isinstance(value, Names) and "from" in value:
        entries.extend(_numbers(name, value, draft))
    elif isinstance(value, Names) and "file" in value:
        entries.extend(_from_file(value, draft))
    else:
        for each in value if isinstance(value, Entries) else [value]:
            if isinstance(each, Text):
                entries.append(draft.read(each, _plain_entry))
            elif isinstance(each, Names) and {"text", "value"} <= each.keys():
                draft.say(
                    each.line,
                    f"list {name}: text and value name the columns of a list's file; a phrase with its value is "
                    f"written {each['text']}: {each['value']}",
                )
            elif isinstance(each, Names):
                entries.extend(_valued_entry(text, stands_for, draft) for text, stands_for in each.items())
            elif each is not None:
                draft.say(line_of(each), f"list {name}: expected a text, or a text with its value (large: L)")
    draft.add_rule(name, name.line, entries)


def _plain_entry(text: str) -> Alternative:
    """Read an entry that stands for itself as it is written; one with alternatives stands for the words said."""
    read = parse_template(text)
    if any(token.kind not in ("text", "weight") for token in tokenize(text)):
        return read
    written = " ".join(token.text for token in tokenize(text) if token.kind == "text")
    return Alternative(with_value(read.expression, written), read.weight)


def _valued_entry(text: Text, value: Any, draft: Draft) -> Alternative | None:
    if not isinstance(value, Text):
        draft.say(text.line, f"{text!r}: expected the value that it stands for, as one text")
        return None
    read = draft.read(text, parse_template)
    return read and Alternative(with_value(read.expression, str(value)), read.weight)


def _numbers(name: Text, settings: Names, draft: Draft) -> Iterator[Alternative]:
    """Yield the ways to say the numbers of a range; all numbers are equally likely."""
    for setting in settings:
        if setting not in RANGE_SETTINGS:
            draft.say(setting.line, f"a range has from, to and step, and no {str(setting)!r}")
    try:
        first, last, step = (Decimal(settings.get(each, "1")) for each in RANGE_SETTINGS)
    except (InvalidOperation, TypeError):
        draft.say(
            settings.line, f"list {name}: from, to and step must be numbers: {{from: 1, to: 60, step: 5}}"
        )
        return
    if "to" not in settings or step <= 0 or last < first or (last - first) / step >= MOST_NUMBERS:
        draft.say(
            settings.line,
            f"list {name}: from {first} to {settings.get('to')} by {step}: a range goes up by a positive step, to at "
            f"most {MOST_NUMBERS:,} numbers",
        )
        return
    try:
        for position in range(int((last - first) / step) + 1):
            number = first + position * step
            forms = number_words(float(number) if number % 1 else int(number), draft.language)
            yield from number_entries(forms, f"{number.normalize():f}")
    except UserError as error:
        draft.say(settings.line, f"list {name}: {error}")


def number_entries(forms: list[str], value: str) -> Iterator[Alternative]:
    """Yield the ways to say one number; together they weigh 1, the first as much as all others."""
    for position, form in enumerate(forms):
        weight = 1 if len(forms) == 1 else 0.5 if position == 0 else 0.5 / (len(forms) - 1)
        yield Alternative(with_value(phrase(form), value), weight)


def _from_file(settings: Names, draft: Draft) -> Iterator[Alternative]:
    """Yield the entries of a file: a CSV file's rows, or the lines of any other text."""
    for setting in settings:
        if setting not in FILE_SETTINGS:
            draft.say(setting.line, f"a list's file has {', '.join(FILE_SETTINGS)}, and no {str(setting)!r}")
    path = draft.path.parent / str(settings["file"])
    rows = _csv_rows(path, settings) if path.suffix.lower() in (".csv", ".tsv") else _text_lines(path)
    found = False
    try:
        for line, text, value, weight in rows:
            try:
                entry = with_value(phrase(text), value or text)
            except GrammarError as error:
                draft.findings.append(Finding(Place(path, line), str(error)))
                continue
            found = True
            yield Alternative(entry, weight)
    except (CorpusError, GrammarError) as error:
        draft.say(settings.line, str(error))
        return
    if not found:
        draft.say(settings.line, f"{path}: has no entries: write one a line")


Row = tuple[int, str, str, float]
"""Line, text, value and weight of an entry in a file."""


def _text_lines(path: Path) -> Iterator[Row]:
    for number, line in read_lines(path):
        if text := line.strip():
            yield number, text, "", 1


def _csv_rows(path: Path, settings: Names) -> Iterator[Row]:
    """Yield the rows of a CSV file, whose first line names its columns."""
    lines = [line for _, line in read_lines(path)]
    rows = csv.reader(lines, delimiter="\t" if path.suffix.lower() == ".tsv" else ",")
    names = next(rows, [])
    columns = [str(settings.get(each, each)) for each in ("text", "value", "weight")]
    if columns[0] not in names and len(names) == 1 and "text" not in settings:
        columns[0] = names[0]
    for column, setting in zip(columns, ("text", "value", "weight"), strict=True):
        if column not in names and (setting == "text" or setting in settings):
            raise GrammarError(
                f"{path}: no column {column!r}: its first line names {', '.join(names) or 'none'}; say which column "
                f"has the {setting} ({setting}: NAME)"
            )
    for row in rows:
        cells = dict(zip(names, row, strict=False))
        text, value, weight = (cells.get(column, "").strip() for column in columns)
        if not text:
            continue
        try:
            yield rows.line_num, text, value, _weight(weight)
        except ValueError:
            raise Place(path, rows.line_num).error(f"the weight {weight!r} is no positive number") from None


def _weight(text: str) -> float:
    weight = float(text or 1)
    if not 0 < weight < float("inf"):
        raise ValueError
    return int(weight) if weight.is_integer() else weight
