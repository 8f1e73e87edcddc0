"""Find when each word of a known text is spoken in a recording (forced alignment)."""

import argparse
import json
import sys
from pathlib import Path

from sluice.commands.options import add_json, add_model, add_quiet
from sluice_core.errors import UserError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command to a parser."""
    add_model(parser)
    parser.add_argument("audio", type=Path, metavar="FILE", help="audio file")
    parser.add_argument(
        "text", nargs="?", metavar="TEXT", help="what is spoken in it (default: standard input)"
    )
    add_json(parser)
    add_quiet(parser)


def run(options: argparse.Namespace) -> int:
    """Print start, end, confidence and text of each word; or JSON, which also holds the tokens."""
    from tabulate import tabulate

    from asr.transcriber import Transcriber
    from sluice_core.devices import set_threads

    if options.text is None and sys.stdin.isatty():
        raise UserError("give the text that is spoken, in quotes, or on standard input")
    set_threads(options.threads)
    text = sys.stdin.read() if options.text is None else options.text
    transcript = Transcriber.load(options.model, options.device).align(options.audio, text)
    if options.json:
        print(json.dumps(transcript.to_dict(), ensure_ascii=False))
        return 0
    lines = [
        (f"{word.start:.2f}", f"{word.end:.2f}", f"{word.confidence:.2f}", word.text)
        for word in transcript.words
    ]
    print(
        tabulate(
            lines, ("start", "end", "confidence", "word"), disable_numparse=True, colalign=("right",) * 3
        )
    )
    return 0
