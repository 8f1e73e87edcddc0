"""Measure a trained recognizer's errors over words and characters."""

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from sluice.commands.options import add_cache, add_json, add_model, add_quiet
from training.errors import UserError

if TYPE_CHECKING:
    from datasets import Dataset

    from asr.config import CorpusConfig


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add_model(parser)
    parser.add_argument(
        "--data", type=Path, help="manifest, or corpus folder; the run's own corpus if not given"
    )
    parser.add_argument("--corpus", help="kind of the corpus folder (default: the run's)")
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
    split, rows = _rows(options, transcriber.config.corpus)
    evaluation = evaluate(transcriber, rows, quiet=options.quiet)
    if options.transcripts:
        evaluation.write_transcripts(options.transcripts)
    metrics = {split: evaluation.to_dict()}
    print(json.dumps(metrics, ensure_ascii=False) if options.json else format_metrics(metrics))
    return 0


def _rows(options: argparse.Namespace, corpus: "CorpusConfig") -> "tuple[str, Dataset]":
    from asr.corpora import load_corpus
    from asr.corpora.manifest import load_manifest

    if options.data and options.data.is_file():
        return options.data.name, load_manifest(options.data, options.cache, corpus.case)
    changes = {"data": options.data or corpus.data, "kind": options.corpus or corpus.kind}
    parts = load_corpus(type(corpus).check({**corpus.model_dump(), **changes}, "evaluate"), options.cache)
    split = options.split or ("test" if "test" in parts else "dev")
    if split not in parts:
        raise UserError(f"the corpus has no {split!r} part here; it has {', '.join(parts)}")
    return split, parts[split]
