"""Evaluate a recognizer (word and character error rate) or a tagger (slot F1, intent accuracy)."""

import argparse
import json
from pathlib import Path
from typing import Any

from sluice.commands.data import add_data, select_utterances
from sluice.commands.options import add_cache, add_json, add_model, add_quiet
from sluice_core.errors import UserError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command to a parser."""
    add_model(parser)
    add_data(parser)
    parser.add_argument("--split", help="train, dev or test (default: test if there is one, else dev)")
    parser.add_argument(
        "--transcripts", type=Path, metavar="TSV", help="write each reference and output to this file"
    )
    add_json(parser)
    add_cache(parser)
    add_quiet(parser)


def run(options: argparse.Namespace) -> int:
    """Evaluate, and print a table or JSON."""
    from sluice_core.devices import set_threads
    from sluice_core.run_directory import task_of

    set_threads(options.threads)
    metrics, table = (_evaluate_tagger if task_of(options.model) == "slots" else _evaluate_recognizer)(
        options
    )
    print(json.dumps(metrics, ensure_ascii=False) if options.json else table)
    return 0


def _evaluate_recognizer(options: argparse.Namespace) -> tuple[dict[str, Any], str]:
    from asr.evaluation.evaluation import evaluate, format_metrics
    from asr.transcriber import Transcriber

    transcriber = Transcriber.load(options.model, options.device)
    split, utterances = select_utterances(transcriber.config.corpus, options, options.split)
    evaluation = evaluate(transcriber, utterances, quiet=options.quiet)
    if options.transcripts:
        evaluation.write_transcripts(options.transcripts)
    metrics = {split: evaluation.to_dict()}
    return metrics, format_metrics(metrics)


def _evaluate_tagger(options: argparse.Namespace) -> tuple[dict[str, Any], str]:
    from slot_filling.corpora import load_corpus, load_splits
    from slot_filling.evaluation.evaluation import evaluate, format_metrics
    from slot_filling.tagger import Tagger

    tagger = Tagger.load(options.model, options.device)
    corpus = tagger.config.corpus
    if options.corpus:
        corpus = type(corpus).check({**corpus.model_dump(), "kind": options.corpus}, "the corpus")
    splits = load_splits(corpus, options.data) if options.data else load_corpus(corpus)
    split = options.split or next(name for name in ("test", "dev", "all", *splits) if name in splits)
    if split not in splits:
        raise UserError(f"the corpus has no split {split!r}; it has {', '.join(splits)}")
    evaluation = evaluate(tagger, splits[split], quiet=options.quiet)
    if options.transcripts:
        evaluation.write_answers(options.transcripts)
    metrics = {split: evaluation.to_dict()}
    return metrics, format_metrics(metrics)
