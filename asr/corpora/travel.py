"""The embedded corpus: travel requests of `sluice_core.grammar.travel`, spoken by espeak-ng.

Nothing is downloaded: the corpus is spoken into the cache when it is first asked for (`asr.synthesis.corpus` says
what lies there). Sentences and voices of dev and test are never in training.
"""

import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from asr.config import SpeechCorpusConfig
from asr.corpora.dataset_cache import build_dataset, cache_key
from asr.corpora.utterances import Utterance
from asr.synthesis.corpus import plan_jobs, speak_corpus
from asr.synthesis.speak import SpeechJob
from asr.synthesis.voices import voices_of
from sluice_core.corpus_files import CorpusError
from sluice_core.grammar.grammar import Split
from sluice_core.grammar.travel import generate
from sluice_core.normalization.text import Case, normalize_text

if TYPE_CHECKING:
    from datasets import Dataset

DEV_AND_TEST_SHARE = 0.1  # each


def load(config: SpeechCorpusConfig, cache: Path) -> dict[str, "Dataset"]:
    """Return the splits "train", "dev" and "test", spoken first if they are not in the cache yet.

    Raises:
        CorpusError: the settings name speakers for dev or test, or the cache cannot be written.
        EspeakError: the corpus has to be spoken, and espeak-ng is not installed.
    """
    if config.dev_speakers or config.test_speakers:
        raise CorpusError(
            "the travel corpus brings its own dev and test voices: unset corpus.dev_speakers and "
            "corpus.test_speakers"
        )
    jobs = plan(config.utterances, config.split_seed)
    manifest = speak_corpus(jobs, cache, "travel") / "manifest.jsonl"
    return {
        split: build_dataset(
            partial(_read, manifest, split, config.case),
            cache,
            cache_key("travel", [manifest], {"split": split, "case": config.case}),
        )
        for split in get_args(Split)
    }


def plan(utterances: int, seed: int) -> list[SpeechJob]:
    """Plan what is said, by whom and how: a tenth of the utterances are dev, a tenth are test."""
    held_out = max(1, round(utterances * DEV_AND_TEST_SHARE))
    counts: dict[Split, int] = {"train": utterances - 2 * held_out, "dev": held_out, "test": held_out}
    return [
        job
        for split, count in counts.items()
        for job in plan_jobs(
            split, [sentence.text for sentence in generate(count, seed, split)], voices_of(split), seed
        )
    ]


def _read(manifest: Path, split: Split, case: Case) -> Iterator[Utterance]:
    """Read the utterances of one split; paths become absolute, and texts have the case asked for."""
    with manifest.open(encoding="utf-8") as lines:
        for line in lines:
            utterance = json.loads(line)
            if utterance.pop("split") != split:
                continue
            for text in (utterance, *utterance["words"]):
                text["text"] = normalize_text(text["text"], case)
            utterance["audio"] = str(manifest.resolve().parent / utterance["audio"])
            yield utterance
