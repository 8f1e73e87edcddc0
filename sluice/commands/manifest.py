"""Look over one's data before training: `sluice manifest check FILE`."""

import argparse
import json
from pathlib import Path

from sluice.commands.options import add_cache, add_json, add_quiet


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the actions and their options."""
    actions = parser.add_subparsers(required=True, metavar="ACTION")
    check = actions.add_parser("check", help="hours, speakers, vocabulary, rates, and the ten worst suspects")
    check.add_argument(
        "data", type=Path, metavar="FILE", help="manifest (CSV, TSV, JSON lines) or corpus folder"
    )
    check.add_argument("--corpus", help="kind of the corpus folder: an4, fsdd, ljspeech, librispeech")
    add_json(check)
    add_cache(check)
    add_quiet(check)


def run(options: argparse.Namespace) -> int:
    """Print the report; the exit code is 1 when lines or files of it cannot be used."""
    from itertools import chain

    from asr.config import CorpusConfig
    from asr.corpora import load_corpus
    from asr.corpora.validation import check_manifest, check_rows

    if options.corpus:
        corpus = CorpusConfig.check({"kind": options.corpus, "data": options.data}, "manifest check")
        rows = chain.from_iterable(load_corpus(corpus, options.cache).values())
        report = check_rows(rows, str(options.data), quiet=options.quiet)
    else:
        report = check_manifest(options.data, quiet=options.quiet)
    print(json.dumps(report.to_dict(), ensure_ascii=False) if options.json else report.format())
    return 0 if report.ok else 1
