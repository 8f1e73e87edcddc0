"""LibriSpeech layout: `SPLIT/SPEAKER/CHAPTER/SPEAKER-CHAPTER.trans.txt`, FLAC files beside it.

Source: Panayotov and others, "Librispeech: an ASR corpus based on public domain audio books",
ICASSP 2015.
"""

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from asr.config import SpeechCorpusConfig
from asr.corpora.dataset_cache import build_dataset, cache_key
from asr.corpora.splits import SPLITS, complete_splits
from asr.corpora.utterances import LocatedUtterance, Utterance, add_durations
from sluice_core.corpus_files import CorpusError, describe_folder, read_lines
from sluice_core.normalization.text import Case, normalize_text

if TYPE_CHECKING:
    from datasets import Dataset

SUFFIXES = (".flac", ".wav")


def load(config: SpeechCorpusConfig, cache: Path) -> dict[str, "Dataset"]:
    """Load the splits: folders named train-*, dev-* and test-*, several of one split taken together.

    If there are none, and the folder itself holds SPEAKER/CHAPTER folders (as a single one of them does), it is
    the training split. A dev split that is not there is taken from training, by speaker.

    Raises:
        CorpusError: the folder is not in this layout, a line is not as expected, or a recording is missing.
    """
    folders = _split_folders(config.data)
    splits, keys = {}, {}
    for split, roots in folders.items():
        transcripts = [path for root in roots for path in sorted(root.glob("*/*/*.trans.txt"))]
        keys[split] = cache_key("librispeech", transcripts, {"case": config.case})
        splits[split] = build_dataset(partial(_utterances, transcripts, config.case), cache, keys[split])
    return complete_splits(splits, config, cache, keys["train"], by="speaker")


def _split_folders(data: Path | None) -> dict[str, list[Path]]:
    """Find the folders of each split that there is; "train" is always among them.

    Raises:
        CorpusError: no folder is named, or it is not in this layout.
    """
    if data is None:
        raise CorpusError(
            "corpus librispeech needs its folder (corpus.data; --data FOLDER), the one with train-clean-100"
        )
    if (data / "LibriSpeech").is_dir():  # what the archives unpack to
        data = data / "LibriSpeech"
    found = {split: [path for path in sorted(data.glob(f"{split}-*")) if path.is_dir()] for split in SPLITS}
    found = {split: folders for split, folders in found.items() if any(map(_has_transcripts, folders))}
    if "train" in found:
        return found
    if _has_transcripts(data):
        return {"train": [data]}
    raise CorpusError(
        f"{data}: not the librispeech layout: looked for train-*/SPEAKER/CHAPTER/*.trans.txt (and dev-*, "
        f"test-*), or for SPEAKER/CHAPTER/*.trans.txt; {describe_folder(data)}"
    )


def _has_transcripts(folder: Path) -> bool:
    """Tell whether a folder holds SPEAKER/CHAPTER folders with transcripts."""
    return next(folder.glob("*/*/*.trans.txt"), None) is not None


def _utterances(transcripts: Sequence[Path], case: Case) -> Iterator[Utterance]:
    return add_durations(_read(transcripts, case))


def _read(transcripts: Sequence[Path], case: Case) -> Iterator[LocatedUtterance]:
    """Read lines `SPEAKER-CHAPTER-NUMBER TEXT`; the speaker is the name of the folder two levels up."""
    for path in transcripts:
        for number, line in read_lines(path):
            name, _, text = line.strip().partition(" ")
            text = normalize_text(text, case)
            if name and not text:
                raise CorpusError(f"{path}, line {number}: expected an id and its text, found {line[:80]!r}")
            if name:
                candidates = [path.resolve().with_name(name + suffix) for suffix in SUFFIXES]
                audio = next((file for file in candidates if file.is_file()), candidates[0])
                yield (
                    f"{path}, line {number}",
                    {"id": name, "audio": str(audio), "text": text, "speaker": path.parent.parent.name},
                )
