"""A split of a corpus heard by a recognizer: what, and how wrong it is."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from asr.audio.reading import AudioError
from asr.corpora.utterances import read_utterance
from asr.decoding import GreedySearch
from asr.evaluation.error_rates import ErrorCount, character_errors, word_errors
from sluice_core.files import write_text
from sluice_core.progress import track

if TYPE_CHECKING:
    from datasets import Dataset

    from asr.transcriber import Emission, Transcriber


@dataclass(frozen=True)
class Evaluation:
    """Every utterance of a split with what was heard, and the errors over all of them."""

    ids: list[str]
    speakers: list[str]
    durations: list[float]
    """Seconds."""
    references: list[str]
    hypotheses: list[str]
    unreadable: dict[str, str]
    """Utterances whose audio could not be read, and why; they count as nothing heard."""
    decoding: str = "greedy"
    """How the hypotheses were decoded."""
    greedy: list[str] | None = None
    """What greedy decoding hears, where `decoding` is another."""

    @property
    def words(self) -> ErrorCount:
        """Errors over words."""
        return word_errors(self.references, self.hypotheses)

    @property
    def characters(self) -> ErrorCount:
        """Errors over characters."""
        return character_errors(self.references, self.hypotheses)

    def to_dict(self) -> dict[str, Any]:
        """The figures as plain values."""
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


def evaluate(transcriber: "Transcriber", rows: "Dataset", *, quiet: bool = False) -> Evaluation:
    """Transcribe every row of a corpus split and hold it against its text; greedily too, where it decodes otherwise."""
    unreadable: dict[int, str] = {}
    emissions = emit_rows(transcriber, rows, unreadable, quiet=quiet)
    both = transcriber.decoding.method != "greedy"
    texts: list[tuple[str, str]] = []
    while group := list(islice(emissions, 32)):
        heard = [transcript.text for transcript in transcriber.decode(group)]
        greedy = transcriber.decode(group, GreedySearch()) if both else []
        texts += zip(heard, [transcript.text for transcript in greedy] or heard, strict=True)
    read = iter(texts)
    pairs = [("", "") if item in unreadable else next(read) for item in range(len(rows))]
    ids = list(rows["id"])
    return Evaluation(
        ids,
        list(rows["speaker"]),
        list(rows["duration_seconds"]),
        list(rows["text"]),
        [heard for heard, _ in pairs],
        {ids[item]: reason for item, reason in unreadable.items()},
        transcriber.decoding.describe(),
        [greedy for _, greedy in pairs] if both else None,
    )


def emit_rows(
    transcriber: "Transcriber", rows: "Dataset", unreadable: dict[int, str], *, quiet: bool = False
) -> "Iterator[Emission]":
    """The posteriors of every row of a split whose audio can be read; why others cannot goes into `unreadable`."""

    def samples() -> Iterator[np.ndarray]:
        for item in track(range(len(rows)), "evaluating", quiet=quiet):
            row = rows[item]
            try:
                yield read_utterance(row, transcriber.config.features.sample_rate)
            except AudioError as error:
                unreadable[item] = str(error)

    return transcriber.emit_many(samples())


def format_metrics(metrics: dict[str, Any]) -> str:
    """A table of error rates for a person, of metrics as `Evaluation.to_dict` gives them for each split."""
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
