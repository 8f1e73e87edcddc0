"""Train, dev and test: where each lies, what is taken from training, and sentences that two share."""

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
    """The file, or seq.in folder, of each part that the settings name.

    `corpus.data` is one file (or seq.in folder), which is all training, or a folder with a part in each
    file or folder: `train.conll`, `eng.train`, `valid/`.

    Raises:
        CorpusError: nothing is named or nothing is found; says what was looked for and what is there.
    """
    named = {part: getattr(config, part) for part in NAMES if getattr(config, part) is not None}
    if config.data is None and "train" not in named:
        raise CorpusError(
            f"corpus {config.kind} needs its {_needed(config)}: corpus.data, or corpus.train and corpus.dev"
        )
    if config.data is None:
        return named
    if "train" in named:
        raise CorpusError("corpus.data and corpus.train both name the training part; keep one of them")
    found = find(config.data, config)
    return {"train": found.pop("all"), **named} if "all" in found else {**found, **named}


def find(data: Path, config: SentenceCorpusConfig) -> dict[str, Path]:
    """The parts in a folder by their names, or `{"all": data}` where it is itself a file of sentences.

    Raises:
        CorpusError: there is nothing there, or nothing that is a part, or a part twice.
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
        part = _part_of(path)
        is_one = (path / "seq.in").exists() if in_folders else path.is_file()
        if not part or not is_one or path.suffix in (".md", ".py"):
            continue
        if part in found:
            raise CorpusError(
                f"{data}: {found[part].name} and {path.name} both look like {part}; name the one to read: "
                f"corpus.train, corpus.dev and corpus.test instead of corpus.data"
            )
        found[part] = path
    if not found:
        raise CorpusError(
            f"{data}: no sentences there: looked for {_needed(config)}; {describe_folder(data)}"
        )
    return {part: found[part] for part in NAMES if part in found}


def _needed(config: SentenceCorpusConfig) -> str:
    if config.kind in ("atis", "snips"):
        return "folders train, dev (or valid) and test, each with seq.in, seq.out and label"
    return "files, such as train.txt, dev.txt and test.txt"


def _part_of(path: Path) -> str | None:
    """The part that a name speaks of: "eng.testa", "train.conll", "valid"."""
    words = set(re.split(r"[\W_]+", path.name.lower()))
    parts = [part for part, names in NAMES.items() if words & set(names)]
    return parts[0] if len(parts) == 1 else None


def divide(parts: Mapping[str, Sequence[Sentence]], fraction: float, seed: int) -> dict[str, list[Sentence]]:
    """The parts with a dev: where there is none, `fraction` of the training sentences, drawn by `seed`.

    Sentences of the same words stay together, so that dev has none of training's.

    Raises:
        CorpusError: there is no training part, or too little of it to divide.
    """
    if "train" not in parts:
        raise CorpusError(f"there is no training part, only {', '.join(parts)}: name it as corpus.train")
    divided = {part: list(sentences) for part, sentences in parts.items()}
    if "dev" not in divided:
        distinct = sorted({sentence.words for sentence in divided["train"]})
        count = round(len(distinct) * fraction)
        if not 0 < count < len(distinct):
            raise CorpusError(
                f"{len(distinct)} different training sentences are too few to take {fraction:g} of them for dev: "
                "name a dev part (corpus.dev), or change corpus.dev_fraction"
            )
        chosen = set(Random(seed).sample(distinct, count))
        whole = divided["train"]
        divided["train"] = [sentence for sentence in whole if sentence.words not in chosen]
        divided["dev"] = [sentence for sentence in whole if sentence.words in chosen]
    return {part: divided[part] for part in NAMES if part in divided}


def repeated(parts: Mapping[str, Sequence[Sentence]]) -> dict[str, int]:
    """How many sentences of dev and test have the words of a training sentence."""
    trained = {sentence.words for sentence in parts.get("train", ())}
    counts = {
        part: sum(sentence.words in trained for sentence in sentences)
        for part, sentences in parts.items()
        if part != "train"
    }
    return {part: count for part, count in counts.items() if count}


def warn_of_repeated(parts: Mapping[str, Sequence[Sentence]]) -> None:
    """Say in the log what `repeated` counts."""
    for part, count in repeated(parts).items():
        log.warning(
            "%d of the %d sentences of %s are also in training (the same words): scores on %s are too good by them",
            count, len(parts[part]), part, part,
        )  # fmt: skip
