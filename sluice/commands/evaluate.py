"""Measure a recognizer's errors over words and characters, or how many slots and intents a tagger finds."""

import argparse
import json
from pathlib import Path
from typing import Any

from sluice.commands.data import add_data, rows_of
from sluice.commands.options import add_cache, add_json, add_model, add_quiet
from sluice_core.errors import UserError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add_model(parser)
    add_data(parser)
    parser.add_argument("--split", help="train, dev or test (default: test where there is one, else dev)")
    parser.add_argument("--transcripts", type=Path, help="write every reference and answer to this TSV file")
    add_json(parser)
    add_cache(parser)
    add_quiet(parser)


def run(options: argparse.Namespace) -> int:
    """Print the table, or JSON."""
    from sluice_core.devices import set_threads
    from sluice_core.kind import task_of

    set_threads(options.threads)
    metrics, table = (_tagger if task_of(options.model) == "slots" else _recognizer)(options)
    print(json.dumps(metrics, ensure_ascii=False) if options.json else table)
    return 0


def _recognizer(options: argparse.Namespace) -> tuple[dict[str, Any], str]:
    from asr.evaluation.evaluation import evaluate, format_metrics
    from asr.transcriber import Transcriber

    transcriber = Transcriber.load(options.model, options.device)
    split, rows = rows_of(transcriber.config.corpus, options, options.split)
    evaluation = evaluate(transcriber, rows, quiet=options.quiet)
    if options.transcripts:
        evaluation.write_transcripts(options.transcripts)
    metrics = {split: evaluation.to_dict()}
    return metrics, format_metrics(metrics)


def _tagger(options: argparse.Namespace) -> tuple[dict[str, Any], str]:
    from slot_filling.corpora import load_corpus, load_parts
    from slot_filling.evaluation.evaluation import evaluate, format_metrics
    from slot_filling.tagger import Tagger

    tagger = Tagger.load(options.model, options.device)
    corpus = tagger.config.corpus
    if options.corpus:
        corpus = type(corpus).check({**corpus.model_dump(), "kind": options.corpus}, "the corpus")
    parts = load_parts(corpus, options.data) if options.data else load_corpus(corpus)
    split = options.split or next(part for part in ("test", "dev", "all", *parts) if part in parts)
    if split not in parts:
        raise UserError(f"the corpus has no {split!r} part here; it has {', '.join(parts)}")
    evaluation = evaluate(tagger, parts[split], quiet=options.quiet)
    if options.transcripts:
        evaluation.write_answers(options.transcripts)
    metrics = {split: evaluation.to_dict()}
    return metrics, format_metrics(metrics)
