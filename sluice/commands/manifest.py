"""Check your data before training."""

import argparse
import json
from pathlib import Path

from sluice.commands.options import add_action, add_cache, add_json, add_quiet


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the actions of this command, with their options, to a parser."""
    actions = parser.add_subparsers(required=True, metavar="ACTION")
    check = add_action(
        actions,
        "check",
        "Print hours, speakers, vocabulary and sample rates, and the ten most suspicious utterances.",
    )
    check.add_argument(
        "data", type=Path, metavar="FILE", help="manifest (CSV, TSV or JSON Lines) or corpus folder"
    )
    check.add_argument(
        "--corpus", metavar="KIND", help="kind of the corpus folder: an4, fsdd, ljspeech or librispeech"
    )
    add_json(check)
    add_cache(check)
    add_quiet(check)


def run(options: argparse.Namespace) -> int:
    """Print the report; the exit code is 1 if any line or file cannot be used."""
    from itertools import chain

    from asr.config import SpeechCorpusConfig
    from asr.corpora import load_corpus
    from asr.corpora.validation import validate_manifest, validate_utterances

    if options.corpus:
        corpus = SpeechCorpusConfig.check({"kind": options.corpus, "data": options.data}, "manifest check")
        utterances = chain.from_iterable(load_corpus(corpus, options.cache).values())
        report = validate_utterances(utterances, str(options.data), quiet=options.quiet)
    else:
        report = validate_manifest(options.data, quiet=options.quiet)
    print(json.dumps(report.to_dict(), ensure_ascii=False) if options.json else report.format())
    return 0 if report.ok else 1
