"""How wrong a recognizer is: errors over words and characters, by jiwer."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from asr.audio import AudioError
from asr.decoding import GreedySearch
from asr.examples import read_row
from training.checkpoint import write_text
from training.progress import track

if TYPE_CHECKING:
    from datasets import Dataset

    from asr.transcriber import Emission, Transcriber


@dataclass(frozen=True)
class ErrorCount:
    """Errors of an alignment with the fewest edits, over the size of the reference."""

    substitutions: int
    deletions: int
    insertions: int
    total: int
    """Words (or characters) of the references."""

    @property
    def errors(self) -> int:
        """Substitutions, deletions and insertions together."""
        return self.substitutions + self.deletions + self.insertions

    @property
    def rate(self) -> float:
        """Errors per reference word (or character); may exceed 1."""
        return self.errors / self.total if self.total else float(self.errors > 0)

    def to_dict(self) -> dict[str, Any]:
        """The counts and the rate as plain values."""
        return {**asdict(self), "errors": self.errors, "rate": self.rate}


def word_errors(references: Sequence[str], hypotheses: Sequence[str]) -> ErrorCount:
    """Errors over words separated by white space."""
    import jiwer

    return _count(jiwer.process_words, references, hypotheses, lambda text: len(text.split()))


def character_errors(references: Sequence[str], hypotheses: Sequence[str]) -> ErrorCount:
    """Errors over characters, spaces among them."""
    import jiwer

    return _count(jiwer.process_characters, references, hypotheses, len)


def _count(process, references, hypotheses, size) -> ErrorCount:  # type: ignore[no-untyped-def]
    """Count with jiwer, which refuses empty references: whatever is heard there is inserted."""
    if len(references) != len(hypotheses):
        raise ValueError(f"{len(references)} references but {len(hypotheses)} hypotheses")
    inserted = sum(size(h) for r, h in zip(references, hypotheses, strict=True) if not size(r))
    pairs = [(r, h) for r, h in zip(references, hypotheses, strict=True) if size(r)]
    if not pairs:
        return ErrorCount(0, 0, inserted, 0)
    output = process([r for r, _ in pairs], [h for _, h in pairs])
    return ErrorCount(
        output.substitutions,
        output.deletions,
        output.insertions + inserted,
        output.hits + output.substitutions + output.deletions,
    )


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
                yield read_row(row, transcriber.config.features.sample_rate)
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
