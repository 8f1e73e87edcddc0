"""The recognizer and the tagger of a domain: each is trained unless it is finished, and goes on where it was killed."""

from itertools import islice
from pathlib import Path

from asr import Transcriber
from asr.config import RecognizerConfig
from slot_filling import Tagger
from slot_filling.config import TaggerConfig
from sluice.domain.settings import DomainConfig
from sluice.recipes import find_recipe
from sluice.understanding import GRAMMAR_FILE
from sluice_core.config import Override
from sluice_core.grammar.grammar import Grammar, draw_sentences
from sluice_core.grammar.reading import BUILT_IN
from sluice_core.normalization.text import normalize_text
from sluice_core.run_directory import METRICS_FILE

RECOGNIZER, TAGGER = "recognizer", "tagger"
"""The folders of the two in a domain's run directory."""
LANGUAGE_MODEL_SENTENCES = 20_000
"""Sentences of the grammar, repeats included, that the language models are estimated from."""


def corpus_data(config: DomainConfig, run: Path) -> str:
    """Return what the corpora of both are drawn from: the grammar of the run, or a built-in one by its name."""
    return config.grammar if config.grammar in BUILT_IN else str(run / GRAMMAR_FILE)


def recognizer_config(config: DomainConfig, run: Path) -> RecognizerConfig:
    """Return the settings of a domain's recognizer: its recipe's, on the grammar of the run."""
    given: list[Override] = [("name", RECOGNIZER), ("corpus.data", corpus_data(config, run))]
    return RecognizerConfig.read(find_recipe(config.recognizer), [*config.recognizer_changes, *given])


def tagger_config(config: DomainConfig, run: Path) -> TaggerConfig:
    """Return the settings of a domain's tagger: its recipe's, on the grammar of the run."""
    given: list[Override] = [("name", TAGGER), ("corpus.data", corpus_data(config, run))]
    return TaggerConfig.read(find_recipe(config.tagger), [*config.tagger_changes, *given])


def train_recognizer(config: DomainConfig, run: Path, cache: Path, quiet: bool) -> None:
    """Speak the grammar's sentences and train the recognizer, unless that is done."""
    from asr.training import experiment

    if not (run / RECOGNIZER / METRICS_FILE).exists():
        experiment.train(recognizer_config(config, run), run, cache, quiet=quiet)


def tune_recognizer(
    config: DomainConfig, run: Path, grammar: Grammar, cache: Path, quiet: bool
) -> Transcriber:
    """Choose a language model of the grammar's sentences on dev, as `sluice tune` does, and return the recognizer."""
    from asr.corpora import load_corpus
    from asr.tuning import candidates_from_transcripts, save_tuning, tune_run

    transcriber = Transcriber.load(run / RECOGNIZER)
    if transcriber.decoding.method == "beam":
        return transcriber
    corpus = transcriber.config.corpus
    drawn = islice(draw_sentences(grammar, corpus.split_seed, "train"), LANGUAGE_MODEL_SENTENCES)
    texts = [normalize_text(sentence.text, corpus.case) for sentence in drawn]
    dev = load_corpus(corpus, cache)["dev"]
    tuned = tune_run(transcriber, dev, candidates_from_transcripts(texts), beam=config.beam, quiet=quiet)
    save_tuning(transcriber, tuned)
    return Transcriber.load(run / RECOGNIZER)


def train_tagger(config: DomainConfig, run: Path, quiet: bool) -> Tagger:
    """Train the tagger, unless that is done, and return it."""
    from slot_filling.training import experiment

    if not (run / TAGGER / METRICS_FILE).exists():
        experiment.train(tagger_config(config, run), run, quiet=quiet)
    return Tagger.load(run / TAGGER)
