"""Fit a domain's rejection to speech that is none of its sentences, made by the same synthesizers."""

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from asr.config import SpeechCorpusConfig
from asr.corpora import load_corpus
from asr.corpora.utterances import read_utterance
from sluice.domain.settings import DomainConfig
from sluice.fitting_rejection import fit_rejection
from sluice.rejection import REJECTION_FILE
from sluice.understanding import Understander
from sluice_core.errors import UserError
from sluice_core.files import write_text
from sluice_core.grammar.grammar import Grammar
from sluice_core.grammar.reading import read_grammar

log = logging.getLogger("sluice")

OTHER_DOMAIN = "travel"
"""The built-in grammar whose sentences are other speech to every other domain."""
SEED_STEP = 1
"""Other speech is drawn by another seed than the corpus, so that it is not what training heard."""


def learn_to_reject(config: DomainConfig, run: Path, understander: Understander, cache: Path) -> None:
    """Fit rejection to dev against other speech and noise, and write it to the run, unless that is done.

    Where there is too little of either, as in a trial, rough weights are used instead, and the log says so.
    """
    if (run / REJECTION_FILE).exists():
        return
    transcriber, along = understander.transcriber, understander.along_grammar
    corpus, rate = transcriber.config.corpus, transcriber.config.features.sample_rate
    dev = load_corpus(corpus, cache)["dev"]
    sentences = [(read_utterance(row, rate), row["text"]) for row in dev]
    others = [
        read_utterance(row, rate)
        for other in other_corpora(corpus, along.grammar, config.others)
        for row in _utterances(other, cache)
        if along.graph.find(row["text"].split()) is None  # words in any order are a sentence at times
    ]
    try:
        rejection = fit_rejection(understander, sentences, others, seed=corpus.split_seed)
    except UserError as error:
        log.warning(f"{error}; what is none of the sentences is told by a rough rule")
        return
    understander.reject_by(rejection)
    write_text(run / REJECTION_FILE, rejection.to_yaml())


def other_corpora(
    corpus: SpeechCorpusConfig, grammar: Grammar, utterances: int
) -> Iterator[SpeechCorpusConfig]:
    """Yield what is spoken that is no sentence of a domain: its words in any order, and sentences of another domain.

    Args:
        corpus: the domain's own corpus.
        grammar: its grammar.
        utterances: how many of either.
    """
    changes = {"utterances": utterances, "split_seed": corpus.split_seed + SEED_STEP, "renderings": 1}
    yield corpus.model_copy(update={**changes, "shuffled_share": 1.0})
    if grammar.to_yaml() != read_grammar(OTHER_DOMAIN).to_yaml():
        yield corpus.model_copy(update={**changes, "shuffled_share": 0.0, "data": Path(OTHER_DOMAIN)})


def _utterances(corpus: SpeechCorpusConfig, cache: Path) -> Iterator[dict[str, Any]]:
    """Yield the utterances of a corpus, but those of dev and test where its words are shuffled in training alone."""
    splits = load_corpus(corpus, cache)
    for split in ("train",) if corpus.shuffled_share else tuple(splits):
        yield from splits[split]
