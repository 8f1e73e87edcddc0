"""The report of a tagger's run: how it learned, which slots it misses, and whether its confidences are honest."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from slot_filling.evaluation.evaluation import Evaluation
from slot_filling.evaluation.metrics import NOTHING, SpanCounts, confusions, recall_by_novelty
from slot_filling.evaluation.pictures import confusion_matrix, reliability_diagram, risk_coverage_curve
from slot_filling.evaluation.sentence_tables import sentence_list
from slot_filling.vocabulary import Vocabulary
from slot_filling.word_shapes import fold
from sluice_cells import CELLS
from sluice_core.calibration import reliability
from sluice_core.files import write_text
from sluice_core.reporting.learning_curves import learning_curves, read_history
from sluice_core.reporting.page import (
    Bar,
    Block,
    Cell,
    Details,
    Grid,
    Notice,
    Page,
    Paragraph,
    Section,
    Table,
    percent,
)

if TYPE_CHECKING:
    from slot_filling.tagger import Tagger

MOST_LABELS = 25
"""Of more slots the rarer ones are folded away."""
MOST_CONFUSIONS = 20
MATRIX_LABELS = 14
MOST_NAMED = 10


def write_report(
    run: Path, measured: Mapping[str, Evaluation], tagger: "Tagger", metrics: Mapping[str, Any]
) -> Path:
    """Write `report.html` of a run: one file that needs no other and no network.

    Args:
        run: the run directory; its `history.json` is read if it is there.
        measured: "dev", and "test" if there is one. What is told of single slots and sentences is of test if it
            is there, else of dev.
        tagger: what was measured.
        metrics: what `metrics.json` gets.

    Returns:
        The file.

    Raises:
        CheckpointError: it cannot be written.
    """
    history, errors = _with_errors(read_history(run))
    sections = [
        _figures(measured, tagger.vocabulary),
        learning_curves(history, errors, tagger.config.training),
    ]
    if measured:
        part = "test" if "test" in measured else next(iter(measured))
        found = measured[part]
        sections += [
            _slots(part, found, tagger.vocabulary),
            _confusions(part, found),
            *_intents(part, found),
            _confidence(measured),
            Section(f"Worst sentences of {part}", sentence_list(found)),
        ]
    page = Page(
        title=tagger.config.name,
        subtitle=_subtitle(tagger),
        highlights=_highlights(measured),
        facts=_facts(measured, tagger, metrics),
        sections=sections,
    )
    path = run / "report.html"
    write_text(path, page.render())
    return path


def _subtitle(tagger: "Tagger") -> str:
    encoder, head = tagger.config.encoder, tagger.config.head
    layers = f"{encoder.layers} {'bidirectional ' if encoder.bidirectional else ''}"
    characters = {"none": "", "cnn": ", character CNN", "lstm": ", character LSTM"}[encoder.characters]
    return (
        f"A slot tagger trained on {tagger.config.corpus.kind}: {layers}{CELLS[encoder.cell].__name__} "
        f"{'layer' if encoder.layers == 1 else 'layers'} of {encoder.hidden_size}{characters}, "
        f"{'CRF' if head.kind == 'crf' else head.kind.replace('_', '-')} head"
        + (", joint intent" if tagger.model.intent is not None else "")
    )


def _highlights(measured: Mapping[str, Evaluation]) -> list[tuple[str, str]]:
    figures = []
    for part, found in measured.items():
        figures.append((f"{part} span F1", percent(found.scores.f1)))
        figures.append((f"{part} whole sentences", _share(sum(found.whole), len(found.whole))))
    return figures


def _share(count: int, total: int, decimals: int = 1) -> str:
    return percent(count / total, decimals) if total else "none"


def _facts(
    measured: Mapping[str, Evaluation], tagger: "Tagger", metrics: Mapping[str, Any]
) -> list[tuple[str, str]]:
    config, vocabulary = tagger.config, tagger.vocabulary
    facts: list[tuple[str, str]] = [("corpus", config.corpus.kind)]
    for part, found in measured.items():
        sizes = (
            (len(found.sentences), "sentence"),
            (found.scores.words, "word"),
            (found.scores.total.gold, "slot"),
        )
        facts.append((part, ", ".join(plural(count, noun) for count, noun in sizes)))
    facts.append(
        (
            "vocabulary",
            f"{plural(len(vocabulary.words), 'word')}, {plural(len(vocabulary.labels), 'kind')} of slots, "
            f"{plural(len(vocabulary.intents), 'intent')}",
        )
    )
    if "parameters" in metrics:
        facts.append(("parameters", f"{metrics['parameters']:,}"))
    facts.append(("seed", str(metrics.get("seed", config.training.seed))))
    if "minutes" in metrics:
        facts.append(("training time", f"{metrics['minutes']:.1f} minutes"))
    if "machine" in metrics:
        facts.append(("machine", str(metrics["machine"])))
    return facts


def plural(count: int, noun: str) -> str:
    """A count with its noun: 1 slot, 2,000 slots."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def _with_errors(history: list[dict[str, float]]) -> tuple[list[dict[str, float]], dict[str, str]]:
    """Each epoch's figures with errors where training notes shares of right answers, and the errors' labels."""
    rights = {
        "dev_sentences": ("dev_sentence_error", "whole sentences"),
        "dev_intents": ("dev_intent_error", "intents"),
    }
    epochs = [
        {**epoch, **{error: 1 - epoch[name] for name, (error, _) in rights.items() if name in epoch}}
        for epoch in history
    ]
    return epochs, {"dev_error": "spans (1 - F1)", **dict(rights.values())}


