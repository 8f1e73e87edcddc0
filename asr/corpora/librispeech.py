"""LibriSpeech layout: `SPLIT/SPEAKER/CHAPTER/SPEAKER-CHAPTER.trans.txt`, FLAC files beside it.

Source: Panayotov and others, "Librispeech: an ASR corpus based on public domain audio books",
ICASSP 2015.
"""

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from asr.config import SpeechCorpusConfig
from asr.corpora.splits import divide
from asr.corpora.utterances import CorpusError, Located, Utterance, build_dataset, measured, source_key
from sluice_core.corpus_files import describe_folder, read_lines
from sluice_core.normalization.text import Case, normalize_text

if TYPE_CHECKING:
    from datasets import Dataset

PARTS = ("train", "dev", "test")
SUFFIXES = (".flac", ".wav")


def load(config: SpeechCorpusConfig, cache: Path) -> dict[str, "Dataset"]:
    """Folders named train-*, dev-* and test-* are the parts, several of one part taken together.

    A folder without them that holds SPEAKER/CHAPTER folders itself (one split alone) is the training
    part. A dev part that is not there is taken from training, by speaker.

    Raises:
        CorpusError: the folder is not in this layout, a line is not as expected, or a recording is missing.
    """
    folders = _split_folders(config.data)
    parts, keys = {}, {}
    for part, roots in folders.items():
        transcripts = [path for root in roots for path in sorted(root.glob("*/*/*.trans.txt"))]
        keys[part] = source_key("librispeech", transcripts, {"case": config.case})
        parts[part] = build_dataset(partial(_rows, transcripts, config.case), cache, keys[part])
    return divide(parts, config, cache, keys["train"], by="speaker")


def _split_folders(data: Path | None) -> dict[str, list[Path]]:
    """The folders of each part that there is; "train" is among them."""
    if data is None:
        raise CorpusError("corpus librispeech needs its folder (corpus.data), the one with train-clean-100")
    if (data / "LibriSpeech").is_dir():  # what the archives unpack to
        data = data / "LibriSpeech"
    found = {part: [path for path in sorted(data.glob(f"{part}-*")) if path.is_dir()] for part in PARTS}
    found = {part: folders for part, folders in found.items() if any(map(_has_transcripts, folders))}
    if "train" in found:
        return found
    if _has_transcripts(data):
        return {"train": [data]}
    raise CorpusError(
        f"{data}: not the librispeech layout: looked for train-*/SPEAKER/CHAPTER/*.trans.txt (and dev-*, "
        f"test-*), or for SPEAKER/CHAPTER/*.trans.txt; {describe_folder(data)}"
    )


def _has_transcripts(folder: Path) -> bool:
    return next(folder.glob("*/*/*.trans.txt"), None) is not None


def _rows(transcripts: Sequence[Path], case: Case) -> Iterator[Utterance]:
    return measured(_read(transcripts, case))


def _read(transcripts: Sequence[Path], case: Case) -> Iterator[Located]:
    """Utterances of `SPEAKER-CHAPTER-NUMBER TEXT` lines; the speaker is the folder two levels up."""
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
