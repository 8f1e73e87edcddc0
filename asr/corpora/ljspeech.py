"""LJSpeech layout: one speaker, `metadata.csv` with lines `ID|TEXT|TEXT IN WORDS`, and `wavs/ID.wav`.

Source: Keith Ito and Linda Johnson, "The LJ Speech Dataset", https://keithito.com/LJ-Speech-Dataset.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from asr.config import SpeechCorpusConfig
from asr.corpora.dataset_cache import build_dataset, cache_key
from asr.corpora.splits import complete_splits
from asr.corpora.utterances import LocatedUtterance, add_durations
from sluice_core.corpus_files import CorpusError, corpus_folder, read_lines
from sluice_core.normalization.text import Case, normalize_text

if TYPE_CHECKING:
    from datasets import Dataset

SPEAKER = "ljspeech"


def load(config: SpeechCorpusConfig, cache: Path) -> dict[str, "Dataset"]:
    """Load train and, as a seeded share of the utterances, dev; texts are those in words where there are some.

    Raises:
        CorpusError: the folder is not in this layout, a line is not as expected, or a recording is missing.
    """
    root = corpus_folder(config.data, "ljspeech", ["metadata.csv", "wavs"])
    metadata = root / "metadata.csv"
    key = cache_key("ljspeech", [metadata], {"case": config.case})
    whole = build_dataset(lambda: add_durations(_read(metadata, config.case)), cache, key)
    return complete_splits({"train": whole}, config, cache, key, by="utterance")


def _read(metadata: Path, case: Case) -> Iterator[LocatedUtterance]:
    """Read the lines of `metadata.csv`."""
    folder = metadata.resolve().parent / "wavs"
    for number, line in read_lines(metadata):
        if not line.strip():
            continue
        name, *texts = (field.strip() for field in line.split("|"))
        text = normalize_text(next((text for text in reversed(texts) if text), ""), case)
        if not name or not text:
            raise CorpusError(
                f"{metadata}, line {number}: expected ID|TEXT or ID|TEXT|TEXT IN WORDS, found {line[:80]!r}"
            )
        yield (
            f"{metadata}, line {number}",
            {"id": name, "audio": str(folder / f"{name}.wav"), "text": text, "speaker": SPEAKER},
        )
