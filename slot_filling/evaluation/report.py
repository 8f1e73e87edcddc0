"""The report of a tagger's run: how it learned, which slots it misses, and whether its confidences are honest."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from slot_filling.evaluation.evaluation import Evaluation
from slot_filling.evaluation.metrics import NOTHING, SpanCounts, confusions, recall_by_novelty
from slot_filling.evaluation.pictures import confusion_matrix
from slot_filling.evaluation.sentence_tables import sentence_list
from slot_filling.vocabulary import Vocabulary
from slot_filling.word_shapes import fold
from sluice_cells import CELLS
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
from sluice_core.reporting.reliability import reliability_diagram, risk_coverage_curve
from sluice_core.reporting.sections import confidence_section, reported_split, training_facts
from sluice_core.wording import plural

if TYPE_CHECKING:
    from slot_filling.tagger import Tagger

MOST_LABELS = 25
"""The rarer kinds of slots beyond these are folded away."""
MOST_CONFUSIONS = 20
MATRIX_LABELS = 14
MOST_NAMED = 10


def write_report(
    run: Path, evaluations: Mapping[str, Evaluation], tagger: "Tagger", metrics: Mapping[str, Any]
) -> Path:
    """Write `report.html` of a run: one file that needs no other and no network.

    Args:
        run: the run directory; its `history.json` is read if it is there.
        evaluations: the evaluation of "dev", and of "test" if there is one. Single slots and sentences are shown of
            test if it is there, else of dev.
        tagger: what was evaluated.
        metrics: what `metrics.json` gets.

    Returns:
        The file.

    Raises:
        CheckpointError: it cannot be written.
    """
    history, errors = _with_errors(read_history(run))
    sections = [
        _figures(evaluations, tagger.vocabulary),
        learning_curves(history, errors, tagger.config.training),
    ]
    if evaluations:
        split = reported_split(evaluations)
        evaluation = evaluations[split]
        sections += [
            _slots(split, evaluation, tagger.vocabulary),
            _confusions(split, evaluation),
            *_intents(split, evaluation),
            _confidence(evaluations, tagger),
            Section(f"Worst sentences of {split}", sentence_list(evaluation)),
        ]
    page = Page(
        title=tagger.config.name,
        subtitle=_subtitle(tagger),
        highlights=_highlights(evaluations),
        facts=_facts(evaluations, tagger, metrics),
        sections=sections,
    )
    return page.write(run)


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


def _highlights(evaluations: Mapping[str, Evaluation]) -> list[tuple[str, str]]:
    figures = []
    for split, evaluation in evaluations.items():
        figures.append((f"{split} span F1", percent(evaluation.scores.f1)))
        figures.append((f"{split} whole sentences", _share(sum(evaluation.whole), len(evaluation.whole))))
    return figures


def _share(count: int, total: int, decimals: int = 1) -> str:
    return percent(count / total, decimals) if total else "none"


def _facts(
    evaluations: Mapping[str, Evaluation], tagger: "Tagger", metrics: Mapping[str, Any]
) -> list[tuple[str, str]]:
    config, vocabulary = tagger.config, tagger.vocabulary
    facts: list[tuple[str, str]] = [("corpus", config.corpus.kind)]
    for split, evaluation in evaluations.items():
        sizes = (
            (len(evaluation.sentences), "sentence"),
            (evaluation.scores.words, "word"),
            (evaluation.scores.total.gold, "slot"),
        )
        facts.append((split, ", ".join(plural(count, noun) for count, noun in sizes)))
    words, intents = len(vocabulary.words), len(vocabulary.intents)
    kinds = f"{plural(len(vocabulary.labels), 'kind')} of slots"
    facts.append(("vocabulary", f"{plural(words, 'word')}, {kinds}, {plural(intents, 'intent')}"))
    return facts + training_facts(metrics, config.training.seed)


def _with_errors(history: list[dict[str, float]]) -> tuple[list[dict[str, float]], dict[str, str]]:
    """Return each epoch's figures with errors where training noted shares of right answers, and the errors' labels."""
    rights = {
        "dev_sentences": ("dev_sentence_error", "whole sentences"),
        "dev_intents": ("dev_intent_error", "intents"),
    }
    epochs = [
        {**epoch, **{error: 1 - epoch[name] for name, (error, _) in rights.items() if name in epoch}}
        for epoch in history
    ]
    return epochs, {"dev_error": "spans (1 - F1)", **dict(rights.values())}


def _figures(evaluations: Mapping[str, Evaluation], vocabulary: Vocabulary) -> Section:
    lines: list[list[Cell]] = []
    sureness: list[list[Cell]] = []
    for split, evaluation in evaluations.items():
        total = evaluation.scores.total
        lines.append([split, "slots: F1", Bar(total.f1, percent(total.f1, 2)), ""])
        lines.append([split, "slots: precision", *_bar(total.right, total.found)])
        lines.append([split, "slots: recall", *_bar(total.right, total.gold)])
        right, asked = _right_intents(evaluation)
        if asked:
            lines.append([split, "intents", *_bar(right, asked)])
        lines.append([split, "whole sentences", *_bar(sum(evaluation.whole), len(evaluation.whole))])
        figures = evaluation.to_dict()
        sureness.append(
            [split, f"{figures['calibration_error']:.4f}", percent(figures["errors_in_surer_half"])]
        )
    blocks: list[Block] = [
        Table(
            "Right, of how many; a slot is right if its label and both its borders are",
            ["split", "what", "share", "count"],
            lines,
            right=[3],
        ),
        Table(
            "Confidence",
            [
                "split",
                "expected calibration error of slots",
                "share of the wrong sentences in the surer half",
            ],
            sureness,
            right=[1, 2],
        ),
    ]
    for split, evaluation in evaluations.items():
        blocks += _warnings(split, evaluation, vocabulary)
    return Section("Figures", blocks)


def _bar(right: int, total: int) -> list[Cell]:
    return [Bar(right / max(1, total), _share(right, total, 2)), f"{right:,} / {total:,}"]


def _right_intents(evaluation: Evaluation) -> tuple[int, int]:
    """Return the right intents and the sentences that have one; both are 0 where the tagger knows no intents."""
    if not any(evaluation.intents):
        return 0, 0
    asked = [
        (s.intent, answer)
        for s, answer in zip(evaluation.sentences, evaluation.intents, strict=True)
        if s.intent
    ]
    return sum(wanted == answer for wanted, answer in asked), len(asked)


def _warnings(split: str, evaluation: Evaluation, vocabulary: Vocabulary) -> list[Block]:
    """Return notices that no reader should overlook."""
    notices: list[Block] = []
    if evaluation.scores.total.gold and not evaluation.scores.total.found:
        notices.append(Notice(f"No slot was found in any sentence of {split}."))
    for kind, counts in vocabulary.unseen(evaluation.sentences).items():
        if counts:
            named = ", ".join(f"{name} ({count})" for name, count in counts.most_common(MOST_NAMED))
            more = f" and {len(counts) - MOST_NAMED} more" if len(counts) > MOST_NAMED else ""
            notices.append(
                Notice(
                    f"{split.capitalize()} has {kind} that training never had, so they cannot be answered: "
                    f"{named}{more}."
                )
            )
    return notices


def _slots(split: str, evaluation: Evaluation, vocabulary: Vocabulary) -> Section:
    ordered = sorted(evaluation.scores.labels.items(), key=lambda pair: (-pair[1].gold, pair[0]))
    if not ordered:
        none = Paragraph("There is no slot, neither in the reference nor in the answers.")
        return Section(f"Slots of {split}", [none])
    blocks: list[Block] = [_label_table("Each kind of slot, the most frequent first", ordered[:MOST_LABELS])]
    if rest := ordered[MOST_LABELS:]:
        blocks.append(
            Details(f"The {len(rest)} rarer kinds", [_label_table("The rarer kinds of slots", rest)])
        )
    known = set(vocabulary.words)
    tags = [sentence.tags or () for sentence in evaluation.sentences]
    kinds = recall_by_novelty(evaluation.sentences, evaluation.tags, lambda word: fold(word) in known)
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
                _kinds_of_error(tags, evaluation),
            ],
            narrowest=26,
        )
    ]
    return Section(f"Slots of {split}", blocks)


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


def _kinds_of_error(tags: Sequence[Sequence[str]], evaluation: Evaluation) -> Table:
    """Count what became of the slots that are not right: each is paired with what stands at its place."""
    pairs = confusions(tags, evaluation.tags)
    same = sum(count for (reference, answer), count in pairs.items() if reference == answer)
    missed = sum(count for (_, answer), count in pairs.items() if answer == NOTHING)
    invented = sum(count for (reference, _), count in pairs.items() if reference == NOTHING)
    other = pairs.total() - same - missed - invented
    lines: list[list[Cell]] = [
        ["right label, wrong borders", same - evaluation.scores.total.right],
        ["another label", other],
        ["nothing found there", missed],
        ["found where there is none", invented],
    ]
    return Table("What is wrong", ["error", "slots"], lines)


def _confusions(split: str, evaluation: Evaluation) -> Section:
    title = f"Confused slots of {split}"
    pairs = confusions([sentence.tags or () for sentence in evaluation.sentences], evaluation.tags)
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


def _intents(split: str, evaluation: Evaluation) -> list[Section]:
    if not any(evaluation.intents):
        return []
    totals, rights, wrong = Counter[str](), Counter[str](), Counter[tuple[str, str]]()
    for sentence, answer in zip(evaluation.sentences, evaluation.intents, strict=True):
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
    return [Section(f"Intents of {split}", [Grid([table, confused], narrowest=32)])]


def _confidence(evaluations: Mapping[str, Evaluation], tagger: "Tagger") -> Section:
    slots = {split: evaluation.certainty for split, evaluation in evaluations.items()}
    sentences = {
        split: (evaluation.confidences, [not wrong for wrong in evaluation.wrong_slots])
        for split, evaluation in evaluations.items()
    }
    pictures = [
        reliability_diagram("Share of right slots", slots),
        reliability_diagram("Share of sentences with all slots right", sentences),
        risk_coverage_curve("Share of sentences with a wrong slot", "sentences", sentences),
    ]
    heat = tagger.temperatures
    note = (
        "The confidences are calibrated: scores are divided by temperatures that were fitted to dev, "
        f"{heat.slots:g} for slots and {heat.intents:g} for intents (calibration.json)."
    )
    return confidence_section("slots", "sentences", slots, pictures, note)
