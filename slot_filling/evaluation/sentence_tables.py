"""The sentences that a tagger got wrong, those it was surest of first, with reference and answer marked."""

from collections.abc import Sequence

from slot_filling.evaluation.evaluation import Evaluation
from slot_filling.evaluation.metrics import lenient_spans
from slot_filling.sentences import Span
from sluice_core.reporting.page import Block, Cell, Details, MarkedText, Marking, Paragraph, Table, percent

MOST_SENTENCES = 30
MOST_WORDS = 60
"""Only the beginning of longer sentences is shown."""


def sentence_list(evaluation: Evaluation) -> list[Block]:
    """Tell how many sentences are right, and show the wrong ones, the most confident first."""
    right, total, slots = sum(evaluation.whole), len(evaluation.whole), sum(evaluation.wrong_slots)
    blocks: list[Block] = [
        Paragraph(
            f"{right:,} of {total:,} {'sentence' if total == 1 else 'sentences'} "
            f"({right / max(1, total):.1%}) {'is' if right == 1 else 'are'} wholly right, {slots:,} "
            f"{'has' if slots == 1 else 'have'} a slot wrong, {total - right - slots:,} the intent alone."
        )
    ]
    if slots:
        blocks += _wrong_slots(evaluation)
    if right + slots < total:
        blocks.append(Details("Sentences with the intent alone wrong", [_wrong_intents(evaluation)]))
    return blocks


def _wrong_slots(evaluation: Evaluation) -> list[Block]:
    wrong = sorted(
        (item for item, has_errors in enumerate(evaluation.wrong_slots) if has_errors),
        key=lambda item: -evaluation.confidences[item],
    )
    shown = wrong[:MOST_SENTENCES]
    words = (
        "Marked are the slots, each with its label: those of the reference that were not answered, and those of the "
        "answer that the reference does not have, stand out. A wrong sentence with a high confidence is what a "
        "threshold cannot catch; now and then the reference is what is wrong."
    )
    lines: list[list[Cell]] = [
        [percent(evaluation.confidences[item]), *_compared(evaluation, item)] for item in shown
    ]
    which = f"The {len(shown)} surest of {len(wrong):,}" if len(wrong) > len(shown) else "The surest first"
    return [Paragraph(words), Table(which, ["confidence", "reference", "answer"], lines, right=[0])]


def _compared(evaluation: Evaluation, item: int) -> list[list[MarkedText]]:
    """Return reference and answer of a sentence, what differs marked."""
    words = evaluation.sentences[item].words
    wanted, got = lenient_spans(evaluation.sentences[item].tags or ()), lenient_spans(evaluation.tags[item])
    return [
        mark(words, wanted, [span in got for span in wanted], "left out"),
        mark(words, got, [span in wanted for span in got], "put in"),
    ]


def mark(
    words: Sequence[str], spans: Sequence[Span], right: Sequence[bool], wrong: Marking
) -> list[MarkedText]:
    """Return a sentence in pieces: its slots, right or marked as `wrong`, each followed by its label."""
    pieces: list[MarkedText] = []
    done = 0
    for span, good in zip(spans, right, strict=True):
        if span.end > MOST_WORDS:
            break
        before, inside = words[done : span.start], words[span.start : span.end]
        pieces += [
            MarkedText("".join(f"{word} " for word in before)),
            MarkedText(" ".join(inside), "right" if good else wrong),
            MarkedText(f" {span.label} ", "note"),
        ]
        done = span.end
    return [*pieces, MarkedText(_shortened(words, done))]


def _wrong_intents(evaluation: Evaluation) -> Table:
    alone = [
        item
        for item, (whole, slots) in enumerate(zip(evaluation.whole, evaluation.wrong_slots, strict=True))
        if not whole and not slots
    ]
    lines: list[list[Cell]] = [
        [
            _shortened(evaluation.sentences[item].words),
            evaluation.sentences[item].intent or "",
            evaluation.intents[item] or "",
        ]
        for item in alone[:MOST_SENTENCES]
    ]
    which = f"The first {MOST_SENTENCES} of {len(alone):,}" if len(alone) > MOST_SENTENCES else "All of them"
    return Table(which, ["sentence", "reference", "answer"], lines)


def _shortened(words: Sequence[str], start: int = 0) -> str:
    return " ".join(words[start:MOST_WORDS]) + (" …" if len(words) > MOST_WORDS else "")
