"""CMU AN4: spelled words, numbers, addresses and dates, 16 kHz, in the corpus's own layout.

    etc/an4_train.transcription         <s> SIX TWO FIVE </s> (cen7-mwhw-b)
    wav/an4_clstk/mwhw/cen7-mwhw-b.sph
    etc/an4_test.transcription          the official test part, where the copy has it
    wav/an4test_clstk/SPEAKER/ID.sph

Source: Acero and Stern, "Environmental robustness in automatic speech recognition", ICASSP 1990.
"""

import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from asr.config import SpeechCorpusConfig
from asr.corpora.splits import divide
from asr.corpora.utterances import CorpusError, Located, Utterance, build_dataset, measured, source_key
from sluice_core.corpus_files import corpus_folder, read_lines
from sluice_core.normalization.text import Case, normalize_text

if TYPE_CHECKING:
    from datasets import Dataset

RECORDINGS = {"train": "an4_clstk", "test": "an4test_clstk"}
SUFFIXES = (".sph", ".wav", ".flac")  # as published, or converted
LINE = re.compile(r"(?:<s>)?(?P<text>.*?)(?:</s>)?\s*\((?P<id>[^()\s]+)\)")


def load(config: SpeechCorpusConfig, cache: Path) -> dict[str, "Dataset"]:
    """Train and a speaker-disjoint dev from the training part; "test" is the official test part if there.

    Raises:
        CorpusError: the folder is not AN4, a line is not as expected, or a recording is missing.
    """
    root = corpus_folder(config.data, "an4", ["etc/an4_train.transcription", "wav/an4_clstk"])
    there = [part for part in RECORDINGS if _transcription(root, part).is_file()]
    if "test" in there and not (root / "wav" / RECORDINGS["test"]).is_dir():
        there.remove("test")  # the transcripts alone came along
    parts, keys = {}, {}
    for part in there:
        keys[part] = source_key("an4", [_transcription(root, part)], {"part": part, "case": config.case})
        parts[part] = build_dataset(partial(_rows, root, part, config.case), cache, keys[part])
    return divide(parts, config, cache, keys["train"], by="speaker")


def _transcription(root: Path, part: str) -> Path:
    return root / "etc" / f"an4_{part}.transcription"


def _rows(root: Path, part: str, case: Case) -> Iterator[Utterance]:
    return measured(_read(root, part, case))


def _read(root: Path, part: str, case: Case) -> Iterator[Located]:
    """Utterances of a part, in the order of its transcription file."""
    path = _transcription(root, part)
    folder = root.resolve() / "wav" / RECORDINGS[part]
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
    """The recording with this path less its suffix; as published if there is none."""
    candidates = [stem.with_name(stem.name + suffix) for suffix in SUFFIXES]
    return next((path for path in candidates if path.is_file()), candidates[0])
