"""Options that several subcommands share."""

import argparse
import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

log = logging.getLogger("sluice")


def add_action(actions: Any, name: str, summary: str) -> argparse.ArgumentParser:
    """Add an action of a command, such as `train` of `sluice lm`, and return its parser.

    Args:
        actions: what `add_subparsers` returned.
        name: name of the action.
        summary: sentence that describes it, which begins with a capital and ends with a full stop.
    """
    return actions.add_parser(name, help=summary, description=summary)


def add_quiet(parser: argparse.ArgumentParser) -> None:
    """Add `--quiet`."""
    parser.add_argument("--quiet", action="store_true", help="show no progress; log warnings and errors only")


def add_json(parser: argparse.ArgumentParser) -> None:
    """Add `--json`."""
    parser.add_argument("--json", action="store_true", help="print JSON, for programs, instead of text")


def add_cache(parser: argparse.ArgumentParser) -> None:
    """Add `--cache`."""
    parser.add_argument(
        "--cache",
        type=Path,
        default=Path("cache"),
        metavar="DIR",
        help="where prepared corpora are kept (default: cache)",
    )


def add_model(parser: argparse.ArgumentParser) -> None:
    """Add the run directory to use, and the device and threads to use it with."""
    parser.add_argument("model", type=Path, metavar="RUN", help="run directory of a trained model")
    parser.add_argument("--device", default="cpu", help="cpu, cuda, cuda:1, … (default: cpu)")
    parser.add_argument(
        "--threads",
        type=whole_number(1),
        default=0,  # what `set_threads` takes for PyTorch's choice
        metavar="N",
        help="CPU threads (default: PyTorch's choice)",
    )


def add_tagger(parser: argparse.ArgumentParser) -> None:
    """Add `--tagger`."""
    parser.add_argument(
        "--tagger", type=Path, metavar="RUN", help="run directory of a tagger, if RUN is a recognizer's"
    )


def add_alternatives(parser: argparse.ArgumentParser, help: str) -> None:
    """Add `--alternatives N`, the number of further hypotheses to print."""
    parser.add_argument("--alternatives", type=whole_number(0), default=0, metavar="N", help=help)


def whole_number(least: int) -> Callable[[str], int]:
    """Return what converts an option's value to a whole number from `least`; argparse reports any other value.

    Example:
        >>> whole_number(0)("3")
        3
    """

    def convert(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"must be a whole number, not {text!r}") from None
        if number < least:
            raise argparse.ArgumentTypeError(f"must be at least {least}, not {number}")
        return number

    return convert


def add_renamed(parser: argparse.ArgumentParser, old: str, new: str, **options: Any) -> None:
    """Accept the old name of an option, which no help shows; `warn_of_renamed_options` names the new one.

    Args:
        parser: has the new option already.
        old: old name of the option, such as "--batch".
        new: its name now, such as "--batch-size".
        options: arguments of `add_argument`, such as `type`.
    """
    destination = new.removeprefix("--").replace("-", "_")
    parser.add_argument(
        old,
        action=_RenamedOption,
        new=new,
        dest=destination,
        default=argparse.SUPPRESS,
        help=argparse.SUPPRESS,
        **options,
    )


class _RenamedOption(argparse.Action):
    """Store the value under the new name, and remember that the old name was used."""

    def __init__(self, *arguments: Any, new: str, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.new = new

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: str | Sequence[Any] | None,
        option_string: str | None = None,
    ) -> None:
        setattr(namespace, self.dest, values)
        namespace.renamed = [*getattr(namespace, "renamed", []), (option_string, self.new)]


def warn_of_renamed_options(options: argparse.Namespace) -> None:
    """Log a warning for each old option name that was used."""
    for old, new in getattr(options, "renamed", []):
        log.warning(f"the option {old} is now called {new}; the old name still works")
