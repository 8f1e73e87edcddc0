"""The splits train, dev and test: those that a corpus does not bring itself are taken from its training split."""

import hashlib
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from asr.config import SpeechCorpusConfig
from asr.corpora.dataset_cache import build_from_batches, cache_key
from sluice_core.corpus_files import CorpusError

if TYPE_CHECKING:
    import pyarrow
    from datasets import Dataset

SPLITS = ("train", "dev", "test")
HeldOutUnit = Literal["speaker", "utterance"]
"""What dev is a share of."""
FEWEST_SPEAKERS = 5  # of fewer, a whole one is too much to take from training


def complete_splits(
    splits: dict[str, "Dataset"],
    config: SpeechCorpusConfig,
    cache: Path,
    key: str,
    *,
    by: HeldOutUnit | None = None,
) -> dict[str, "Dataset"]:
    """Add the dev and test splits that a corpus lacks, taken from its training split.

    A missing test split is the speakers named in `config.test_speakers`, or stays missing. A missing dev split is
    the speakers named in `config.dev_speakers`, or else a seeded share of the remaining training speakers or
    utterances. Where speakers are held out, utterances of unknown speakers stay in training.

    Args:
        splits: The datasets of the corpus: "train", and "dev" and "test" if it has them.
        config: The settings, which say who is held out.
        cache: The folder of the datasets made here.
        key: A name that changes when `splits` do (`cache_key`).
        by: What dev is a share of; if not given, speakers where there are at least five, else utterances.

    Raises:
        CorpusError: a named speaker does not occur, is named twice, or the corpus has that split already; or
            there is too little to divide.
    """
    for split, names in (("dev", config.dev_speakers), ("test", config.test_speakers)):
        if split in splits and names:
            raise CorpusError(f"corpus.{split}_speakers is set, but the corpus brings its own {split} split")
    if "dev" in splits and not config.test_speakers:
        return splits
    settings = config.model_dump(include={"dev_fraction", "dev_speakers", "test_speakers", "split_seed"})
    split_key = cache_key(key, [], {**settings, "splits": sorted(splits), "by": by})
    missing = {"train"} | ({"dev"} - splits.keys()) | ({"test"} if config.test_speakers else set())
    divided = {
        split: build_from_batches(
            partial(_batches, split, splits["train"], config, by, "dev" in missing),
            cache,
            f"{split_key}-{split}",
        )
        for split in sorted(missing)
    }
    merged = splits | divided
    return {split: merged[split] for split in SPLITS if split in merged}


def _batches(
    split: str, whole: "Dataset", config: SpeechCorpusConfig, by: HeldOutUnit | None, with_dev: bool
) -> Iterator["pyarrow.RecordBatch"]:
    """Yield the utterances of the whole that belong to a split; runs only when the split is not in the cache."""
    from pyarrow import array, compute, string

    speakers = set(whole.unique("speaker")) - {""}
    _check_names(speakers, set(config.dev_speakers), set(config.test_speakers))
    dev_speakers, dev_ids = _chosen_for_dev(whole, speakers, config, by) if with_dev else (set(), set())
    held_out = {name: array(sorted(names), string()) for name, names in (
        ("test", set(config.test_speakers)), ("dev", dev_speakers), ("ids", dev_ids)
    )}  # fmt: skip
    for batch in whole.data.to_batches():
        in_test = compute.is_in(batch["speaker"], held_out["test"])
        in_dev = compute.or_(
            compute.is_in(batch["speaker"], held_out["dev"]), compute.is_in(batch["id"], held_out["ids"])
        )
        in_dev = compute.and_not(in_dev, in_test)
        masks = {"test": in_test, "dev": in_dev, "train": compute.invert(compute.or_(in_test, in_dev))}
        yield batch.filter(masks[split])


def _chosen_for_dev(
    whole: "Dataset", speakers: set[str], config: SpeechCorpusConfig, by: HeldOutUnit | None
) -> tuple[set[str], set[str]]:
    """Choose the speakers or the ids of dev; the other set is empty."""
    test, dev = set(config.test_speakers), set(config.dev_speakers)
    if dev:
        return dev, set()
    remaining = speakers - test
    if by == "speaker" or (by is None and len(remaining) >= FEWEST_SPEAKERS):
        return hold_out(remaining, config.dev_fraction, config.split_seed), set()
    columns = whole.data.select(["id", "speaker"]).to_pydict()
    ids = (name for name, who in zip(columns["id"], columns["speaker"], strict=True) if who not in test)
    return set(), hold_out(ids, config.dev_fraction, config.split_seed)


def hold_out(names: Iterable[str], fraction: float, seed: int) -> set[str]:
    """Choose the speakers, or the utterances by their ids, to hold out: at least one and never all.

    Names are ranked by a hash of the seed and the name, so that the choice hardly changes when others join.

    >>> sorted(hold_out(["ann", "bob", "eve", "joe"], fraction=0.5, seed=17))
    ['eve', 'joe']

    Args:
        names: The speakers or ids.
        fraction: About which share of them to hold out.
        seed: The seed of the choice.

    Raises:
        CorpusError: there are fewer than two names.
    """
    different = set(names)
    if len(different) < 2:
        raise CorpusError("cannot hold out a dev split: it takes at least two utterances, or two speakers")
    count = min(max(1, round(fraction * len(different))), len(different) - 1)
    ranked = sorted(different, key=lambda name: hashlib.sha256(f"{seed} {name}".encode()).digest())
    return set(ranked[:count])


def _check_names(speakers: set[str], dev: set[str], test: set[str]) -> None:
    """Check that the named speakers exist, none is named twice, and training keeps some.

    Raises:
        CorpusError: one of that is not so.
    """
    unknown = sorted((dev | test) - speakers)
    if unknown:
        known = ", ".join(sorted(speakers)[:20]) or "none"
        raise CorpusError(f"no speaker is named {', '.join(unknown)}; the speakers of the corpus: {known}")
    if dev & test:
        raise CorpusError(f"speakers are named for both dev and test: {', '.join(sorted(dev & test))}")
    if speakers and not speakers - dev - test:
        raise CorpusError("corpus.dev_speakers and corpus.test_speakers leave no speaker for training")
