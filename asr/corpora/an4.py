"""CMU AN4: spelled words, numbers, addresses and dates, 16 kHz, in the corpus's own layout.

    etc/an4_train.transcription         <s> SIX TWO FIVE </s> (cen7-mwhw-b)
    wav/an4_clstk/mwhw/cen7-mwhw-b.sph
    etc/an4_test.transcription          the official test split, where the copy has it
    wav/an4test_clstk/SPEAKER/ID.sph

Source: Acero and Stern, "Environmental robustness in automatic speech recognition", ICASSP 1990.
"""

import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from asr.config import SpeechCorpusConfig
from asr.corpora.dataset_cache import build_dataset, cache_key
from asr.corpora.splits import complete_splits
from asr.corpora.utterances import LocatedUtterance, Utterance, add_durations
from sluice_core.corpus_files import CorpusError, corpus_folder, read_lines
from sluice_core.normalization.text import Case, normalize_text

if TYPE_CHECKING:
    from datasets import Dataset

RECORDINGS = {"train": "an4_clstk", "test": "an4test_clstk"}
SUFFIXES = (".sph", ".wav", ".flac")  # as published, or converted
LINE = re.compile(r"(?:<s>)?(?P<text>.*?)(?:</s>)?\s*\((?P<id>[^()\s]+)\)")


def load(config: SpeechCorpusConfig, cache: Path) -> dict[str, "Dataset"]:
    """Load train and a speaker-disjoint dev from the training split, and the official test split if it is there.

    Raises:
        CorpusError: the folder is not AN4, a line is not as expected, or a recording is missing.
    """
    root = corpus_folder(config.data, "an4", ["etc/an4_train.transcription", "wav/an4_clstk"])
    found = [split for split in RECORDINGS if _transcription(root, split).is_file()]
    if "test" in found and not (root / "wav" / RECORDINGS["test"]).is_dir():
        found.remove("test")  # the copy has only its transcripts
    splits, keys = {}, {}
    for split in found:
        keys[split] = cache_key("an4", [_transcription(root, split)], {"split": split, "case": config.case})
        splits[split] = build_dataset(partial(_utterances, root, split, config.case), cache, keys[split])
    return complete_splits(splits, config, cache, keys["train"], by="speaker")


def _transcription(root: Path, split: str) -> Path:
    return root / "etc" / f"an4_{split}.transcription"


def _utterances(root: Path, split: str, case: Case) -> Iterator[Utterance]:
    return add_durations(_read(root, split, case))


def _read(root: Path, split: str, case: Case) -> Iterator[LocatedUtterance]:
    """Read the utterances of a split in the order of its transcription file."""
    path = _transcription(root, split)
    folder = root.resolve() / "wav" / RECORDINGS[split]
    for number, line in read_lines(path):
        if not line.strip():
            continue
        where = f"{path}, line {number}"
        match = LINE.fullmatch(line.strip())
        text = normalize_text(match["text"], case) if match else ""
        if match is None or not text:
            raise CorpusError(f"{where}: expected words and an id in brackets, found {line.strip()[:80]!r}")
        name = match["id"]
        speaker = name.split("-")[1] if name.count("-") >= 2 else name
        audio = _recording(folder / speaker / name)
        yield where, {"id": name, "audio": str(audio), "text": text, "speaker": speaker}


def _recording(stem: Path) -> Path:
    """Find the recording with this path and any suffix; where there is none, name the published one."""
    candidates = [stem.with_name(stem.name + suffix) for suffix in SUFFIXES]
    return next((path for path in candidates if path.is_file()), candidates[0])