def _figures(measured: Mapping[str, Evaluation], vocabulary: Vocabulary) -> Section:
    lines: list[list[Cell]] = []
    sureness: list[list[Cell]] = []
    for part, found in measured.items():
        total = found.scores.total
        lines.append([part, "slots: F1", Bar(total.f1, percent(total.f1, 2)), ""])
        lines.append([part, "slots: precision", *_bar(total.right, total.found)])
        lines.append([part, "slots: recall", *_bar(total.right, total.gold)])
        right, asked = _right_intents(found)
        if asked:
            lines.append([part, "intents", *_bar(right, asked)])
        lines.append([part, "whole sentences", *_bar(sum(found.whole), len(found.whole))])
        figures = found.to_dict()
        sureness.append(
            [part, f"{figures['calibration_error']:.4f}", percent(figures["errors_in_surer_half"])]
        )
    blocks: list[Block] = [
        Table(
            "Right, of how many; a slot is right if its label and both its borders are",
            ["part", "what", "share", "count"],
            lines,
            right=[3],
        ),
        Table(
            "Confidence",
            ["part", "expected calibration error of slots", "share of the wrong sentences in the surer half"],
            sureness,
            right=[1, 2],
        ),
    ]
    for part, found in measured.items():
        blocks += _warnings(part, found, vocabulary)
    return Section("Figures", blocks)


def _bar(right: int, total: int) -> list[Cell]:
    return [Bar(right / max(1, total), _share(right, total, 2)), f"{right:,} / {total:,}"]


def _right_intents(found: Evaluation) -> tuple[int, int]:
    """Right intents, and sentences that have one; none where the tagger knows no intents."""
    if not any(found.intents):
        return 0, 0
    asked = [(s.intent, answer) for s, answer in zip(found.sentences, found.intents, strict=True) if s.intent]
    return sum(wanted == answer for wanted, answer in asked), len(asked)


def _warnings(part: str, found: Evaluation, vocabulary: Vocabulary) -> list[Block]:
    """What no reader should overlook."""
    notices: list[Block] = []
    if found.scores.total.gold and not found.scores.total.found:
        notices.append(Notice(f"No slot was found in any sentence of {part}."))
    for kind, counts in vocabulary.unseen(found.sentences).items():
        if counts:
            named = ", ".join(f"{name} ({count})" for name, count in counts.most_common(MOST_NAMED))
            more = f" and {len(counts) - MOST_NAMED} more" if len(counts) > MOST_NAMED else ""
            notices.append(
                Notice(
                    f"{part.capitalize()} has {kind} that training never had, so they cannot be answered: "
                    f"{named}{more}."
                )
            )
    return notices


def _slots(part: str, found: Evaluation, vocabulary: Vocabulary) -> Section:
    ordered = sorted(found.scores.labels.items(), key=lambda pair: (-pair[1].gold, pair[0]))
    if not ordered:
        none = Paragraph("There is no slot, neither in the reference nor in the answers.")
        return Section(f"Slots of {part}", [none])
    blocks: list[Block] = [_label_table("Each kind of slot, the most frequent first", ordered[:MOST_LABELS])]
    if rest := ordered[MOST_LABELS:]:
        blocks.append(
            Details(f"The {len(rest)} rarer kinds", [_label_table("The rarer kinds of slots", rest)])
        )
    known = set(vocabulary.words)
    tags = [sentence.tags or () for sentence in found.sentences]
    kinds = recall_by_novelty(found.sentences, found.tags, lambda word: fold(word) in known)
    names = {"known": "all words known", "unknown": "a word unknown"}
    lines: list[list[Cell]] = [
        [names[kind], *_bar(counts.right, counts.gold)] for kind, counts in kinds.items()
    ]
    blocks += [
        Grid(
            [
                Table(
                    "Recall of slots by their words", ["the slot", "recall", "right / all"], lines, right=[2]
                ),
                _kinds_of_error(tags, found),
            ],
            narrowest=26,
        )
    ]
    return Section(f"Slots of {part}", blocks)


