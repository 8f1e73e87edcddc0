"""Error rates of hypotheses compared with references, and the alignments behind them (by jiwer)."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, cast

Unit = Literal["words", "characters"]
EditKind = Literal["equal", "substitute", "delete", "insert"]


@dataclass(frozen=True)
class ErrorCount:
    """The errors of an alignment with the fewest edits, and the size of the reference."""

    substitutions: int
    deletions: int
    insertions: int
    total: int
    """Words (or characters) in the references."""

    @property
    def errors(self) -> int:
        """Substitutions, deletions and insertions together."""
        return self.substitutions + self.deletions + self.insertions

    @property
    def rate(self) -> float:
        """Errors per reference word (or character); may exceed 1."""
        return self.errors / self.total if self.total else float(self.errors > 0)

    def to_dict(self) -> dict[str, Any]:
        """Return the counts and the rate as plain values."""
        return {**asdict(self), "errors": self.errors, "rate": self.rate}


def word_errors(references: Sequence[str], hypotheses: Sequence[str]) -> ErrorCount:
    """Count the errors over words separated by white space.

    >>> word_errors(["two seats to boston"], ["two eats to boston now"]).rate
    0.5
    """
    import jiwer

    references, hypotheses = _single_spaced(references), _single_spaced(hypotheses)
    return _count(jiwer.process_words, references, hypotheses, lambda text: len(text.split()))


def character_errors(references: Sequence[str], hypotheses: Sequence[str]) -> ErrorCount:
    """Count the errors over characters, spaces among them.

    >>> character_errors(["one way"], ["one may"]).errors
    1
    """
    import jiwer

    return _count(jiwer.process_characters, references, hypotheses, len)


def _single_spaced(texts: Sequence[str]) -> list[str]:
    """Put one space between words: jiwer 4.0.0 splits at U+0020 alone, so that a tab would join two words."""
    return [" ".join(text.split()) for text in texts]


def _count(process, references, hypotheses, size) -> ErrorCount:  # type: ignore[no-untyped-def]
    """Count with jiwer, which refuses empty references: all words of their hypotheses are inserted."""
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
class Edit:
    """A segment of an alignment; a substitution has as many units on both sides."""

    kind: EditKind
    reference: tuple[str, ...]
    hypothesis: tuple[str, ...]


def align_texts(references: Sequence[str], hypotheses: Sequence[str], unit: Unit) -> list[tuple[Edit, ...]]:
    """Align each hypothesis with its reference by the fewest edits.

    jiwer, which aligns them, refuses empty references: all units of their hypotheses are inserted.
    """
    import jiwer

    process = jiwer.process_words if unit == "words" else jiwer.process_characters
    split = str.split if unit == "words" else list
    if unit == "words":
        references, hypotheses = _single_spaced(references), _single_spaced(hypotheses)
    spoken = [item for item, reference in enumerate(references) if split(reference)]
    edits: list[tuple[Edit, ...]] = [
        (Edit("insert", (), tuple(split(hypothesis))),) if split(hypothesis) else ()
        for hypothesis in hypotheses
    ]
    if spoken:
        output = process([references[item] for item in spoken], [hypotheses[item] for item in spoken])
        for item, chunks, reference, hypothesis in zip(
            spoken, output.alignments, output.references, output.hypotheses, strict=True
        ):
            edits[item] = tuple(
                Edit(
                    cast(EditKind, chunk.type),
                    tuple(reference[chunk.ref_start_idx : chunk.ref_end_idx]),
                    tuple(hypothesis[chunk.hyp_start_idx : chunk.hyp_end_idx]),
                )
                for chunk in chunks
            )
    return edits


def right_words(references: Sequence[str], hypotheses: Sequence[str]) -> list[bool]:
    """Return whether each recognized word is right, by the alignment with the fewest edits, in order.

    >>> right_words(["two seats to boston"], ["two eats to boston now"])
    [True, False, True, True, False]
    """
    edits = align_texts(references, hypotheses, "words")
    return [edit.kind == "equal" for utterance in edits for edit in utterance for _ in edit.hypothesis]
