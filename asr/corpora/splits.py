"""Train, dev and test: what a corpus does not bring itself is taken from its training part."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from asr.config import SpeechCorpusConfig
from asr.corpora.utterances import CorpusError, source_key, split_by_speaker, stored

if TYPE_CHECKING:
    import pyarrow
    from datasets import Dataset

Unit = Literal["speaker", "utterance"]
FEWEST_SPEAKERS = 5  # with fewer, a whole speaker is too much to take from training


def divide(
    parts: dict[str, "Dataset"], config: SpeechCorpusConfig, cache: Path, key: str, *, by: Unit | None = None
) -> dict[str, "Dataset"]:
    """Complete `parts` (with "train", and "dev" and "test" where the corpus has them).

    A missing test part is the speakers named in `config.test_speakers`, or stays missing. A missing
    dev part is the speakers named in `config.dev_speakers`, or else a seeded share of the remaining
    training speakers or utterances (`by`; if not given, speakers where there are at least five).
    Utterances whose speaker is unknown stay in training when speakers are divided.

    Args:
        parts: undivided datasets of `build_dataset`.
        config: who is held out.
        cache: folder of the divided datasets.
        key: changes when `parts` change.
        by: what dev is a share of.

    Raises:
        CorpusError: a named speaker is not there, is named twice, or the corpus has that part already;
            or there is too little to divide.
    """
    for part, names in (("dev", config.dev_speakers), ("test", config.test_speakers)):
        if part in parts and names:
            raise CorpusError(f"corpus.{part}_speakers is set, but the corpus brings its own {part} part")
    if "dev" in parts and not config.test_speakers:
        return parts
    settings = config.model_dump(include={"dev_fraction", "dev_speakers", "test_speakers", "split_seed"})
    split_key = source_key(key, [], {**settings, "parts": sorted(parts), "by": by})
    made = {"train"} | ({"dev"} - parts.keys()) | ({"test"} if config.test_speakers else set())
    divided = {
        part: stored(
            partial(_batches, part, parts["train"], config, by, "dev" in made), cache, f"{split_key}-{part}"
        )
        for part in sorted(made)
    }
    merged = parts | divided
    return {part: merged[part] for part in ("train", "dev", "test") if part in merged}


def _batches(
    part: str, whole: "Dataset", config: SpeechCorpusConfig, by: Unit | None, with_dev: bool
) -> Iterator["pyarrow.RecordBatch"]:
    """What of the whole belongs to a part; runs only when the part is not in the cache."""
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
        yield batch.filter(masks[part])


def _chosen_for_dev(
    whole: "Dataset", speakers: set[str], config: SpeechCorpusConfig, by: Unit | None
) -> tuple[set[str], set[str]]:
    """The speakers and the ids of dev; one of the two is empty."""
    test, dev = set(config.test_speakers), set(config.dev_speakers)
    if dev:
        return dev, set()
    remaining = speakers - test
    if by == "speaker" or (by is None and len(remaining) >= FEWEST_SPEAKERS):
        return split_by_speaker(remaining, config.dev_fraction, config.split_seed), set()
    columns = whole.data.select(["id", "speaker"]).to_pydict()
    ids = (name for name, who in zip(columns["id"], columns["speaker"], strict=True) if who not in test)
    return set(), split_by_speaker(ids, config.dev_fraction, config.split_seed)


def _check_names(speakers: set[str], dev: set[str], test: set[str]) -> None:
    """Raise unless the named speakers exist, none is named twice, and somebody is left for training."""
    unknown = sorted((dev | test) - speakers)
    if unknown:
        there = ", ".join(sorted(speakers)[:20]) or "none"
        raise CorpusError(f"no speaker is named {', '.join(unknown)}; the speakers of the corpus: {there}")
    if dev & test:
        raise CorpusError(f"speakers are named for both dev and test: {', '.join(sorted(dev & test))}")
    if speakers and not speakers - dev - test:
        raise CorpusError("corpus.dev_speakers and corpus.test_speakers leave no speaker for training")
