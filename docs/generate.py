"""Write the reference pages that the code itself knows best: `python -m docs.generate`, first part of `make docs`.

The page of the command line comes from the parser, that of the settings from the pydantic models, that of the corpora
from the table of downloads. They are written beside the other pages of the reference, and are not in the repository.
"""

import argparse
import re
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from asr.config import RecognizerConfig
from asr.decoding.config import DecodingConfig
from asr.long_form.segmentation import SegmentationSettings
from asr.training.adaptation import AdaptationSettings
from slot_filling.config import TaggerConfig
from sluice.cli import make_parser
from sluice.domain.settings import DomainConfig
from sluice.downloads.table import CORPORA
from sluice.rejection import RejectionConfig
from sluice.understanding import UnderstandingConfig
from sluice_core.config import Settings

REFERENCE = Path(__file__).resolve().parent / "reference"
COMMAND_LINE = "command-line.md"
SETTINGS = "settings.md"
CORPORA_PAGE = "corpora.md"
SECTIONS: tuple[tuple[str, str, type[Settings]], ...] = (
    ("A recognizer's recipe", "ctc", RecognizerConfig),
    ("A tagger's recipe", "slots", TaggerConfig),
    ("A domain's recipe", "domain", DomainConfig),
    ("Adapting", "adapting", AdaptationSettings),
    ("decoding.yaml", "decoding", DecodingConfig),
    ("long_form.yaml", "long-form", SegmentationSettings),
    ("understanding.yaml", "understanding", UnderstandingConfig),
    ("rejection.yaml", "rejection", RejectionConfig),
)
"""Title, beginning of anchors, and the model at the top of each tree."""


