"""Options that several subcommands share."""

import argparse
from pathlib import Path


def add_quiet(parser: argparse.ArgumentParser) -> None:
    """`--quiet`: no progress, no remarks; errors and results alone."""
    parser.add_argument("--quiet", action="store_true", help="no progress and no remarks")


def add_json(parser: argparse.ArgumentParser) -> None:
    """`--json`: the same facts for programs."""
    parser.add_argument("--json", action="store_true", help="print JSON instead of text")


def add_cache(parser: argparse.ArgumentParser) -> None:
    """`--cache`: where corpora keep what they prepared."""
    parser.add_argument("--cache", type=Path, default=Path("cache"), help="prepared corpora (default: cache)")


def add_model(parser: argparse.ArgumentParser) -> None:
    """The run to use, and what to run it on."""
    parser.add_argument("model", type=Path, metavar="RUN", help="run directory that training made")
    parser.add_argument("--device", default="cpu", help="cpu, cuda, cuda:1, … (default: cpu)")
    parser.add_argument("--threads", type=int, default=0, help="CPU threads (default: torch's choice)")


def add_alternatives(parser: argparse.ArgumentParser, help: str) -> None:
    """`--alternatives N`: how many other readings to give."""
    parser.add_argument("--alternatives", type=count, default=0, metavar="N", help=help)


def count(text: str) -> int:
    """A number from 0; argparse makes a message of any other."""
    number = int(text)
    if number < 0:
        raise argparse.ArgumentTypeError(f"{number} is below 0")
    return number
