"""LJSpeech layout: one speaker, `metadata.csv` with lines `ID|TEXT|TEXT IN WORDS`, and `wavs/ID.wav`.

Source: Keith Ito and Linda Johnson, "The LJ Speech Dataset", https://keithito.com/LJ-Speech-Dataset.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from asr.config import SpeechCorpusConfig
from asr.corpora.splits import divide
from asr.corpora.utterances import CorpusError, Located, build_dataset, measured, source_key
from sluice_core.corpus_files import corpus_folder, read_lines
from sluice_core.normalization.text import Case, normalize_text

if TYPE_CHECKING:
    from datasets import Dataset

SPEAKER = "ljspeech"


def load(config: SpeechCorpusConfig, cache: Path) -> dict[str, "Dataset"]:
    """Train and dev, a seeded share of the utterances; the text is the one in words where there is one.

    Raises:
        CorpusError: the folder is not in this layout, a line is not as expected, or a recording is missing.
    """
    root = corpus_folder(config.data, "ljspeech", ["metadata.csv", "wavs"])
    metadata = root / "metadata.csv"
    key = source_key("ljspeech", [metadata], {"case": config.case})
    whole = build_dataset(lambda: measured(_read(metadata, config.case)), cache, key)
    return divide({"train": whole}, config, cache, key, by="utterance")


def _read(metadata: Path, case: Case) -> Iterator[Located]:
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
