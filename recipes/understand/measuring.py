"""The joined halves on dev, where the tagger's weight is chosen, and once on test."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from asr import Transcriber
from asr.corpora import load_corpus
from asr.corpora.utterances import read_utterance
from asr.transcript import Transcript
from recipes.understand.evaluation import Answer, Counts, count, is_right, truth, word_error_rate
from recipes.understand.settings import UnderstandSettings
from slot_filling import Tagger
from slot_filling.tagging import Tagging
from sluice.understanding import Understander, Understanding
from sluice_core.grammar.grammar import Split
from sluice_core.grammar.travel import generate
from sluice_core.progress import track


@dataclass(frozen=True)
class Request:
    """One recording of a part, what it says, and what the recognizer makes of it."""

    number: int
    speaker: str
    samples: np.ndarray
    sample_rate: int
    gold: Answer
    heard: Transcript


@dataclass(frozen=True)
class Miss:
    """A request of test that was not understood."""

    request: Request
    understood: Understanding


@dataclass(frozen=True)
class Measured:
    """All that the recipe finds out."""

    weight: float
    """The tagger's, chosen on dev."""
    by_weight: list[tuple[float, Counts]]
    """What each weight gives on dev."""
    rows: dict[str, tuple[dict[str, Any], Counts]]
    """Errors over words and counts of test, by what was tagged."""
    misses: list[Miss]
    """The worst first."""

    def to_dict(self) -> dict[str, Any]:
        """The figures as plain values."""
        return {
            "tagger_weight": self.weight,
            "dev": [{"weight": weight, **counts.to_dict()} for weight, counts in self.by_weight],
            "test": {
                name: {"words": words, **counts.to_dict()} for name, (words, counts) in self.rows.items()
            },
        }


def measure(
    settings: UnderstandSettings,
    transcriber: Transcriber,
    taggers: Mapping[str, Tagger],
    cache: Path,
    quiet: bool,
) -> Measured:
    """Choose the weight by slot F1 on dev, then look at test."""
    robust, *others = taggers
    tagger, candidates = taggers[robust], settings.candidates
    dev = requests(transcriber, "dev", candidates, cache, quiet)
    by_weight = [
        (weight, counted(dev, answers(understand(dev, transcriber, tagger, candidates, weight))))
        for weight in sorted(settings.weights)
    ]
    weight = choose_weight(by_weight)
    test = requests(transcriber, "test", candidates, cache, quiet)
    chosen = understand(test, transcriber, tagger, candidates, weight)
    tried = {
        "the text itself": answers_of_texts(tagger, test),
        "the best reading": answers(understand(test, transcriber, tagger, 1, 0.0)),
        f"the best of {candidates} by both": answers(chosen),
    }
    for name in others:
        other = taggers[name]
        tried |= {
            f"the text itself, tagger {name} noise": answers_of_texts(other, test),
            f"the best of {candidates} by both, tagger {name} noise": answers(
                understand(test, transcriber, other, candidates, weight)
            ),
        }
    gold = [request.gold for request in test]
    rows = {name: (word_error_rate(gold, each), count(gold, each)) for name, each in tried.items()}
    return Measured(weight, by_weight, rows, misses(test, chosen)[: settings.worst])


def choose_weight(by_weight: Sequence[tuple[float, Counts]]) -> float:
    """The weight with the best slot F1; of several such, the one in the middle, far from where it gets worse."""
    best = max(counts.f1 for _, counts in by_weight)
    good = sorted(weight for weight, counts in by_weight if counts.f1 == best)
    return good[len(good) // 2]


def requests(
    transcriber: Transcriber, part: Split, candidates: int, cache: Path, quiet: bool
) -> list[Request]:
    """The recordings of a part of the recognizer's corpus with their sentences."""
    corpus, rate = transcriber.config.corpus, transcriber.config.features.sample_rate
    rows = load_corpus(corpus, cache)[part]
    sentences = {sentence.text: sentence for sentence in generate(len(rows), corpus.split_seed, part)}
    samples = [read_utterance(row, rate) for row in rows]
    heard = transcriber.transcribe_many(samples, rate, alternatives=candidates - 1)
    shown = track(heard, f"listening to {part}", total=len(samples), quiet=quiet)
    return [
        Request(number, row["speaker"], sound, rate, truth(sentences[row["text"]]), transcript)
        for number, (row, sound, transcript) in enumerate(zip(rows, samples, shown, strict=True))
    ]


def understand(
    heard: Sequence[Request], transcriber: Transcriber, tagger: Tagger, candidates: int, weight: float
) -> list[Understanding]:
    """Choose among the first readings of each request."""
    readings = [
        replace(request.heard, alternatives=request.heard.alternatives[: candidates - 1]) for request in heard
    ]
    return Understander(transcriber, tagger, tagger_weight=weight).rescore(readings)


def answers(understood: Iterable[Understanding | Tagging]) -> list[Answer]:
    """What is held against the truth."""
    return [
        Answer(each.text, tuple((slot.label, slot.text) for slot in each.slots), each.intent)
        for each in understood
    ]


def answers_of_texts(tagger: Tagger, said: Sequence[Request]) -> list[Answer]:
    """What the tagger alone makes of what was said."""
    return answers(tagger.tag_many([request.gold.text for request in said]))


def counted(heard: Sequence[Request], found: Sequence[Answer]) -> Counts:
    """Answers held against the truth."""
    return count([request.gold for request in heard], found)


def misses(heard: Sequence[Request], chosen: Sequence[Understanding]) -> list[Miss]:
    """What was not understood, most slots missed first, then by how sure the answer was."""
    found = [
        (Miss(request, each), count([request.gold], [answer]))
        for request, each, answer in zip(heard, chosen, answers(chosen), strict=True)
        if not is_right(request.gold, answer)
    ]
    found.sort(
        key=lambda pair: (pair[1].right * 2 - pair[1].gold - pair[1].found, -pair[0].understood.confidence)
    )
    return [miss for miss, _ in found]
