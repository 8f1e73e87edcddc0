"""The tables of a recognizer's report: errors by group, the most frequent errors, and the worst utterances."""

from collections import Counter
from collections.abc import Sequence

from asr.evaluation.error_analysis import AlignedUtterance, ErrorGroup, by_length, by_speaker, confusions
from asr.evaluation.error_rates import Edit, ErrorCount, Unit
from sluice_core.reporting.page import (
    Bar,
    Block,
    Cell,
    Grid,
    MarkedText,
    Paragraph,
    Subsection,
    Table,
    percent,
)
from sluice_core.wording import plural

MOST_CONFUSIONS = 20
MOST_SPEAKERS = 40
MOST_UTTERANCES = 25
MOST_CHARACTERS = 600
"""Only the beginning of longer texts is shown."""

COUNT_HEADER = ["error rate", "errors / total", "substituted", "deleted", "inserted"]


def count_cells(count: ErrorCount) -> list[Cell]:
    """Return the cells under `COUNT_HEADER`."""
    return [
        Bar(count.rate, percent(count.rate, 2)),
        f"{count.errors:,} / {count.total:,}",
        count.substitutions,
        count.deletions,
        count.insertions,
    ]


def group_tables(utterances: Sequence[AlignedUtterance], unit: Unit) -> list[Block]:
    """Return the tables of errors by length of the utterance and by speaker."""
    lengths, speakers = by_length(utterances), by_speaker(utterances)
    shown = f", the {MOST_SPEAKERS} worst of {len(speakers)}" if len(speakers) > MOST_SPEAKERS else ""
    return [
        Subsection(
            "By length", [_group_table(f"Errors over {unit} by length of the utterance", "length", lengths)]
        ),
        Subsection(
            "By speaker",
            [_group_table(f"Errors over {unit} by speaker{shown}", "speaker", speakers[:MOST_SPEAKERS])],
        ),
    ]


def _group_table(caption: str, name: str, groups: Sequence[ErrorGroup]) -> Table:
    header = [name, "utterances", "seconds", *COUNT_HEADER]
    lines: list[list[Cell]] = [
        [group.name, group.utterances, f"{group.seconds:,.1f}", *count_cells(group.count)] for group in groups
    ]
    return Table(caption, header, lines, right=[2, 4])


def confusion_tables(utterances: Sequence[AlignedUtterance], unit: Unit) -> list[Block]:
    """Return the tables of the most frequent substitutions, deletions and insertions."""
    counts = confusions(utterances)
    if not any(counts.values()):
        return [Paragraph("There are no errors.")]
    one = unit.removesuffix("s")
    return [
        Grid(
            [
                _confusion_table("Substitutions", ["said", "recognized"], counts["substitute"], (0, 1)),
                _confusion_table("Deletions", [f"{one} not recognized"], counts["delete"], (0,)),
                _confusion_table("Insertions", [f"{one} not said"], counts["insert"], (1,)),
            ]
        )
    ]


def _confusion_table(
    caption: str, header: list[str], counts: Counter[tuple[str, str]], sides: tuple[int, ...]
) -> Block:
    if not counts:
        return Paragraph(f"{caption}: none.")
    most = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))[:MOST_CONFUSIONS]
    lines: list[list[Cell]] = [
        [*(_visible_text(pair[side]) for side in sides), count] for pair, count in most
    ]
    kinds = f"{len(counts):,} different" + (
        f", the {MOST_CONFUSIONS} most frequent" if len(counts) > len(most) else ""
    )
    return Table(f"{caption}: {counts.total():,}, {kinds}", [*header, "times"], lines)


def _visible_text(text: str) -> str:
    return "␣" if text == " " else _shorten(text)


def worst_list(ordered: Sequence[AlignedUtterance], unit: Unit) -> list[Block]:
    """Tell how many utterances have no error, and show the worst of `ordered`, with their errors marked."""
    wrong = [utterance for utterance in ordered if utterance.count.errors]
    right = len(ordered) - len(wrong)
    blocks: list[Block] = [
        Paragraph(
            f"{right:,} of {plural(len(ordered), 'utterance')} ({right / max(1, len(ordered)):.0%}) "
            f"{'has' if right == 1 else 'have'} no error."
        )
    ]
    if wrong:
        shown = min(len(wrong), MOST_UTTERANCES)
        lines: list[list[Cell]] = [
            [
                u.id,
                f"{u.count.errors} / {u.count.total}",
                mark_reference(u.edits, unit),
                mark_hypothesis(u.edits, unit),
            ]
            for u in wrong[:shown]
        ]
        which = f"The {shown} with the highest" if shown < len(wrong) else "By"
        caption = f"{which} error rate over {unit}"
        blocks.append(Table(caption, ["utterance", "errors", "said", "recognized"], lines, right=[1]))
    return blocks


def mark_reference(edits: Sequence[Edit], unit: Unit) -> list[MarkedText]:
    """Return the reference, with what was not recognized marked."""
    joint = " " if unit == "words" else ""
    return _join(
        [MarkedText(joint.join(e.reference), "same" if e.kind == "equal" else "left out") for e in edits],
        joint,
    )


def mark_hypothesis(edits: Sequence[Edit], unit: Unit) -> list[MarkedText]:
    """Return the hypothesis, with what was not said marked."""
    joint = " " if unit == "words" else ""
    return _join(
        [MarkedText(joint.join(e.hypothesis), "same" if e.kind == "equal" else "put in") for e in edits],
        joint,
    )


def _join(pieces: Sequence[MarkedText], joint: str) -> list[MarkedText]:
    """Join pieces of text; cut them where they grow too long for a page."""
    joined: list[MarkedText] = []
    room = MOST_CHARACTERS
    for piece in pieces:
        if not piece.text:
            continue
        if room <= 0:
            return [*joined, MarkedText(" …")]
        if joined and joint:
            joined.append(MarkedText(joint))
        text = (
            piece.text if piece.kind == "same" else piece.text.replace(" ", "␣") if not joint else piece.text
        )
        joined.append(MarkedText(_shorten(text, room), piece.kind))
        room -= len(piece.text)
    return joined or [MarkedText("(nothing)")]


def _shorten(text: str, most: int = MOST_CHARACTERS) -> str:
    return text if len(text) <= most else text[:most] + "…"
