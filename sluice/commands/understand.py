"""Transcribe audio files, and find slots and intent in what is said."""

import argparse
import json
from typing import TYPE_CHECKING

from sluice.commands.options import add_alternatives, add_json, add_model, add_quiet, add_tagger
from sluice.commands.recordings import Recordings, add_recordings, parse_hot_words

if TYPE_CHECKING:
    from sluice.understanding import Understanding


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command to a parser."""
    add_model(parser)
    add_recordings(parser)
    add_tagger(parser)
    parser.add_argument(
        "--mode",
        choices=["auto", "grammar", "open"],
        default="auto",
        help="a sentence of the run's grammar or nothing (grammar), anything (open), or a sentence of the grammar "
        "where one fits, else anything (auto, the default)",
    )
    add_alternatives(parser, "add up to N further hypotheses for each recording")
    add_json(parser)
    add_quiet(parser)


def run(options: argparse.Namespace) -> int:
    """Print what each recording means as it is ready; if a file is bad, name it on stderr and return 1."""
    from sluice.understanding import Understander
    from sluice_core.devices import set_threads

    set_threads(options.threads)
    understander = Understander.load(options.model, options.device, tagger=options.tagger)
    recordings = Recordings(options.audio)
    understandings = understander.understand_many(
        recordings.tracked("listening", quiet=options.quiet),
        mode=options.mode,
        batch_size=options.batch_size,
        on_error=recordings.fail,
        hot_words=parse_hot_words(options.hot_word),
        alternatives=options.alternatives,
        quiet=options.quiet,
    )
    for number, understanding in enumerate(understandings):
        if options.json:
            print(json.dumps(understanding.to_dict(), ensure_ascii=False), flush=True)
        else:
            print(("\n" if number else "") + describe(understanding), flush=True)
    return 1 if recordings.failures else 0


def describe(understanding: "Understanding") -> str:
    """Format a recording's text, intent and table of slots, then its alternatives, for people."""
    from tabulate import tabulate

    said = understanding.written_text or ("none of these" if understanding.no_match else "")
    lines = [f"{understanding.source}: {said}" if understanding.source else said]
    if understanding.grammar_confidence is not None:
        held = "not in the grammar" if understanding.no_match else "in the grammar"
        lines.append(f"  {held} ({understanding.grammar_confidence:.3f} that it is)")
    for rank, hypothesis in enumerate((understanding, *understanding.alternatives)):
        if not rank and understanding.no_match and not understanding.text:
            continue
        if rank:
            lines.append(f"  or: {hypothesis.written_text}")
        lines.append(f"  heard: {hypothesis.text} ({hypothesis.confidence:.3f})")
        if hypothesis.intent is not None:
            lines.append(f"  intent: {hypothesis.intent} ({hypothesis.intent_confidence:.3f})")
        rows = [
            (
                slot.label,
                f"{slot.start_seconds:.2f}-{slot.end_seconds:.2f} s",
                f"{slot.start}-{slot.end}",
                f"{slot.confidence:.3f}",
                slot.written,
                slot.value or "",
            )
            for slot in hypothesis.slots
        ]
        table = tabulate(rows, tablefmt="plain", disable_numparse=True) if rows else "no slots"
        lines += [f"  {line.rstrip()}" for line in table.splitlines()]
    return "\n".join(lines)
