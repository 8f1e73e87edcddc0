"""Evaluate a domain's recognizer and tagger together: on dev, where the tagger's weight is chosen, and once on test."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from asr import Transcriber
from asr.corpora import load_corpus
from asr.corpora.utterances import read_utterance
from asr.transcript import Transcript
from slot_filling import Tagger
from slot_filling.tagging import Slot, Tagging
from sluice.domain.metrics import Meaning, RequestCounts, SlotMeaning, count, is_right, truth, word_error_rate
from sluice.domain.settings import DomainConfig
from sluice.domain.voices import Heard, count_engines
from sluice.rejection import RejectionConfig
from sluice.rescoring import rescore
from sluice.understanding import SpokenSlot, Understander, Understanding
from sluice_core.grammar.canonical_values import CanonicalValues
from sluice_core.grammar.grammar import Grammar, Split
from sluice_core.grammar.network import GrammarNetwork
from sluice_core.grammar.parsing import Parser
from sluice_core.progress import track


@dataclass(frozen=True)
class Request:
    """A recording of a split, its meaning, and what the recognizer makes of it."""

    number: int
    speaker: str
    samples: np.ndarray
    sample_rate: int
    gold: Meaning
    heard: Transcript


@dataclass(frozen=True)
class Miss:
    """A request of test that was not understood."""

    request: Request
    understood: Understanding
    meaning: Meaning
    """What was understood, with the values of the slots by the grammar."""


@dataclass(frozen=True)
class RequestEvaluation:
    """All figures of a domain, and the requests that were not understood."""

    weight: float
    """The weight of the tagger, chosen on dev."""
    by_weight: list[tuple[float, RequestCounts]]
    """The counts of dev with each weight."""
    rows: dict[str, tuple[dict[str, Any], RequestCounts]]
    """The errors over words and the counts of test, by how it was understood; the last is how the domain is used."""
    heard: list[Heard]
    """What was said and understood in test, by whom."""
    misses: list[Miss]
    """Requests of test that were not understood, the worst first."""
    rejection: RejectionConfig | None = None
    """What is told to be none of the sentences; None if there was too little to fit it to."""

    def to_dict(self) -> dict[str, Any]:
        """Return the figures as plain values."""
        return {
            "tagger_weight": self.weight,
            "dev": [{"weight": weight, **counts.to_dict()} for weight, counts in self.by_weight],
            "test": {
                name: {"words": words, **counts.to_dict()} for name, (words, counts) in self.rows.items()
            },
            "rejection": None
            if self.rejection is None
            else self.rejection.model_dump(include={"sentences", "others", "accepted", "threshold"}),
            "engines": {
                each.name: {
                    "requests": each.requests,
                    "right": each.right,
                    "word_error_rate": each.word_error_rate,
                }
                for each in count_engines(self.heard)
            },
        }


def weigh_tagger(
    config: DomainConfig, tagger: Tagger, values: CanonicalValues, dev: Sequence[Request]
) -> list[tuple[float, RequestCounts]]:
    """Return what is right of dev with each weight of the tagger."""
    return [
        (weight, counted(dev, meanings(first_rescored(dev, tagger, config.candidates, weight), values)))
        for weight in sorted(config.weights)
    ]


def choose_weight(by_weight: Sequence[tuple[float, RequestCounts]]) -> float:
    """Return the weight with the best slot F1; of several such, the one in the middle, far from worse ones."""
    best = max(counts.f1 for _, counts in by_weight)
    good = sorted(weight for weight, counts in by_weight if counts.f1 == best)
    return good[len(good) // 2]


def evaluate_test(
    config: DomainConfig,
    understander: Understander,
    values: CanonicalValues,
    by_weight: list[tuple[float, RequestCounts]],
    test: Sequence[Request],
) -> RequestEvaluation:
    """Evaluate on test."""
    transcriber, tagger, weight = understander.transcriber, understander.tagger, understander.tagger_weight
    candidates = config.candidates
    samples, rate = [request.samples for request in test], transcriber.config.features.sample_rate
    gold = [request.gold for request in test]
    chosen = list(understander.understand_many(samples, rate))
    understood: dict[str, Iterable[Understanding | Tagging]] = {
        "the tagger alone, of the text itself": tagger.tag_many([each.text for each in gold]),
        "the best reading": first_rescored(test, tagger, 1, 0.0),
        f"the best of {candidates} by both": first_rescored(test, tagger, candidates, weight),
        "the grammar or nothing": understander.understand_many(samples, rate, mode="grammar"),
        "the grammar, else the best by both": chosen,
    }
    tried = {name: meanings(each, values) for name, each in understood.items()}
    rows = {name: (word_error_rate(gold, each), count(gold, each)) for name, each in tried.items()}
    heard = [
        Heard(each.speaker, each.gold, found)
        for each, found in zip(test, meanings(chosen, values), strict=True)
    ]
    worst = misses(test, chosen, values)[: config.worst]
    return RequestEvaluation(weight, by_weight, rows, heard, worst, understander.rejection)


def listen(
    transcriber: Transcriber, grammar: Grammar, split: Split, candidates: int, cache: Path, quiet: bool
) -> list[Request]:
    """Return the recordings of a split of the recognizer's corpus with their meanings and transcripts."""
    corpus, rate = transcriber.config.corpus, transcriber.config.features.sample_rate
    parser, rows, gold = Parser(GrammarNetwork(grammar)), [], []
    for row in load_corpus(corpus, cache)[split]:
        sentence = parser.parse(row["text"].split())
        if sentence is not None:
            rows.append(row)
            gold.append(truth(sentence))
    samples = [read_utterance(row, rate) for row in rows]
    heard = transcriber.transcribe_many(samples, rate, alternatives=candidates - 1)
    shown = track(heard, f"listening to {split}", total=len(samples), quiet=quiet)
    return [
        Request(number, row["speaker"], sound, rate, meaning, transcript)
        for number, (row, sound, meaning, transcript) in enumerate(
            zip(rows, samples, gold, shown, strict=True)
        )
    ]


