"""The `sluice` command; each subcommand is a module of `sluice.commands`."""

import argparse
import io
import logging
import os
import sys
from collections.abc import Sequence

from sluice.commands import (
    adapt,
    align,
    download,
    evaluate,
    features,
    grammar,
    lm,
    manifest,
    recipes,
    serve,
    tag,
    train,
    transcribe,
    tune,
    understand,
    voices,
)
from sluice.commands.options import warn_of_renamed_options
from sluice_core.errors import UserError
from sluice_core.surrogates import LONE_SURROGATE

COMMANDS = {
    "recipes": recipes,
    "voices": voices,
    "download": download,
    "train": train,
    "adapt": adapt,
    "transcribe": transcribe,
    "evaluate": evaluate,
    "align": align,
    "grammar": grammar,
    "lm": lm,
    "tune": tune,
    "tag": tag,
    "understand": understand,
    "serve": serve,
    "features": features,
    "manifest": manifest,
}
PACKAGES = ("sluice", "asr", "slot_filling", "sluice_core", "sluice_cells")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a subcommand and return the exit code: 0; 1 with the reason on stderr; or 130 after an interrupt.

    Args:
        arguments: the command line without the program's name; that of this process if not given.
    """
    _escape_unprintable_characters()
    options = make_parser().parse_args(arguments)
    # Of the processes of one training only the first logs; torchrun numbers them by RANK, Lightning by LOCAL_RANK.
    is_further_rank = int(os.environ.get("RANK", os.environ.get("LOCAL_RANK", "0"))) > 0
    _log_to_stderr(quiet=options.quiet or is_further_rank)
    warn_of_renamed_options(options)
    try:
        return options.run(options)
    except UserError as error:
        print(f"sluice: {error}", file=sys.stderr)
        return 1
    except UnicodeEncodeError as error:
        if not LONE_SURROGATE.match(error.object, error.start):
            raise
        print(
            f"sluice: {error.object}: the path is not UTF-8, and a library cannot open it; rename it",
            file=sys.stderr,
        )
        return 1
    except BrokenPipeError:  # the program that reads the output, such as head, has ended
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:  # what no other place describes better: a full disk, a folder without permission
        print(f"sluice: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("sluice: interrupted; repeat the command to continue", file=sys.stderr)
        return 130


def make_parser() -> argparse.ArgumentParser:
    """Return the complete parser of the command line, with every subcommand; nothing slow is imported.

    Example:
        >>> make_parser().parse_args(["train", "recipe.yaml", "--name", "first"]).name
        'first'
    """
    parser = argparse.ArgumentParser(
        prog="sluice",
        description="Train and use small, offline speech recognizers and slot taggers, alone or together.",
        epilog="`sluice COMMAND --help` describes a command and its options.",
    )
    subparsers = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, module in COMMANDS.items():
        summary = (module.__doc__ or "").splitlines()[0]
        subparser = subparsers.add_parser(name, help=summary, description=summary)
        module.add_arguments(subparser)
        subparser.set_defaults(run=module.run)
    return parser


def _escape_unprintable_characters() -> None:
    """Print what an output stream cannot encode, such as file names that are not UTF-8, as backslash escapes."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # who calls `main` may have put another kind there
            stream.reconfigure(errors="backslashreplace")


def _log_to_stderr(*, quiet: bool) -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(message)s"))
    for name in PACKAGES:
        logger = logging.getLogger(name)
        logger.handlers[:] = [handler]
        logger.propagate = False
        logger.setLevel(logging.WARNING if quiet else logging.INFO)


if __name__ == "__main__":
    sys.exit(main())
