"""Measure how a recognizer hears synthesizers: `python -m benchmarks.other_voices RUN [ENGINE…] [--sentences 60]`.

RUN is a recognizer of a spoken grammar. Each engine (all that are installed, if none are named) says sentences of the
grammar that are in no training, by voices that training has not heard, or by those it has where there are no others.
Words are counted greedily and as the run decodes, which is another thing once `sluice tune` has been run.
"""

import argparse
import json
from dataclasses import dataclass
from pathlib import Path

from datasets import Dataset
from tabulate import tabulate

from asr.config import SpeechCorpusConfig
from asr.corpora import load_corpus
from asr.corpora.grammar import find_grammar
from asr.decoding.config import DecodingConfig
from asr.evaluation.evaluation import evaluate
from asr.synthesis.corpus import MANIFEST, speak_corpus
from asr.synthesis.engines import all_engines, make_engine
from asr.synthesis.engines.protocol import Engine
from asr.synthesis.plan import PlanSettings, plan_engine
from asr.synthesis.speak import SpeechJob
from asr.transcriber import Transcriber
from sluice_core.devices import describe_machine

SENTENCES = 60
SEED = 2026


@dataclass(frozen=True)
class Words:
    """Errors over words."""

    errors: int = 0
    total: int = 0

    def __add__(self, other: "Words") -> "Words":
        return Words(self.errors + other.errors, self.total + other.total)

    def __str__(self) -> str:
        return f"{self.errors / max(1, self.total):.1%} ({self.errors} / {self.total})"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="measure how a recognizer hears synthesizers")
    parser.add_argument("run", type=Path)
    parser.add_argument("engines", nargs="*", metavar="ENGINE")
    parser.add_argument("--sentences", type=int, default=SENTENCES, help="of each engine")
    parser.add_argument("--cache", type=Path, default=Path("cache"))
    options = parser.parse_args()
    greedy = Transcriber.load(options.run, decoding=DecodingConfig())
    tuned = Transcriber.load(options.run)
    corpus = greedy.config.corpus
    heard = set(load_corpus(corpus, options.cache)["train"]["speaker"])
    engines = [make_engine(name) for name in options.engines] or [
        engine for engine in all_engines() if engine.available() is None
    ]
    rows, sums = [], [Words(), Words()]
    for engine in engines:
        jobs = plan(engine, corpus, options.sentences, heard)
        utterances = speak(jobs, options.cache)
        counts = [count(each, utterances) for each in (greedy, tuned)]
        sums = [total + more for total, more in zip(sums, counts, strict=True)]
        speakers = {job.speaker for job in jobs}
        rows.append([engine.name, len(speakers), "yes" if speakers & heard else "no", *counts])
    rows.append(["all", "", "", *sums])
    print(f"{describe_machine()}; {options.sentences} sentences by each engine")
    header = ["engine", "voices", "heard before", "WER, greedy", "WER, as the run decodes"]
    print(tabulate(rows, header, tablefmt="github"))


def plan(engine: Engine, corpus: SpeechCorpusConfig, sentences: int, heard: set[str]) -> list[SpeechJob]:
    """Return what an engine says: sentences of test, by voices that are not heard before where it has some."""
    _, grammar = find_grammar(corpus)
    settings = PlanSettings(counts={"test": sentences}, seed=SEED)
    voices = engine.voices(grammar.language)
    kept = voices["test"] or voices["dev"] or voices["train"]
    if not any(speaker.startswith(f"{engine.name}:") for speaker in heard):
        kept = tuple(name for names in voices.values() for name in names)
    return plan_engine(grammar, engine, kept, "test", sentences, settings)


def speak(jobs: list[SpeechJob], cache: Path) -> Dataset:
    """Return utterances, spoken unless they are in the cache."""
    manifest = speak_corpus(jobs, cache, "other-voices") / MANIFEST
    with manifest.open(encoding="utf-8") as lines:
        utterances = [json.loads(line) for line in lines]
    for utterance in utterances:
        utterance["audio"] = str(manifest.parent / utterance["audio"])
    return Dataset.from_list(utterances)


def count(transcriber: Transcriber, utterances: Dataset) -> Words:
    """Return the errors of a recognizer over words."""
    words = evaluate(transcriber, utterances, quiet=True).words
    return Words(words.errors, words.total)


if __name__ == "__main__":
    main()
