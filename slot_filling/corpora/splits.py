"""Find the splits train, dev and test, divide off a dev split, and count sentences that two splits share."""

import logging
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from random import Random

from slot_filling.corpora.config import SentenceCorpusConfig
from slot_filling.sentences import Sentence
from sluice_core.corpus_files import CorpusError, describe_folder

NAMES = {
    "train": ("train", "training"),
    "dev": ("dev", "valid", "val", "validation", "testa"),
    "test": ("test", "testb"),
}

log = logging.getLogger(__name__)


def locate(config: SentenceCorpusConfig) -> dict[str, Path]:
    """Return the file, or seq.in folder, of each split that the settings name.

    `corpus.data` is one file (or seq.in folder), all of it for training, or a folder with one split in each
    file or folder: `train.conll`, `eng.train`, `valid/`.

    Raises:
        CorpusError: nothing is named or nothing is found; the message says what was looked for and what is there.
    """
    named = {split: getattr(config, split) for split in NAMES if getattr(config, split) is not None}
    if config.data is None and "train" not in named:
        raise CorpusError(
            f"corpus {config.kind} needs its {_needed(config)}: corpus.data (--data FOLDER), "
            "or corpus.train and corpus.dev"
        )
    if config.data is None:
        return named
    if "train" in named:
        raise CorpusError("corpus.data and corpus.train both name the training split; keep one of them")
    found = find(config.data, config)
    return {"train": found.pop("all"), **named} if "all" in found else {**found, **named}


def find(data: Path, config: SentenceCorpusConfig) -> dict[str, Path]:
    """Return the splits in a folder by their names, or `{"all": data}` where it is itself a file of sentences.

    Raises:
        CorpusError: there is nothing there, or no split, or one split twice.
    """
    in_folders = config.kind in ("atis", "snips")
    if not data.exists():
        raise CorpusError(
            f"{data}: there is no such file or folder; in {data.parent}: {describe_folder(data.parent)}"
        )
    if (data / "seq.in").exists() if in_folders else data.is_file():
        return {"all": data}
    found: dict[str, Path] = {}
    for path in sorted(data.iterdir()) if data.is_dir() else ():
        split = _split_of(path)
        is_one = (path / "seq.in").exists() if in_folders else path.is_file()
        if not split or not is_one or path.suffix in (".md", ".py"):
            continue
        if split in found:
            raise CorpusError(
                f"{data}: {found[split].name} and {path.name} both look like {split}; name the one to read: "
                f"corpus.train, corpus.dev and corpus.test instead of corpus.data"
            )
        found[split] = path
    if not found:
        raise CorpusError(
            f"{data}: no sentences there: looked for {_needed(config)}; {describe_folder(data)}"
        )
    return {split: found[split] for split in NAMES if split in found}


def _needed(config: SentenceCorpusConfig) -> str:
    if config.kind in ("atis", "snips"):
        return "folders train, dev (or valid) and test, each with seq.in, seq.out and label"
    return "files, such as train.txt, dev.txt and test.txt"


def _split_of(path: Path) -> str | None:
    """Return the split that a name such as "eng.testa", "train.conll" or "valid" speaks of."""
    words = set(re.split(r"[\W_]+", path.name.lower()))
    splits = [split for split, names in NAMES.items() if words & set(names)]
    return splits[0] if len(splits) == 1 else None


def divide(splits: Mapping[str, Sequence[Sentence]], fraction: float, seed: int) -> dict[str, list[Sentence]]:
    """Return the splits with a dev split: where there is none, `fraction` of the training sentences, drawn by `seed`.

    Sentences of the same words stay together, so that no sentence of dev is in training.

    Raises:
        CorpusError: there is no training split, or it is too small to divide.
    """
    if "train" not in splits:
        raise CorpusError(f"there is no training split, only {', '.join(splits)}: name it as corpus.train")
    divided = {split: list(sentences) for split, sentences in splits.items()}
    if "dev" not in divided:
        distinct = sorted({sentence.words for sentence in divided["train"]})
        count = round(len(distinct) * fraction)
        if not 0 < count < len(distinct):
            raise CorpusError(
                f"{len(distinct)} different training sentences are too few to take {fraction:g} of them for dev: "
                "name a dev split (corpus.dev), or change corpus.dev_fraction"
            )
        chosen = set(Random(seed).sample(distinct, count))
        whole = divided["train"]
        divided["train"] = [sentence for sentence in whole if sentence.words not in chosen]
        divided["dev"] = [sentence for sentence in whole if sentence.words in chosen]
    return {split: divided[split] for split in NAMES if split in divided}


def repeated(splits: Mapping[str, Sequence[Sentence]]) -> dict[str, int]:
    """Count the sentences of dev and of test that have the words of a training sentence."""
    trained = {sentence.words for sentence in splits.get("train", ())}
    counts = {
        split: sum(sentence.words in trained for sentence in sentences)
        for split, sentences in splits.items()
        if split != "train"
    }
    return {split: count for split, count in counts.items() if count}


def warn_of_repeated(splits: Mapping[str, Sequence[Sentence]]) -> None:
    """Write to the log what `repeated` counts."""
    for split, count in repeated(splits).items():
        log.warning(
            "%d of the %d sentences of %s are also in training (the same words): scores on %s are too good by them",
            count, len(splits[split]), split, split,
        )  # fmt: skip
