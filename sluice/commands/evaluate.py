"""Measure a trained recognizer's errors over words and characters."""

import argparse
import json
from pathlib import Path

from sluice.commands.data import add_data, rows_of
from sluice.commands.options import add_cache, add_json, add_model, add_quiet


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add_model(parser)
    add_data(parser)
    parser.add_argument("--split", help="train, dev or test (default: test where there is one, else dev)")
    parser.add_argument(
        "--transcripts", type=Path, help="write every reference and hypothesis to this TSV file"
    )
    add_json(parser)
    add_cache(parser)
    add_quiet(parser)


def run(options: argparse.Namespace) -> int:
    """Print the table, or JSON."""
    from asr.evaluation import evaluate, format_metrics
    from asr.transcriber import Transcriber
    from training.machine import set_threads

    set_threads(options.threads)
    transcriber = Transcriber.load(options.model, options.device)
    split, rows = rows_of(transcriber.config.corpus, options, options.split)
    evaluation = evaluate(transcriber, rows, quiet=options.quiet)
    if options.transcripts:
        evaluation.write_transcripts(options.transcripts)
    metrics = {split: evaluation.to_dict()}
    print(json.dumps(metrics, ensure_ascii=False) if options.json else format_metrics(metrics))
    return 0