def first_rescored(
    heard: Sequence[Request], tagger: Tagger, candidates: int, weight: float
) -> list[Understanding]:
    """Choose among the first hypotheses of each request."""
    hypotheses = [
        replace(request.heard, alternatives=request.heard.alternatives[: candidates - 1]) for request in heard
    ]
    return rescore(hypotheses, tagger, weight)


def meanings(understood: Iterable[Understanding | Tagging], values: CanonicalValues) -> list[Meaning]:
    """Return the meanings that are compared with those of the grammar.

    Args:
        understood: what was understood, along the grammar or openly.
        values: the grammar's values, which a tagger does not know.
    """
    return [
        Meaning(
            each.text,
            tuple(_slot_meaning(each, slot, values) for slot in each.slots),
            each.intent or (values.grammar.only_intent if each.text else None),
        )
        for each in understood
    ]


def _slot_meaning(
    understood: Understanding | Tagging, slot: SpokenSlot | Slot, values: CanonicalValues
) -> SlotMeaning:
    along_grammar = isinstance(understood, Understanding) and understood.along_grammar
    value = slot.value if along_grammar else values.find(slot.label, slot.text)
    return SlotMeaning(slot.label, slot.text if value is None else value, slot.text)


def counted(heard: Sequence[Request], found: Sequence[Meaning]) -> RequestCounts:
    """Count what is right of the meanings that were understood."""
    return count([request.gold for request in heard], found)


def misses(heard: Sequence[Request], chosen: Sequence[Understanding], values: CanonicalValues) -> list[Miss]:
    """Return the requests that were not understood, most slots missed first, then the most confident first."""
    found = [
        (Miss(request, each, answer), count([request.gold], [answer]))
        for request, each, answer in zip(heard, chosen, meanings(chosen, values), strict=True)
        if not is_right(request.gold, answer)
    ]
    found.sort(
        key=lambda pair: (pair[1].right * 2 - pair[1].gold - pair[1].found, -pair[0].understood.confidence)
    )
    return [miss for miss, _ in found]
