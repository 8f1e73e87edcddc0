"""Adapt a recognizer to a voice by a few recordings, without forgetting others, or undo that."""

import argparse
import csv
import json
import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from sluice.commands.data import training_transcripts
from sluice.commands.extras import require_extra
from sluice.commands.options import add_cache, add_json, add_quiet, whole_number

if TYPE_CHECKING:
    from asr.training.adaptation import Adaptation, Errors

log = logging.getLogger("sluice")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command to a parser."""
    parser.add_argument(
        "model",
        type=Path,
        metavar="RUN",
        help="run directory of a recognizer, or one that joins it with a tagger",
    )
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument(
        "recordings",
        type=Path,
        nargs="?",
        metavar="FILE",
        help="manifest of the recordings: a CSV file with the columns audio and text",
    )
    what.add_argument(
        "--sentences",
        type=whole_number(1),
        metavar="N",
        help="print N sentences to read, as a manifest whose recordings are still to be made",
    )
    what.add_argument(
        "--undo", action="store_true", help="put the weights of before the last adaptation back"
    )
    parser.add_argument(
        "--data",
        type=Path,
        metavar="PATH",
        help="where the corpus that the recognizer was trained on lies, if it has been moved",
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="change a setting of adapting, such as learning_rate=5e-4; may be repeated",
    )
    parser.add_argument(
        "--threads",
        type=whole_number(1),
        default=0,
        metavar="N",
        help="CPU threads (default: the recipe's choice)",
    )
    add_json(parser)
    add_cache(parser)
    add_quiet(parser)


def run(options: argparse.Namespace) -> int:
    """Adapt, print sentences, or undo, and say what was done."""
    from sluice_core.run_directory import half_of

    recognizer = half_of(options.model, "recognizer")
    if options.undo:
        return _undo(recognizer)
    if options.sentences is not None:
        return _print_sentences(recognizer, options)
    return _adapt(recognizer, options)


def _undo(recognizer: Path) -> int:
    from sluice_core.previous_weights import restore_previous_weights

    left = restore_previous_weights(recognizer)
    more = f"; {left} earlier ones can be undone too" if left else ""
    print(f"{recognizer}: the weights are those of before the last adaptation{more}")
    return 0


def _print_sentences(recognizer: Path, options: argparse.Namespace) -> int:
    from asr.config import RecognizerConfig
    from sluice_core.reading_list import choose_sentences
    from sluice_core.run_directory import read_run_settings

    corpus = read_run_settings(recognizer, RecognizerConfig).corpus
    corpus = corpus.model_copy(update={"data": options.data}) if options.data else corpus
    sentences = choose_sentences(training_transcripts(corpus, options.cache), options.sentences)
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(["audio", "text"])
    writer.writerows((f"{number:02}.wav", text) for number, text in enumerate(sentences, 1))
    log.info(
        f"read each aloud into the file named beside it, keep this list there as recordings.csv, then: "
        f"sluice adapt {options.model} recordings.csv"
    )
    return 0


def _adapt(recognizer: Path, options: argparse.Namespace) -> int:
    from asr.training.adaptation import AdaptationSettings, adapt

    require_extra("train", "adapting")
    settings = AdaptationSettings.check({}, "adapting", options.set)
    adaptation = adapt(
        recognizer,
        options.recordings,
        options.cache,
        settings=settings,
        data=options.data,
        threads=options.threads,
        quiet=options.quiet,
    )
    print(json.dumps(adaptation.to_dict()) if options.json else describe(adaptation, options.model))
    return 0


def describe(adaptation: "Adaptation", run: Path) -> str:
    """Return what an adaptation did, for a person to read."""
    from tabulate import tabulate

    own = f"{adaptation.held_out} recordings held out" if adaptation.held_out else "recordings (trained on)"
    rows = [[own, *_cells(adaptation.own)], ["others: the run's dev split", *_cells(adaptation.others)]]
    return (
        f"{tabulate(rows, ['words wrong', 'before', 'now'], disable_numparse=True)}\n"
        f"{adaptation.recordings} recordings, {adaptation.seconds:.0f} seconds; {adaptation.share:.0%} of the change "
        f"kept; {adaptation.minutes:.1f} minutes\nundo it: sluice adapt {run} --undo"
    )


def _cells(errors: "Errors") -> list[str]:
    return [f"{each.rate:.1%} ({each.errors} / {each.total})" for each in (errors.before, errors.after)]
