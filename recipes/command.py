"""The command line that all recipes that are programs have in common."""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from tabulate import tabulate

from sluice_core.errors import UserError
from sluice_core.reporting.page import Bar, Table


def option_parser(module: str, description: str | None, quick_name: str) -> argparse.ArgumentParser:
    """Return the parser of a recipe started by `python -m module`; `quick_name` is the run directory of a trial."""
    parser = argparse.ArgumentParser(
        prog=f"python -m {module}",
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="change a setting")
    parser.add_argument("--quick", action="store_true", help=f"a trial in seconds, in runs/{quick_name}")
    parser.add_argument("--again", action="store_true", help="forget kept results first")
    parser.add_argument("--quiet", action="store_true", help="no progress")
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="where the run's directory is made")
    return parser


def guarded(work: Callable[[], None]) -> int:
    """Do the work and return the exit code; user errors and interrupts are told without a traceback."""
    try:
        work()
    except UserError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nInterrupted; the same command goes on with what is finished.", file=sys.stderr)
        return 130
    return 0


def print_table(table: Table) -> None:
    """Print a table of a report as Markdown."""
    rows = [[cell.text if isinstance(cell, Bar) else cell for cell in row] for row in table.rows]
    print(f"{table.caption}\n\n{tabulate(rows, table.header, tablefmt='github', disable_numparse=True)}\n")
