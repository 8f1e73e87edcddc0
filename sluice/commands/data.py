"""Choose the utterances that a command works on: a manifest, a corpus folder, or the run's own corpus."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from sluice_core.errors import UserError

if TYPE_CHECKING:
    from datasets import Dataset

    from asr.config import SpeechCorpusConfig


def add_data(parser: argparse.ArgumentParser) -> None:
    """Add `--data` and `--corpus`."""
    parser.add_argument(
        "--data", type=Path, metavar="PATH", help="manifest or corpus folder (default: the run's own corpus)"
    )
    parser.add_argument(
        "--corpus", metavar="KIND", help="kind of the corpus folder, such as an4 (default: the run's)"
    )


def select_utterances(
    corpus: "SpeechCorpusConfig", options: argparse.Namespace, split: str | None = None
) -> "tuple[str, Dataset]":
    """Return the name of a split and its utterances, from where the options say, else from the run's corpus.

    Args:
        corpus: settings of the run's corpus.
        options: with `data`, `corpus` and `cache`.
        split: "train", "dev" or "test"; if not given, "test" where there is one, else "dev". A manifest is one split,
            which is called by its file name.

    Raises:
        UserError: the corpus has no such split.
    """
    from asr.corpora import load_corpus
    from asr.corpora.manifest import load_manifest

    if options.data and options.data.is_file():
        return options.data.name, load_manifest(options.data, options.cache, corpus.case)
    changes = {"data": options.data or corpus.data, "kind": options.corpus or corpus.kind}
    splits = load_corpus(type(corpus).check({**corpus.model_dump(), **changes}, "the corpus"), options.cache)
    split = split or ("test" if "test" in splits else "dev")
    if split not in splits:
        raise UserError(f"the corpus has no split {split!r}; it has {', '.join(splits)}")
    return split, splits[split]


def training_transcripts(corpus: "SpeechCorpusConfig", cache: Path) -> list[str]:
    """Return the transcripts that a run was trained on."""
    from asr.corpora import load_corpus

    return list(load_corpus(corpus, cache)["train"]["text"])