def _label_table(caption: str, labels: Sequence[tuple[str, SpanCounts]]) -> Table:
    lines: list[list[Cell]] = [
        [label, Bar(c.f1, percent(c.f1)), percent(c.precision), percent(c.recall), c.gold, c.found, c.right]
        for label, c in labels
    ]
    return Table(
        caption,
        ["slot", "F1", "precision", "recall", "in the reference", "found", "right"],
        lines,
        right=[2, 3],
    )


def _kinds_of_error(tags: Sequence[Sequence[str]], found: Evaluation) -> Table:
    """What became of the slots that are not right: each is paired with what stands at its place."""
    pairs = confusions(tags, found.tags)
    same = sum(count for (reference, answer), count in pairs.items() if reference == answer)
    missed = sum(count for (_, answer), count in pairs.items() if answer == NOTHING)
    invented = sum(count for (reference, _), count in pairs.items() if reference == NOTHING)
    other = pairs.total() - same - missed - invented
    lines: list[list[Cell]] = [
        ["right label, wrong borders", same - found.scores.total.right],
        ["another label", other],
        ["nothing found there", missed],
        ["found where there is none", invented],
    ]
    return Table("What is wrong", ["error", "slots"], lines)


def _confusions(part: str, found: Evaluation) -> Section:
    title = f"Confused slots of {part}"
    pairs = confusions([sentence.tags or () for sentence in found.sentences], found.tags)
    wrong = Counter({pair: count for pair, count in pairs.items() if pair[0] != pair[1]})
    if not wrong:
        return Section(title, [Paragraph("No slot was taken for another, missed or invented.")])
    involved = Counter[str]()
    for pair, count in wrong.items():
        involved.update(dict.fromkeys(pair, count))
    del involved[NOTHING]
    names = [name for name, _ in involved.most_common(MATRIX_LABELS)]
    shown = f", the {MATRIX_LABELS} kinds with most of them" if len(involved) > len(names) else ""
    words = (
        "Each slot of the reference is paired with the found one that shares most words with it, whatever its "
        f"borders; {NOTHING}: with none."
    )
    matrix = confusion_matrix(f"Slots by reference and answer{shown}", [*names, NOTHING], pairs)
    return Section(title, [Paragraph(words), matrix, _pair_table(wrong)])


def _pair_table(wrong: Counter[tuple[str, str]]) -> Block:
    most = sorted(wrong.items(), key=lambda item: (-item[1], item[0]))[:MOST_CONFUSIONS]
    lines: list[list[Cell]] = [[reference, answer, count] for (reference, answer), count in most]
    shown = f", the {MOST_CONFUSIONS} most frequent of {len(wrong)}" if len(wrong) > len(most) else ""
    return Table(f"Confusions{shown}", ["reference", "answer", "times"], lines)


def _intents(part: str, found: Evaluation) -> list[Section]:
    if not any(found.intents):
        return []
    totals, rights, wrong = Counter[str](), Counter[str](), Counter[tuple[str, str]]()
    for sentence, answer in zip(found.sentences, found.intents, strict=True):
        if sentence.intent:
            totals[sentence.intent] += 1
            rights[sentence.intent] += sentence.intent == answer
            if sentence.intent != answer:
                wrong[sentence.intent, answer or NOTHING] += 1
    if not totals:
        return []
    lines: list[list[Cell]] = [[name, *_bar(rights[name], total)] for name, total in totals.most_common()]
    table = Table(
        "Each intent, the most frequent first", ["intent", "right", "right / all"], lines, right=[2]
    )
    confused = _pair_table(wrong) if wrong else Paragraph("No intent was taken for another.")
    return [Section(f"Intents of {part}", [Grid([table, confused], narrowest=32)])]


def _confidence(measured: Mapping[str, Evaluation]) -> Section:
    certainty = {part: found.certainty for part, found in measured.items()}
    sentences = {
        part: (found.confidences, [not wrong for wrong in found.wrong_slots])
        for part, found in measured.items()
    }
    pictures = [
        reliability_diagram("Share of right slots", certainty),
        reliability_diagram("Share of sentences with all slots right", sentences),
        risk_coverage_curve("Share of sentences with a wrong slot", sentences),
    ]
    drawn: list[Block] = [picture for picture in pictures if picture]
    tables: list[Block] = [_bin_table(part, *answers) for part, answers in certainty.items() if answers[0]]
    words = (
        "A confidence is honest if of all answers with that confidence just this share is right: then the points lie "
        "on the dashed line. The larger a point, the more answers it stands for. A confidence is useful if the errors "
        "are among the least sure: then the curve over the sentences that are kept stays low for long."
    )
    return Section(
        "Confidence", [Paragraph(words), Grid(drawn, 26), Details("The figures of the slots", tables)]
    )


def _bin_table(part: str, confidences: Sequence[float], right: Sequence[bool]) -> Table:
    lines: list[list[Cell]] = [
        [percent(item.confidence), percent(item.right), item.size] for item in reliability(confidences, right)
    ]
    return Table(
        f"Found slots of {part} by confidence", ["mean confidence", "right", "slots"], lines, right=[0, 1]
    )
