"""Transcribe a split of a corpus and compare the hypotheses with the references."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from asr.audio.reading import AudioError
from asr.corpora.utterances import read_utterance
from asr.decoding import GreedySearch
from asr.evaluation.error_rates import ErrorCount, character_errors, right_words, word_errors
from sluice_core.files import write_text
from sluice_core.progress import track

if TYPE_CHECKING:
    from datasets import Dataset

    from asr.acoustic.emissions import Emission
    from asr.transcriber import Transcriber
    from asr.transcript import Transcript

DECODED_TOGETHER = 32


@dataclass(frozen=True)
class Evaluation:
    """Every utterance of a split with its hypothesis, and the errors over all of them."""

    ids: list[str]
    speakers: list[str]
    durations: list[float]
    """Seconds."""
    references: list[str]
    hypotheses: list[str]
    unreadable: dict[str, str]
    """Utterances whose audio could not be read, and why; their hypotheses are empty."""
    decoding: str = "greedy"
    """How the hypotheses were decoded."""
    greedy: list[str] | None = None
    """The hypotheses of greedy decoding, where `decoding` is another."""
    confidences: list[list[float]] | None = None
    """The confidence of each word of each hypothesis."""

    @cached_property
    def words(self) -> ErrorCount:
        """Errors over words."""
        return word_errors(self.references, self.hypotheses)

    @cached_property
    def characters(self) -> ErrorCount:
        """Errors over characters."""
        return character_errors(self.references, self.hypotheses)

    @cached_property
    def certainty(self) -> tuple[list[float], list[bool]]:
        """The confidence of every recognized word, and whether the word is right; empty without confidences."""
        if self.confidences is None:
            return [], []
        sure = [confidence for words in self.confidences for confidence in words]
        return sure, right_words(self.references, self.hypotheses)

    def to_dict(self) -> dict[str, Any]:
        """Return the figures as plain values."""
        figures: dict[str, Any] = {
            "utterances": len(self.ids),
            "seconds": round(sum(self.durations), 1),
            "decoding": self.decoding,
            "words": self.words.to_dict(),
            "characters": self.characters.to_dict(),
            "unreadable": self.unreadable,
        }
        if self.greedy is not None:
            figures["greedy"] = {
                "words": word_errors(self.references, self.greedy).to_dict(),
                "characters": character_errors(self.references, self.greedy).to_dict(),
            }
        return figures

    def write_transcripts(self, path: Path) -> None:
        """Write id, errors, reference and hypothesis of every utterance as tab-separated text."""
        lines = ["id\terrors\twords\treference\thypothesis"]
        for name, reference, hypothesis in zip(self.ids, self.references, self.hypotheses, strict=True):
            count = word_errors([reference], [hypothesis])
            lines.append(f"{name}\t{count.errors}\t{count.total}\t{reference}\t{hypothesis}")
        write_text(path, "\n".join(lines) + "\n")


def evaluate(transcriber: "Transcriber", utterances: "Dataset", *, quiet: bool = False) -> Evaluation:
    """Transcribe every utterance of a split, and greedily too where the transcriber decodes in another way."""
    unreadable: dict[int, str] = {}
    emissions = emit_utterances(transcriber, utterances, unreadable, quiet=quiet)
    both = transcriber.decoding.method != "greedy"
    transcripts: list[Transcript] = []
    greedy: list[str] = []
    while group := list(islice(emissions, DECODED_TOGETHER)):
        transcripts += transcriber.decode(group)
        if both:
            greedy += [transcript.text for transcript in transcriber.decode(group, GreedySearch())]
    read = [item for item in range(len(utterances)) if item not in unreadable]
    found = dict(zip(read, transcripts, strict=True))
    found_greedily = dict(zip(read, greedy, strict=True)) if both else {}
    ids, items = list(utterances["id"]), range(len(utterances))
    return Evaluation(
        ids,
        list(utterances["speaker"]),
        list(utterances["duration_seconds"]),
        list(utterances["text"]),
        [found[item].text if item in found else "" for item in items],
        {ids[item]: reason for item, reason in unreadable.items()},
        transcriber.decoding.describe(),
        [found_greedily.get(item, "") for item in items] if both else None,
        [[word.confidence for word in found[item].words] if item in found else [] for item in items],
    )


def emit_utterances(
    transcriber: "Transcriber", utterances: "Dataset", unreadable: dict[int, str], *, quiet: bool = False
) -> "Iterator[Emission]":
    """Yield the emissions of every utterance of a split whose audio can be read.

    Args:
        transcriber: whose acoustic model to run.
        utterances: the split.
        unreadable: gets the number of every other utterance, and why its audio cannot be read.
        quiet: show no progress.
    """

    def samples() -> Iterator[np.ndarray]:
        for item in track(range(len(utterances)), "evaluating", quiet=quiet):
            try:
                yield read_utterance(utterances[item], transcriber.config.features.sample_rate)
            except AudioError as error:
                unreadable[item] = str(error)

    return transcriber.emitter.emit_many(samples())


def format_metrics(metrics: dict[str, Any]) -> str:
    """Return a table of error rates, of metrics as `Evaluation.to_dict` gives them for each split."""
    from tabulate import tabulate

    lines = []
    for split, figures in metrics.items():
        if not isinstance(figures, dict) or "words" not in figures:
            continue  # facts about the run as a whole
        by_decoding = {"greedy": figures["greedy"]} if "greedy" in figures else {}
        by_decoding[figures.get("decoding", "greedy")] = figures
        for decoding, counts in by_decoding.items():
            for unit in ("words", "characters"):
                count = counts[unit]
                kinds = (count["substitutions"], count["deletions"], count["insertions"])
                errors = (f"{count['rate']:.2%}", f"{count['errors']} / {count['total']}")
                lines.append((split, decoding, unit, *errors, *kinds))
    header = ("split", "decoding", "over", "error rate", "errors", "substituted", "deleted", "inserted")
    return tabulate(lines, header, disable_numparse=True, stralign="right")
