"""The sentences that a tagger got wrong, those it was surest of first, with reference and answer marked."""

from collections.abc import Sequence

from slot_filling.evaluation import lenient_spans
from slot_filling.measuring import Measurement
from slot_filling.sentences import Span
from training.report import Block, Cell, Kind, Paragraph, Table, percent
from training.report import Span as Piece

MOST_SENTENCES = 30
MOST_WORDS = 60
"""Of longer sentences the beginning is shown."""


def sentence_list(found: Measurement) -> list[Block]:
    """How many sentences are right, and the wrong ones with the highest confidence."""
    right, total = sum(found.whole), len(found.whole)
    blocks: list[Block] = [
        Paragraph(
            f"{right:,} of {total:,} {'sentence' if total == 1 else 'sentences'} "
            f"({right / max(1, total):.1%}) {'is' if right == 1 else 'are'} wholly right."
        )
    ]
    wrong = sorted(
        (item for item in range(total) if not found.whole[item]), key=lambda item: -found.confidences[item]
    )
    if not wrong:
        return blocks
    shown = wrong[:MOST_SENTENCES]
    words = (
        "Marked are the slots, each with its label: those of the reference that were not answered, and those of the "
        "answer that the reference does not have, stand out. A wrong sentence with a high confidence is what a "
        "threshold cannot catch; now and then the reference is what is wrong."
    )
    lines: list[list[Cell]] = [
        [percent(found.confidences[item]), _reference(found, item), _answer(found, item)] for item in shown
    ]
    which = (
        f"The {len(shown)} surest of {len(wrong):,} wrong sentences"
        if len(wrong) > len(shown)
        else "By confidence"
    )
    return [*blocks, Paragraph(words), Table(which, ["confidence", "reference", "answer"], lines, right=[0])]


def _reference(found: Measurement, item: int) -> list[Piece]:
    sentence = found.sentences[item]
    spans, answered = lenient_spans(sentence.tags or ()), set(lenient_spans(found.tags[item]))
    intent = sentence.intent if found.intents[item] is not None else None
    missed = intent is not None and intent != found.intents[item]
    pieces = mark(sentence.words, spans, [span in answered for span in spans], "left out")
    return [*pieces, *_intent(intent, "left out" if missed else "right")]


def _answer(found: Measurement, item: int) -> list[Piece]:
    sentence = found.sentences[item]
    spans, wanted = lenient_spans(found.tags[item]), set(lenient_spans(sentence.tags or ()))
    intent = found.intents[item]
    wrong = sentence.intent is not None and sentence.intent != intent
    pieces = mark(sentence.words, spans, [span in wanted for span in spans], "put in")
    return [*pieces, *_intent(intent, "put in" if wrong else "right")]


def _intent(intent: str | None, kind: Kind) -> list[Piece]:
    return [Piece("  "), Piece(intent, kind), Piece(" intent", "note")] if intent else []


def mark(words: Sequence[str], spans: Sequence[Span], right: Sequence[bool], wrong: Kind) -> list[Piece]:
    """A sentence in pieces: its slots, right or of the kind `wrong`, each followed by its label."""
    pieces: list[Piece] = []
    done = 0
    for span, good in zip(spans, right, strict=True):
        if span.start >= MOST_WORDS:
            break
        if span.start > done:
            pieces.append(Piece(" ".join(words[done : span.start])))
        text = " ".join(words[span.start : min(span.end, span.start + MOST_WORDS)])
        pieces += [
            Piece(" "),
            Piece(text, "right" if good else wrong),
            Piece(f" {span.label}", "note"),
            Piece(" "),
        ]
        done = span.end
    if done < len(words):
        pieces.append(Piece(" ".join(words[done:MOST_WORDS]) + (" …" if len(words) > MOST_WORDS else "")))
    return pieces
