"""Hear what is said in audio files and find its slots and intent."""

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from sluice.commands.options import add_alternatives, add_json, add_model, add_quiet
from sluice.commands.recordings import Recordings, add_recordings, hot_words

if TYPE_CHECKING:
    from sluice.understanding import Understanding


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add_model(parser)
    add_recordings(parser)
    parser.add_argument(
        "--tagger", type=Path, metavar="RUN", help="a tagger's run, where RUN is only a recognizer's"
    )
    add_alternatives(parser, "so many other readings, at most")
    add_json(parser)
    add_quiet(parser)


def run(options: argparse.Namespace) -> int:
    """Print what each recording says as it is ready; a bad file is named on stderr, and the exit code is then 1."""
    from sluice.understanding import Understander
    from sluice_core.devices import set_threads

    set_threads(options.threads)
    understander = Understander.load(options.model, options.device, tagger=options.tagger)
    recordings = Recordings(options.audio)
    understood = understander.understand_many(
        recordings.shown("listening", quiet=options.quiet),
        batch_size=options.batch_size,
        on_error=recordings.fail,
        hot_words=hot_words(options.hot_word),
        alternatives=options.alternatives,
        quiet=options.quiet,
    )
    for number, each in enumerate(understood):
        if options.json:
            print(json.dumps(each.to_dict(), ensure_ascii=False), flush=True)
        else:
            print(("\n" if number else "") + describe(each), flush=True)
    return 1 if recordings.failures else 0


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
