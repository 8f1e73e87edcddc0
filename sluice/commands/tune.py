"""Choose a language model, its weight and the bonus of a word on the dev split, and keep them with the run."""

import argparse
import json
from pathlib import Path

from sluice.commands.data import add_data, rows_of, training_transcripts
from sluice.commands.options import add_cache, add_json, add_model, add_quiet


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add_model(parser)
    parser.add_argument(
        "--lm",
        dest="models",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="language model to try (`sluice lm train`, or any ARPA file); may be given more than once. Without it: "
        "n-grams of words and of characters of the run's training transcripts",
    )
    parser.add_argument("--lexicon", type=Path, help="word list: the output keeps to it")
    parser.add_argument("--beam", type=int, default=64, help="prefixes kept after each step (default: 64)")
    add_data(parser)
    add_json(parser)
    add_cache(parser)
    add_quiet(parser)


def run(options: argparse.Namespace) -> int:
    """Print what each model gives on dev, and write the best into the run directory."""
    from asr.transcriber import Transcriber
    from asr.tuning import Candidate, format_tuning, of_transcripts, read_candidate, save_tuning, tune_run
    from sluice_core.devices import set_threads

    set_threads(options.threads)
    transcriber = Transcriber.load(options.model, options.device)
    corpus = transcriber.config.corpus
    candidates: list[Candidate] = [read_candidate(path, options.lexicon) for path in options.models]
    if not candidates:
        texts, hot_words = training_transcripts(corpus, options.cache), transcriber.decoding.hot_words
        candidates = of_transcripts(texts, options.lexicon, hot_words)
    split, rows = rows_of(corpus, options, "dev")
    tuned = tune_run(transcriber, rows, candidates, beam=options.beam, quiet=options.quiet)
    save_tuning(transcriber, tuned)
    facts = {"split": split, **tuned.to_dict()}
    print(
        json.dumps(facts, ensure_ascii=False) if options.json else format_tuning(split, tuned, options.model)
    )
    return 0
