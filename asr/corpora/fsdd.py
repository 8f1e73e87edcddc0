"""Free Spoken Digit Dataset: English digits one at a time, 8 kHz, `recordings/DIGIT_SPEAKER_INDEX.wav`.

Its authors' test split is the recordings with index 0 to 4. Source: Zohar Jackson and others,
https://github.com/Jakobovski/free-spoken-digit-dataset (CC BY-SA 4.0).
"""

import re
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from asr.config import SpeechCorpusConfig
from asr.corpora.dataset_cache import build_dataset, cache_key
from asr.corpora.splits import complete_splits
from asr.corpora.utterances import LocatedUtterance, Utterance, add_durations
from sluice_core.corpus_files import CorpusError, corpus_folder, describe_folder
from sluice_core.normalization.spoken_numbers import DIGITS
from sluice_core.normalization.text import Case, normalize_text

if TYPE_CHECKING:
    from datasets import Dataset

WORDS = ("zero", *DIGITS)
NAME = re.compile(r"(?P<digit>\d)_(?P<speaker>.+)_(?P<index>\d+)")
FIRST_TRAINING_INDEX = 5


def load(config: SpeechCorpusConfig, cache: Path) -> dict[str, "Dataset"]:
    """Load train, dev and, where there is one, test; the text is the word of the digit.

    Test is the speakers named in `config.test_speakers`, who are then in no other split; or else the recordings
    with index 0 to 4, where the copy has them (of the same speakers as in training).
    Dev is the speakers named in `config.dev_speakers`; or else a seeded share (`dev_fraction`) of the remaining
    recordings, whose speakers are also in training, since a whole speaker is a sixth of the corpus. Dev never
    shares a speaker with a test split of named speakers.

    Raises:
        CorpusError: the folder is not FSDD, or a recording cannot be read.
    """
    folder = corpus_folder(config.data, "fsdd", ["recordings"]) / "recordings"
    names = sorted(path.stem for path in folder.glob("*.wav") if NAME.fullmatch(path.stem))
    if not names:
        raise CorpusError(
            f"{folder}: looked for files named DIGIT_SPEAKER_INDEX.wav, such as 7_jackson_32.wav; "
            f"{describe_folder(folder)}"
        )
    members = {"train": names}
    if not config.test_speakers:
        official = [name for name in names if int(name.rsplit("_", 1)[1]) < FIRST_TRAINING_INDEX]
        training = sorted(set(names) - set(official))
        members = {"train": training, "test": official} if official and training else members
    splits, keys = {}, {}
    for split, chosen in members.items():
        keys[split] = cache_key("fsdd", [folder], {"case": config.case, "names": chosen})
        splits[split] = build_dataset(partial(_utterances, folder, chosen, config.case), cache, keys[split])
    return complete_splits(splits, config, cache, keys["train"], by="utterance")


def _utterances(folder: Path, names: Iterable[str], case: Case) -> Iterator[Utterance]:
    """Read the recordings with the given names."""

    def located() -> Iterator[LocatedUtterance]:
        for name in names:
            match = NAME.fullmatch(name)
            assert match is not None
            yield (
                str(folder),
                {
                    "id": name,
                    "audio": str(folder.resolve() / f"{name}.wav"),
                    "text": normalize_text(WORDS[int(match["digit"])], case),
                    "speaker": match["speaker"],
                },
            )

    return add_durations(located())
