"""README and docs say what is so: snippets run, commands parse, endpoints and recipes are there, pages are current."""

import argparse
import pkgutil
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from docs import generate
from sluice.cli import make_parser
from tests.conftest import ROOT
from tests.homes import furnish

GENERATED = {generate.COMMAND_LINE, generate.SETTINGS, generate.CORPORA_PAGE}
PAGES = sorted(
    path
    for path in [
        *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")),
        *ROOT.glob("docs/**/*.md"),
        *ROOT.glob("recipes/**/README.md"),
    ]
    if path.name not in GENERATED
)
FENCE = re.compile(r"^( *)```(\w*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
NOT_RUN = re.compile(r"<!-- not run: .+ -->\s*$")
README_LINES = 160


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def snippets() -> Iterator[tuple[str, int, str]]:
    """Page, line and code of each Python snippet that is to run."""
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for match in FENCE.finditer(text):
            if match[2] == "python" and not NOT_RUN.search(text[: match.start()]):
                yield name_of(page), text[: match.start()].count("\n") + 1, match[3]


def commands() -> Iterator[tuple[str, str, bool]]:
    """Page, each `sluice …` command of it, and whether it is whole, as in shell blocks, or named in running text."""
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for _, language, block in FENCE.findall(text):
            if language in ("sh", "console"):
                for line in block.replace("\\\n", " ").splitlines():
                    line = line.removeprefix("$ ").strip()
                    if line.startswith("sluice "):
                        yield name_of(page), line, True
        for inline in re.findall(r"`(sluice [^`]+)`", FENCE.sub("", text)):
            yield name_of(page), " ".join(inline.split()), False


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("home")
    furnish(home)
    return home


@pytest.mark.parametrize(
    ("page", "line", "code"), [pytest.param(*each, id=f"{each[0]}:{each[1]}") for each in snippets()]
)
def test_snippets_run(page: str, line: int, code: str, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from sluice_cells import CELLS

    monkeypatch.chdir(home)
    known = set(CELLS)
    try:
        exec(compile("\n" * line + code, page, "exec"), {"__name__": "snippet"})
    finally:
        for name in set(CELLS) - known:
            del CELLS[name]


@pytest.mark.parametrize("page", [name_of(page) for page in PAGES])
def test_commands_parse(page: str, capsys: pytest.CaptureFixture[str]) -> None:
    wrong = []
    for _, command, whole in (each for each in commands() if each[0] == page):
        _, *arguments = shlex.split(command.removesuffix(" &").removesuffix(" …"), comments=True)
        if ">" in arguments:  # the shell's, who writes the answer to a file
            arguments = arguments[: arguments.index(">")]
        if "COMMAND" in arguments:
            continue
        try:
            make_parser().parse_args(arguments)
        except SystemExit as end:
            error = capsys.readouterr().err
            if end.code and (whole or "are required" not in error):
                wrong.append(f"{command}\n{error}")
    assert not wrong, "\n".join(wrong)


def subcommands(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    (action,) = (each for each in parser._actions if isinstance(each, argparse._SubParsersAction))
    return action.choices


def test_named_recipes_are_there() -> None:
    from sluice.recipes import find_recipe

    named = {recipe for _, command, _ in commands() for recipe in re.findall(r"\b(?:ctc|slots)/\w+", command)}
    assert len(named) > 5
    for recipe in named:
        find_recipe(recipe)


def test_make_targets_are_there() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    for page in PAGES:
        for target in re.findall(r"`make ([a-z-]+)", page.read_text(encoding="utf-8")):
            assert target in targets, f"{name_of(page)}: there is no make {target}"


def test_modules_that_are_called_by_name_are_there() -> None:
    for page in PAGES:
        for module in re.findall(
            r"python -m ((?:benchmarks|recipes|docs)[\w.]*)", page.read_text(encoding="utf-8")
        ):
            path = ROOT / module.replace(".", "/")
            found = path.with_suffix(".py").is_file() or (path / "__main__.py").is_file()
            assert found, f"{name_of(page)}: there is no module {module} to run"


def test_python_names_of_the_reference_are_there() -> None:
    """The strict build checks the same; here a rename is seen where everybody looks."""
    names = [
        name
        for page in ROOT.glob("docs/reference/python/*.md")
        for name in re.findall(r"^::: ([\w.]+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    ]
    assert len(names) > 30
    for name in names:
        module, _, attribute = name.rpartition(".")
        pkgutil.resolve_name(f"{module}:{attribute}")


def test_readme_is_read_in_one_sitting() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= README_LINES


def test_links_outside_the_site_lead_somewhere() -> None:
    """Those inside docs/ are checked by the strict build."""
    for page in PAGES:
        if "docs" in page.relative_to(ROOT).parts:
            continue
        for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text(encoding="utf-8")):
            if "://" not in target and Path(target).name not in GENERATED:
                assert (page.parent / target).exists(), f"{name_of(page)}: {target} is not there"


def test_navigation_names_every_page() -> None:
    navigation = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    for path in ROOT.glob("docs/**/*.md"):
        assert str(path.relative_to(ROOT / "docs")) in navigation
    for name in GENERATED:
        assert f"reference/{name}" in navigation


def test_no_page_names_a_folder_outside_the_repository() -> None:
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        assert "../shared" not in text and "/home/" not in text, name_of(page)


def test_command_line_page_has_every_command_and_option() -> None:
    page = generate.command_line_page()
    for name, parser in subcommands(make_parser()).items():
        assert f"## sluice {name}\n" in page
        for action in parser._actions:
            if (
                action.help != argparse.SUPPRESS
                and action.option_strings
                and "--help" not in action.option_strings
            ):
                assert action.option_strings[-1] in page


def test_settings_page_has_every_setting() -> None:
    page = generate.settings_page()
    assert "| `model.cell` | text | `lstm` |" in page
    undescribed = [
        line
        for line in page.splitlines()
        if re.fullmatch(r"\| `.*\|\s*(\((from|above|to|below)[^|]*\))?\s*\|", line)
    ]
    assert not [line for line in undescribed if "](#" not in line], "settings without a description"
    assert "| `encoder.cell` |" in page and "| `word_bonus` |" in page
    assert "PydanticUndefined" not in page and "typing." not in page


def test_corpora_page_has_every_corpus() -> None:
    from sluice.downloads.table import CORPORA

    page = generate.corpora_page()
    assert all(f"| `{name}` |" in page and corpus.licence in page for name, corpus in CORPORA.items())


def test_http_page_has_every_endpoint() -> None:
    page = (ROOT / "docs" / "reference" / "http-api.md").read_text(encoding="utf-8")
    routes = (ROOT / "sluice" / "server" / "routes.py").read_text(encoding="utf-8")
    found = re.findall(r"@app\.(get|post)\(\s*\"([^\"]+)\"", routes)
    assert len(found) > 5
    for method, path in found:
        assert f"`{method.upper()} {path.replace(':path', '')}`" in page
