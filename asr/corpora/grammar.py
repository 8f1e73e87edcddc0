"""The spoken corpus of a grammar: its sentences, said by the synthesizers that are installed.

Nothing is downloaded: the corpus is spoken into the cache when it is first asked for (`asr.synthesis.corpus` says
what lies there). Sentences and voices of dev and test are never in training.
"""

import json
import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from asr.config import SpeechCorpusConfig
from asr.corpora.dataset_cache import build_dataset, cache_key
from asr.corpora.utterances import Utterance
from asr.synthesis.corpus import speak_corpus
from asr.synthesis.engines import choose_engines, make_engine
from asr.synthesis.plan import PlanSettings, plan_corpus
from asr.synthesis.speak import SpeechJob
from sluice_core.corpus_files import CorpusError
from sluice_core.grammar.grammar import Grammar, Split
from sluice_core.grammar.reading import read_grammar
from sluice_core.normalization.text import Case, normalize_text

if TYPE_CHECKING:
    from datasets import Dataset

DEV_AND_TEST_SHARE = 0.1  # each …
MOST_IN_DEV_AND_TEST = 200  # … and no more: half of dev is spoken by the engines that take longest


def load(config: SpeechCorpusConfig, cache: Path) -> dict[str, "Dataset"]:
    """Return the splits "train", "dev" and "test", spoken first if they are not in the cache yet.

    Raises:
        CorpusError: the settings name speakers for dev or test, or the cache cannot be written.
        EngineError: an engine is missing.
        GrammarError: the grammar cannot be read.
    """
    if config.dev_speakers or config.test_speakers:
        raise CorpusError(
            "a spoken grammar brings its own dev and test voices: unset corpus.dev_speakers and corpus.test_speakers"
        )
    name, jobs = plan(config)
    manifest = speak_corpus(jobs, cache, name, voice_files=config.voice_files) / "manifest.jsonl"
    return {
        split: build_dataset(
            partial(_read, manifest, split, config.case),
            cache,
            cache_key(name, [manifest], {"split": split, "case": config.case}),
        )
        for split in get_args(Split)
    }


def plan(config: SpeechCorpusConfig) -> tuple[str, list[SpeechJob]]:
    """Return the name of the corpus, and what is said, by whom and how: a tenth is dev, a tenth test, 200 at most."""
    name, grammar = find_grammar(config)
    language = grammar.language
    held_out = choose_engines(config.held_out_engines, language, config.voice_files)
    engines = [
        engine
        for engine in choose_engines(config.engines, language, config.voice_files)
        if engine.name not in config.held_out_engines
    ]
    if not engines:
        raise CorpusError("no engine is left for training: corpus.engines needs one that is not held out")
    for engine in config.engine_shares:
        make_engine(
            engine
        )  # a share may be of an engine that is missing here, but not of one that is not there at all
    tenth = min(MOST_IN_DEV_AND_TEST, max(1, round(config.utterances * DEV_AND_TEST_SHARE)))
    settings = PlanSettings(
        counts={"train": config.utterances - 2 * tenth, "dev": tenth, "test": tenth},
        seed=config.split_seed,
        shares=config.engine_shares,
        renderings=config.renderings,
        shuffled_share=config.shuffled_share,
    )
    return name, plan_corpus(grammar, engines, held_out, settings)


def find_grammar(config: SpeechCorpusConfig) -> tuple[str, Grammar]:
    """Return the name and the grammar that the settings ask for: the built-in one, unless they name a file.

    Raises:
        GrammarError: the grammar cannot be read.
    """
    if config.kind == "travel" and config.data:
        raise CorpusError(
            "the travel corpus needs no data: for a grammar of your own set corpus.kind=grammar"
        )
    source = config.data or Path("travel")
    name = re.sub(r"[^\w.-]+", "-", source.stem)
    return name, read_grammar(source)


def _read(manifest: Path, split: Split, case: Case) -> Iterator[Utterance]:
    """Read the utterances of one split; paths become absolute, and texts have the case asked for."""
    with manifest.open(encoding="utf-8") as lines:
        for line in lines:
            utterance = json.loads(line)
            if utterance.pop("split") != split:
                continue
            for text in (utterance, *utterance["words"]):
                text["text"] = normalize_text(text["text"], case)
            utterance["audio"] = str((manifest.parent / utterance["audio"]).resolve())
            yield utterance
