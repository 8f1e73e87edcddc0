"""Find slots and intent in sentences, given as arguments, in a file or on standard input."""

import argparse
import json
import sys
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from sluice.commands.options import add_alternatives, add_json, add_model, add_quiet
from sluice_core.errors import UserError
from sluice_core.surrogates import LONE_SURROGATE

if TYPE_CHECKING:
    from slot_filling.tagging import Tagging

CHUNK_BYTES = 1 << 16


class LineError(UserError):
    """A sentence is not UTF-8 text."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command to a parser."""
    add_model(parser)
    parser.add_argument(
        "text", nargs="*", metavar="TEXT", help="a sentence (default: standard input, line by line)"
    )
    parser.add_argument("--file", type=Path, metavar="FILE", help="text file with a sentence per line")
    add_alternatives(parser, "add up to N further taggings of each sentence")
    parser.add_argument(
        "--today",
        type=date.fromisoformat,
        metavar="YYYY-MM-DD",
        help='date of today, so that dates such as "tomorrow" get a value',
    )
    add_json(parser)
    add_quiet(parser)


def run(options: argparse.Namespace) -> int:
    """Print the slots of each sentence as they are found; an empty line is a sentence without words or slots."""
    from slot_filling.tagger import Tagger
    from sluice_core.devices import set_threads

    if options.text and options.file:
        raise UserError("give sentences or --file, not both")
    set_threads(options.threads)
    tagger = Tagger.load(options.model, options.device)
    tagger.today = options.today
    first = True
    for group in _groups(options):
        for tagging in tagger.tag_many(group, alternatives=options.alternatives):
            if options.json:
                print(json.dumps(tagging.to_dict(), ensure_ascii=False))
            else:
                print(("" if first else "\n") + describe(tagging))
            first = False
        sys.stdout.flush()
    return 0


def describe(tagging: "Tagging") -> str:
    """Format a sentence, its intent and a table of its slots, then its alternatives, for people."""
    from tabulate import tabulate

    lines = [tagging.text]
    if tagging.intent is not None:
        lines.append(f"  intent: {tagging.intent} ({tagging.intent_confidence:.3f})")
    for rank, each in enumerate((tagging, *tagging.alternatives)):
        if rank:
            lines.append(f"  or ({each.confidence:.3f}):")
        rows = [
            (slot.label, f"{slot.start}-{slot.end}", f"{slot.confidence:.3f}", slot.text, slot.value or "")
            for slot in each.slots
        ]
        table = tabulate(rows, tablefmt="plain", disable_numparse=True) if rows else "no slots"
        lines += [f"  {line.rstrip()}" for line in table.splitlines()]
    return "\n".join(lines)


def _groups(options: argparse.Namespace) -> Iterator[list[str]]:
    """Yield sentences in groups as they arrive: those that are there are tagged together, without waiting for more."""
    if options.text:
        for number, text in enumerate(options.text, 1):
            if LONE_SURROGATE.search(text):  # bytes that were not UTF-8
                raise LineError(f"sentence {number} is not UTF-8 text")
        yield options.text
    elif options.file:
        try:
            with options.file.open("rb") as file:
                yield from read_lines(file, str(options.file))
        except OSError as error:
            raise LineError(f"{options.file}: cannot be read: {error.strerror or error}") from error
    else:
        if sys.stdin.isatty() and not options.quiet:
            print("type one sentence per line; end with Ctrl-D", file=sys.stderr)
        yield from read_lines(sys.stdin.buffer, "standard input")


def read_lines(stream: BinaryIO, name: str) -> Iterator[list[str]]:
    r"""Yield lines of UTF-8 text without their ends, in groups as they arrive.

    Args:
        stream: what to read.
        name: what errors call it.

    Example:
        >>> import io
        >>> list(read_lines(io.BytesIO(b"fly to oslo\nto taipei"), "request.txt"))
        [['fly to oslo'], ['to taipei']]

    Raises:
        LineError: a line is not UTF-8; the lines before it have been given.
    """
    rest, count = b"", 0
    while True:
        chunk = stream.read1(CHUNK_BYTES)  # type: ignore[attr-defined]  # what is there, even if it is one line
        *whole, rest = (rest + chunk).split(b"\n")
        if not chunk and rest:
            whole, rest = [rest], b""
        lines = []
        for line in whole:
            count += 1
            try:
                lines.append(line.decode("utf-8-sig" if count == 1 else "utf-8").removesuffix("\r"))
            except UnicodeDecodeError:
                yield lines
                raise LineError(f"{name}, line {count}: not UTF-8 text; convert the file to UTF-8") from None
        if lines:
            yield lines
        if not chunk:
            return
