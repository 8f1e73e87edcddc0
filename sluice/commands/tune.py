"""Choose a language model, its weight and the word bonus on the dev split, and keep them in the run."""

import argparse
import json
from pathlib import Path

from sluice.commands.data import add_data, select_utterances, training_transcripts
from sluice.commands.options import add_cache, add_json, add_model, add_quiet, whole_number


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command to a parser."""
    add_model(parser)
    parser.add_argument(
        "--lm",
        dest="models",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="language model to try, from `sluice lm train` or any ARPA file; may be repeated (default: word and "
        "character n-grams of the run's training transcripts)",
    )
    parser.add_argument(
        "--lexicon", type=Path, metavar="FILE", help="word list; transcripts hold no other words"
    )
    parser.add_argument(
        "--beam",
        type=whole_number(1),
        default=64,
        metavar="N",
        help="prefixes kept after each time step (default: 64)",
    )
    add_data(parser)
    add_json(parser)
    add_cache(parser)
    add_quiet(parser)


def run(options: argparse.Namespace) -> int:
    """Print the error rate of each model on dev, and write the best one's settings to the run directory."""
    from asr.transcriber import Transcriber
    from asr.tuning import (
        Candidate,
        candidates_from_transcripts,
        format_tuning,
        read_candidate,
        save_tuning,
        tune_run,
    )
    from sluice_core.devices import set_threads

    set_threads(options.threads)
    transcriber = Transcriber.load(options.model, options.device)
    corpus = transcriber.config.corpus
    candidates: list[Candidate] = [read_candidate(path, options.lexicon) for path in options.models]
    if not candidates:
        texts, hot_words = training_transcripts(corpus, options.cache), transcriber.decoding.hot_words
        candidates = candidates_from_transcripts(texts, options.lexicon, hot_words)
    split, utterances = select_utterances(corpus, options, "dev")
    tuned = tune_run(transcriber, utterances, candidates, beam=options.beam, quiet=options.quiet)
    save_tuning(transcriber, tuned)
    facts = {"split": split, **tuned.to_dict()}
    print(
        json.dumps(facts, ensure_ascii=False) if options.json else format_tuning(split, tuned, options.model)
    )
    return 0
