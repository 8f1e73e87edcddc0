"""Which utterances a command works on: those of a manifest, a corpus folder, or the run's own corpus."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from sluice_core.errors import UserError

if TYPE_CHECKING:
    from datasets import Dataset

    from asr.config import CorpusConfig


def add_data(parser: argparse.ArgumentParser) -> None:
    """Declare `--data` and `--corpus`."""
    parser.add_argument(
        "--data", type=Path, help="manifest, or corpus folder; the run's own corpus if not given"
    )
    parser.add_argument("--corpus", help="kind of the corpus folder (default: the run's)")


def rows_of(
    corpus: "CorpusConfig", options: argparse.Namespace, split: str | None = None
) -> "tuple[str, Dataset]":
    """The rows that the options name, of a run's corpus unless they say otherwise, and what to call them.

    Without `split` that is the test part where there is one, else dev.

    Raises:
        UserError: the corpus has no such part.
    """
    from asr.corpora import load_corpus
    from asr.corpora.manifest import load_manifest

    if options.data and options.data.is_file():
        return options.data.name, load_manifest(options.data, options.cache, corpus.case)
    changes = {"data": options.data or corpus.data, "kind": options.corpus or corpus.kind}
    parts = load_corpus(type(corpus).check({**corpus.model_dump(), **changes}, "the corpus"), options.cache)
    split = split or ("test" if "test" in parts else "dev")
    if split not in parts:
        raise UserError(f"the corpus has no {split!r} part here; it has {', '.join(parts)}")
    return split, parts[split]


def training_transcripts(corpus: "CorpusConfig", cache: Path) -> list[str]:
    """The texts that a run was trained on."""
    from asr.corpora import load_corpus

    return list(load_corpus(corpus, cache)["train"]["text"])
