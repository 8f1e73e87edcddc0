"""Readers of labelled sentences, one module for each format; all return `Sentence`s with IOB2 tags."""

from collections.abc import Callable
from pathlib import Path

from slot_filling.corpora import conll, json_lines, seq_folder
from slot_filling.corpora.config import SentenceCorpusConfig
from slot_filling.corpora.hugging_face import from_datasets
from slot_filling.corpora.splits import divide, find, locate, repeated, warn_of_repeated
from slot_filling.corpora.tag_conversion import RawSentence, to_iob2
from slot_filling.sentences import Sentence

__all__ = ["SentenceCorpusConfig", "from_datasets", "load_corpus", "load_splits", "repeated"]

READERS: dict[str, Callable[[Path, SentenceCorpusConfig], list[RawSentence]]] = {
    "atis": seq_folder.read,
    "snips": seq_folder.read,
    "conll": conll.read,
    "jsonl": json_lines.read,
}
DRAWN = ("grammar", "travel")
"""The kinds that are drawn from a grammar."""


def load_corpus(config: SentenceCorpusConfig) -> dict[str, list[Sentence]]:
    """Read the sentences of the splits "train", "dev" and, where there is one, "test".

    A missing dev split is taken from the training split. The log says how many sentences of dev and test are in the
    training split too.

    Raises:
        CorpusError: the corpus is missing or damaged; the message names the place.
    """
    if config.kind in DRAWN:
        from slot_filling.corpora.grammar import load

        return load(config)
    raw = {split: READERS[config.kind](path, config) for split, path in locate(config).items()}
    splits = divide(
        to_iob2(raw, config.scheme, config.data or "corpus"), config.dev_fraction, config.split_seed
    )
    warn_of_repeated(splits)
    return splits


def load_splits(config: SentenceCorpusConfig, data: Path) -> dict[str, list[Sentence]]:
    """Read the splits that `data` has, as they are, for evaluation; a single file is the split "all".

    Args:
        config: kind, scheme and columns; `config.data` is not looked at. For a kind that is drawn the format is that
            of `data`: a seq.in folder or a folder of such, JSON lines, or else CoNLL columns.
        data: file or folder.

    Raises:
        CorpusError: there is nothing to read, or it is wrong; the message names the place.
    """
    if config.kind in DRAWN:
        config = config.model_copy(update={"kind": kind_of(data)})
    raw = {split: READERS[config.kind](path, config) for split, path in find(data, config).items()}
    return to_iob2(raw, config.scheme, data)


def kind_of(data: Path) -> str:
    """Return the format of a file or folder, guessed from its names; "atis" stands for every seq.in folder."""
    if data.is_dir() and next(data.glob("**/seq.in"), None):
        return "atis"
    files = list(data.iterdir()) if data.is_dir() else [data]
    return "jsonl" if any(file.suffix in (".jsonl", ".json", ".ndjson") for file in files) else "conll"
