"""Download a public corpus, verified and unpacked, or list those that can be downloaded."""

import argparse
import json
import re
from pathlib import Path

from sluice.commands.options import add_json, add_quiet
from sluice.downloads.corpus import describe_size, download
from sluice.downloads.errors import DownloadError
from sluice.downloads.table import CORPORA, Corpus


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command to a parser."""
    parser.add_argument("corpus", nargs="?", metavar="CORPUS", help="name of the corpus; none lists all")
    parser.add_argument("--to", type=Path, metavar="FOLDER", help="where it goes (default: data/CORPUS)")
    parser.add_argument("--sha256", type=_checksum, metavar="HEX", help="checksum that its file must have")
    add_json(parser)
    add_quiet(parser)


def _checksum(text: str) -> str:
    if not re.fullmatch(r"[0-9a-fA-F]{64}", text):
        raise argparse.ArgumentTypeError("a SHA-256 has 64 hexadecimal digits")
    return text.lower()


def run(options: argparse.Namespace) -> int:
    """Say what the corpus is and its licence, fetch it, and print how to train on it."""
    if options.corpus is None:
        return _list(options.json)
    if options.corpus not in CORPORA:
        raise DownloadError(f"{options.corpus}: no corpus of this name; there are {', '.join(CORPORA)}")
    corpus = CORPORA[options.corpus]
    folder = options.to or Path("data") / options.corpus
    if not options.json:
        print(
            f"{corpus.description}\n"
            f"licence: {corpus.licence}\n"
            f"about it: {corpus.page}\n"
            f"from: {', '.join(file.url for file in corpus.files)}\n"
            f"size: {_size(corpus)}; checksum: {'known' if corpus.verified else 'not known'}",
            flush=True,
        )
    checksums = download(corpus, folder, sha256=options.sha256, quiet=options.quiet)
    command = f"sluice train {corpus.recipe} --data {folder}"
    if options.json:
        facts = {
            "corpus": options.corpus,
            "folder": str(folder),
            "licence": corpus.licence,
            "sha256": checksums,
        }
        print(json.dumps({**facts, "train": command}))
    else:
        print(f"{folder} is there\ntry it: {command}")
    return 0


def _size(corpus: Corpus) -> str:
    if corpus.size is not None:
        return describe_size(corpus.size)
    return f"about {describe_size(corpus.rough_size)}" if corpus.rough_size else "not known"


def _list(as_json: bool) -> int:
    from tabulate import tabulate

    if as_json:
        listed = [
            {
                "corpus": name,
                "description": corpus.description,
                "licence": corpus.licence,
                "page": corpus.page,
                "recipe": corpus.recipe,
                "files": [
                    {"url": file.url, "size": file.size, "sha256": file.sha256} for file in corpus.files
                ],
            }
            for name, corpus in CORPORA.items()
        ]
        print(json.dumps(listed, indent=1))
        return 0
    rows = [
        (
            name,
            corpus.description,
            _size(corpus),
            "yes" if corpus.verified else "no",
            corpus.licence,
        )
        for name, corpus in CORPORA.items()
    ]
    heads = ("corpus", "what it is", "size", "verified", "licence")
    print(
        tabulate(
            rows, heads, tablefmt="simple", disable_numparse=True, maxcolwidths=[None, 48, None, None, 32]
        )
    )
    print("\nsluice download CORPUS fetches one into data/CORPUS")
    return 0
