"""Where labelled sentences come from: one file per format, all giving `Sentence`s with IOB2 tags."""

from collections.abc import Callable
from pathlib import Path

from slot_filling.corpora import conll, json_lines, seq_folder
from slot_filling.corpora.config import SentenceCorpusConfig
from slot_filling.corpora.hugging_face import from_datasets
from slot_filling.corpora.splits import divide, find, locate, repeated, warn_of_repeated
from slot_filling.corpora.tag_conversion import RawSentence, settle
from slot_filling.sentences import Sentence

__all__ = ["SentenceCorpusConfig", "from_datasets", "load_corpus", "load_parts", "repeated"]

READERS: dict[str, Callable[[Path, SentenceCorpusConfig], list[RawSentence]]] = {
    "atis": seq_folder.read,
    "snips": seq_folder.read,
    "conll": conll.read,
    "jsonl": json_lines.read,
}
EMBEDDED = ("travel", "spoken_travel")


def load_corpus(config: SentenceCorpusConfig) -> dict[str, list[Sentence]]:
    """The sentences of "train", "dev" and, where there is one, "test".

    A missing dev is taken from training. The log says how many sentences of dev and test training has too.

    Raises:
        CorpusError: the corpus is not where, or not what, it was said to be; says what and where.
    """
    if config.kind in EMBEDDED:
        from slot_filling.corpora.travel import load

        return load(config)
    raw = {part: READERS[config.kind](path, config) for part, path in locate(config).items()}
    parts = divide(
        settle(raw, config.scheme, config.data or "corpus"), config.dev_fraction, config.split_seed
    )
    warn_of_repeated(parts)
    return parts


def load_parts(config: SentenceCorpusConfig, data: Path) -> dict[str, list[Sentence]]:
    """The parts that `data` has, as they are, for evaluation; a single file is called "all".

    Args:
        config: kind, scheme and columns; `config.data` is not looked at. For an embedded kind the format is that
            of `data`: a seq.in folder or parts in such, JSON lines, or else CoNLL columns.
        data: file or folder.

    Raises:
        CorpusError: there is nothing to read, or it is wrong; says what and where.
    """
    if config.kind in EMBEDDED:
        config = config.model_copy(update={"kind": kind_of(data)})
    raw = {part: READERS[config.kind](path, config) for part, path in find(data, config).items()}
    return settle(raw, config.scheme, data)


def kind_of(data: Path) -> str:
    """The format of a file or folder, by its names: "atis" stands for every seq.in folder."""
    if data.is_dir() and next(data.glob("**/seq.in"), None):
        return "atis"
    files = list(data.iterdir()) if data.is_dir() else [data]
    return "jsonl" if any(file.suffix in (".jsonl", ".json", ".ndjson") for file in files) else "conll"
