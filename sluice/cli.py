"""The `sluice` command: one file for each subcommand, in `sluice.commands`."""

import argparse
import io
import logging
import os
import sys
from collections.abc import Sequence

from sluice.commands import (
    align,
    evaluate,
    features,
    lm,
    manifest,
    recipes,
    serve,
    tag,
    train,
    transcribe,
    tune,
    understand,
)
from sluice_core.errors import UserError
from sluice_core.surrogates import HALF_PAIR

COMMANDS = {
    "recipes": recipes,
    "train": train,
    "transcribe": transcribe,
    "evaluate": evaluate,
    "align": align,
    "lm": lm,
    "tune": tune,
    "tag": tag,
    "understand": understand,
    "serve": serve,
    "features": features,
    "manifest": manifest,
}
OUR_LOGGERS = ("sluice", "asr", "slot_filling", "sluice_core", "sluice_cells")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a subcommand; returns the exit code: 0, or 1 with the reason on stderr, or 130 when interrupted."""
    _escape_what_cannot_be_shown()
    options = _parser().parse_args(arguments)
    _log_to_stderr(
        quiet=options.quiet or int(os.environ.get("RANK", 0)) > 0
    )  # one of torchrun's processes speaks
    try:
        return options.run(options)
    except UserError as error:
        print(f"sluice: {error}", file=sys.stderr)
        return 1
    except UnicodeEncodeError as error:
        if not HALF_PAIR.match(error.object, error.start):
            raise
        print(
            f"sluice: {error.object}: the path is not UTF-8, and not all libraries open such", file=sys.stderr
        )
        return 1
    except BrokenPipeError:  # the reader, such as head, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:  # whatever no deeper place had better words for: a full disk, a forbidden folder
        print(f"sluice: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("sluice: interrupted; repeat the command to go on", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="sluice",
        description="Train and use small, offline recognizers of speech and taggers of what is said.",
    )
    subparsers = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, module in COMMANDS.items():
        summary = (module.__doc__ or "").splitlines()[0]
        subparser = subparsers.add_parser(name, help=summary, description=summary)
        module.add_arguments(subparser)
        subparser.set_defaults(run=module.run)
    return parser


def _escape_what_cannot_be_shown() -> None:
    """Print names of files that are not UTF-8, and letters that the terminal lacks, as JSON would have them."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a caller's own may be anything
            stream.reconfigure(errors="backslashreplace")


def _log_to_stderr(*, quiet: bool) -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(message)s"))
    for name in OUR_LOGGERS:
        logger = logging.getLogger(name)
        logger.handlers[:] = [handler]
        logger.propagate = False
        logger.setLevel(logging.WARNING if quiet else logging.INFO)


if __name__ == "__main__":
    sys.exit(main())
