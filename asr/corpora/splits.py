"""Train, dev and test: what a corpus does not bring itself is taken from its training part."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from asr.config import CorpusConfig
from asr.corpora.rows import CorpusError, build_dataset, source_key, split_by_speaker

if TYPE_CHECKING:
    from datasets import Dataset

Unit = Literal["speaker", "utterance"]
FEWEST_SPEAKERS = 5  # with fewer, a whole speaker is too much to take from training


def divide(
    parts: dict[str, "Dataset"], config: CorpusConfig, cache: Path, key: str, *, by: Unit | None = None
) -> dict[str, "Dataset"]:
    """Complete `parts` (with "train", and "dev" and "test" where the corpus has them).

    A missing test part is the speakers named in `config.test_speakers`, or stays missing. A missing
    dev part is the speakers named in `config.dev_speakers`, or else a seeded share of the remaining
    training speakers or utterances (`by`; if not given, speakers where there are at least five).
    Utterances whose speaker is unknown stay in training when speakers are divided.

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
    whole = parts["train"]

    def rows_of(part: str) -> Callable[[], Iterator[Mapping[str, Any]]]:
        # Called only when the part is not in the cache, which is when the whole has to be looked at.
        def rows() -> Iterator[Mapping[str, Any]]:
            part_of = _plan(whole, config, by, with_dev="dev" not in parts)
            return (row for row in whole if part_of(row) == part)

        return rows

    made = {"train"} | ({"dev"} - parts.keys()) | ({"test"} if config.test_speakers else set())
    divided = {part: build_dataset(rows_of(part), cache, f"{split_key}-{part}") for part in sorted(made)}
    merged = parts | divided
    return {part: merged[part] for part in ("train", "dev", "test") if part in merged}


def _plan(
    whole: "Dataset", config: CorpusConfig, by: Unit | None, with_dev: bool
) -> Callable[[Mapping[str, Any]], str]:
    """A function from a row to its part."""
    speakers = set(whole.unique("speaker")) - {""}
    test, dev = set(config.test_speakers), set(config.dev_speakers)
    _check_names(speakers, dev, test)
    dev_ids: set[str] = set()
    if with_dev and not dev:
        remaining = speakers - test
        if by == "speaker" or (by is None and len(remaining) >= FEWEST_SPEAKERS):
            dev = split_by_speaker(remaining, config.dev_fraction, config.split_seed)
        else:
            columns = whole.select_columns(["id", "speaker"])
            ids = (row["id"] for row in columns if row["speaker"] not in test)
            dev_ids = split_by_speaker(ids, config.dev_fraction, config.split_seed)

    def part_of(row: Mapping[str, Any]) -> str:
        if row["speaker"] in test:
            return "test"
        return "dev" if row["speaker"] in dev or row["id"] in dev_ids else "train"

    return part_of


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
