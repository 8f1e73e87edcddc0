"""Hear what is said in audio files and find its slots and intent."""

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from sluice.commands.options import add_json, add_model, add_quiet
from sluice.commands.transcribe import HOT_WORD_BOOST, hot_words

if TYPE_CHECKING:
    from sluice.understanding import Understander, Understanding


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add_model(parser)
    parser.add_argument(
        "audio", nargs="+", metavar="FILE", help="audio file, directory, or pattern in quotes"
    )
    parser.add_argument(
        "--tagger", type=Path, metavar="RUN", help="a tagger's run, where RUN is only a recognizer's"
    )
    parser.add_argument("--batch-size", type=int, default=16, help="most recordings at once (default: 16)")
    parser.add_argument(
        "--hot-word",
        action="append",
        default=[],
        metavar="PHRASE[=BOOST]",
        help=f"listen for this; may be given more than once (boost in natural log, default: {HOT_WORD_BOOST:g})",
    )
    parser.add_argument(
        "--alternatives", type=int, default=0, metavar="N", help="so many other readings, at most"
    )
    add_json(parser)
    add_quiet(parser)


def run(options: argparse.Namespace) -> int:
    """Print what each recording says as it is ready; a bad file is named on stderr, and the exit code is then 1."""
    from asr.audio import AudioError, find_audio
    from training.machine import set_threads
    from training.progress import track

    set_threads(options.threads)
    understander = _load(options)
    failures: list[object] = []

    def on_error(source: object, error: Exception) -> None:
        failures.append(source)
        print(f"sluice: {error}", file=sys.stderr)

    paths: list[Path] = []
    for name in options.audio:  # one at a time: a name that matches nothing must not stop the others
        try:
            paths += find_audio([name])
        except AudioError as error:
            on_error(name, error)
    understood = understander.understand_many(
        track(paths, "listening", quiet=options.quiet or len(paths) < 2),
        batch_size=options.batch_size,
        on_error=on_error,
        hot_words=hot_words(options.hot_word),
        alternatives=options.alternatives,
        quiet=options.quiet,
    )
    for number, each in enumerate(understood):
        if options.json:
            print(json.dumps(each.to_dict(), ensure_ascii=False), flush=True)
        else:
            print(("\n" if number else "") + describe(each), flush=True)
    return 1 if failures else 0


def _load(options: argparse.Namespace) -> "Understander":
    from asr import Transcriber
    from slot_filling import Tagger
    from sluice.understanding import Understander

    if options.tagger is None:
        return Understander.load(options.model, options.device)
    return Understander(
        Transcriber.load(options.model, options.device), Tagger.load(options.tagger, options.device)
    )


def describe(understood: "Understanding") -> str:
    """A recording, what was said, its intent and a table of its slots, then its other readings."""
    from tabulate import tabulate

    lines = [
        f"{understood.source}: {understood.written_text}" if understood.source else understood.written_text
    ]
    for rank, reading in enumerate((understood, *understood.alternatives)):
        if rank:
            lines.append(f"  or: {reading.written_text}")
        lines.append(f"  heard: {reading.text} ({reading.confidence:.3f})")
        if reading.intent is not None:
            lines.append(f"  intent: {reading.intent} ({reading.intent_confidence:.3f})")
        rows = [
            (
                slot.label,
                f"{slot.start_seconds:.2f}-{slot.end_seconds:.2f} s",
                f"{slot.start}-{slot.end}",
                f"{slot.confidence:.3f}",
                slot.written,
                slot.value or "",
            )
            for slot in reading.slots
        ]
        table = tabulate(rows, tablefmt="plain", disable_numparse=True) if rows else "no slots"
        lines += [f"  {line.rstrip()}" for line in table.splitlines()]
    return "\n".join(lines)