def main(folder: Path = REFERENCE) -> None:
    """Write all generated pages."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, page in pages().items():
        (folder / name).write_text(page, encoding="utf-8")


def pages() -> dict[str, str]:
    """Return the content of each generated page by its file name."""
    return {COMMAND_LINE: command_line_page(), SETTINGS: settings_page(), CORPORA_PAGE: corpora_page()}


def command_line_page() -> str:
    """Return the page of the command line: every subcommand with its usage and options."""
    lines = [
        "# Command line",
        "",
        "This page is generated from the program; `sluice COMMAND --help` shows the same. Answers go to stdout, "
        "messages and progress to stderr; `--json` gives the same facts for programs. The exit code is 0 on success, "
        "1 if something failed (stderr says what), 2 if the command line itself is wrong, and 130 if interrupted.",
    ]
    for parser, summary in _commands(make_parser()):
        lines += ["", f"## {parser.prog}" if parser.prog.count(" ") == 1 else f"### {parser.prog}", ""]
        lines += [_sentence(summary), "", "```text", _usage(parser), "```", ""]
        rows = [_option_row(action) for action in parser._actions if _is_shown(action)]
        if rows:
            lines += ["| option | what it does |", "| --- | --- |", *rows]
    return "\n".join(lines) + "\n"


def _commands(parser: argparse.ArgumentParser) -> Iterator[tuple[argparse.ArgumentParser, str]]:
    for action in parser._actions:
        if not isinstance(action, argparse._SubParsersAction):
            continue
        summaries = {choice.dest: choice.help or "" for choice in action._choices_actions}
        for name, child in action.choices.items():
            yield child, summaries.get(name, "")
            yield from _commands(child)


def _usage(parser: argparse.ArgumentParser) -> str:
    parser.formatter_class = lambda prog: argparse.HelpFormatter(prog, width=100)
    return parser.format_usage().removeprefix("usage: ").strip()


def _is_shown(action: argparse.Action) -> bool:
    hidden = action.help == argparse.SUPPRESS or isinstance(action, argparse._HelpAction)
    return not hidden and not isinstance(action, argparse._SubParsersAction)


def _option_row(action: argparse.Action) -> str:
    value = ""
    if action.nargs != 0:
        value = str(action.metavar or (action.choices and "{" + ",".join(action.choices) + "}") or "")
        value = value or action.dest.upper()
    name = ", ".join(action.option_strings) or str(action.metavar or action.dest)
    shown = f"{name} {value}".strip() if action.option_strings else name
    # What argparse would put in: %(default)s and the like.
    return f"| `{_cell(shown)}` | {_cell((action.help or '') % vars(action))} |"


def settings_page() -> str:
    """Return the page of settings: one table for each group, with types, defaults and what each says."""
    lines = [
        "# Settings",
        "",
        "This page is generated from the code that checks every recipe. A recipe is one YAML file; you can change any "
        "setting from the command line with `--set NAME=VALUE`, where the value is YAML: `--set model.layers=3`, "
        "`--set 'augment.speed=[0.9, 1.1]'`. Unknown names and values out of range are errors.",
    ]
    for title, anchor, model in SECTIONS:
        lines += ["", f"## {title}"]
        for path, group in _groups(model):
            lines += ["", f"### {path or 'Top level'} {{ #{_anchor(anchor, path)} }}", ""]
            lines += [_sentence(_first_paragraph(group)), ""]
            lines += ["| setting | type | default | what it does |", "| --- | --- | --- | --- |"]
            for name, field in group.model_fields.items():
                lines.append(_setting_row(anchor, f"{path}.{name}".lstrip("."), field))
    return "\n".join(lines) + "\n"


def corpora_page() -> str:
    """Return the page of corpora that can be downloaded."""
    lines = [
        "# Corpora to download",
        "",
        "This page is generated from the table of `sluice download`. The corpora belong to others: respect their "
        "licences.",
        "",
        "| `sluice download` | what it is | licence | checksum known | trains |",
        "| --- | --- | --- | --- | --- |",
    ]
    for name, corpus in CORPORA.items():
        what = f"[{_cell(corpus.description)}]({corpus.page})"
        known = "yes" if corpus.verified else "no"
        lines.append(f"| `{name}` | {what} | {_cell(corpus.licence)} | {known} | `{corpus.recipe}` |")
    return "\n".join(lines) + "\n"


def _groups(model: type[Settings], path: str = "") -> Iterator[tuple[str, type[Settings]]]:
    yield path, model
    for name, field in model.model_fields.items():
        nested = _nested(field.annotation)
        if nested:
            yield from _groups(nested, f"{path}.{name}".lstrip("."))


def _nested(annotation: Any) -> type[Settings] | None:
    found = [kind for kind in (annotation, *get_args(annotation)) if isinstance(kind, type)]
    return next((kind for kind in found if issubclass(kind, Settings)), None)


def _setting_row(anchor: str, name: str, field: FieldInfo) -> str:
    nested = _nested(field.annotation)
    kind = f"[{name}](#{_anchor(anchor, name)})" if nested else _cell(_kind(field.annotation))
    limits = ", ".join(filter(None, (_limit(each) for each in field.metadata)))
    says = " ".join(filter(None, (field.description or "", f"({limits})" if limits and not nested else "")))
    default = "" if nested else _default(field)
    return f"| `{name}` | {kind} | {default} | {_cell(says)} |"


def _default(field: FieldInfo) -> str:
    value = field.get_default(call_default_factory=True)
    if value is PydanticUndefined:
        return "required"
    if value is None:
        return "`null`"
    return f"`{_cell(str(list(value) if isinstance(value, tuple) else value))}`"


def _limit(constraint: Any) -> str:
    """Return a bound in words; what is no bound gives nothing."""
    signs = {"ge": "from", "gt": "above", "le": "to", "lt": "below"}
    found = {word: getattr(constraint, name, None) for name, word in signs.items()}
    return " ".join(f"{word} {bound:g}" for word, bound in found.items() if bound is not None)


def _kind(annotation: Any) -> str:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return " or ".join(f"`{each}`" for each in arguments)
    if origin in (Union, types.UnionType):
        return " or ".join("`null`" if each is type(None) else _kind(each) for each in arguments)
    names = {"str": "text", "float": "number", "int": "whole number", "bool": "true or false", "Path": "path"}
    names |= {"Any": "any"}
    if origin is dict:
        return f"names with {_plural(_kind(arguments[1]))}"
    if origin is list:
        return f"list of {_plural(_kind(arguments[0]))}"
    if origin is tuple and arguments[1:] == (...,):
        return f"list of {_plural(_kind(arguments[0]))}"
    if origin is tuple:
        return f"{len(arguments)} {_plural(_kind(arguments[0]))}"
    name = getattr(annotation, "__name__", str(annotation))
    return names.get(name, name)


def _plural(kind: str) -> str:
    return {"number": "numbers", "whole number": "whole numbers", "text": "texts", "any": "values"}.get(
        kind, kind
    )


def _anchor(beginning: str, path: str) -> str:
    return f"{beginning}-{path.replace('.', '-')}".rstrip("-").replace("_", "-")


def _first_paragraph(model: type[Settings]) -> str:
    return re.sub(r"\s+", " ", (model.__doc__ or "").strip().split("\n\n")[0])


def _sentence(text: str) -> str:
    text = text.strip()
    return text[:1].upper() + text[1:] + ("" if not text or text.endswith((".", "`")) else ".")


def _cell(text: str) -> str:
    return re.sub(r"\s+", " ", text).replace("|", "\\|").strip()


if __name__ == "__main__":
    main()
