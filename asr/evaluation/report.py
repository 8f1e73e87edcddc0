"""The report of a recognizer's run: how it learned, what it gets wrong, and a few utterances in detail."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from asr.evaluation.diagnostics import Diagnostics
from asr.evaluation.error_analysis import (
    align,
    unit_of,
    worst_first,
)
from asr.evaluation.error_rates import Unit
from asr.evaluation.error_tables import COUNT_HEADER, confusion_tables, count_cells, group_tables, worst_list
from asr.evaluation.evaluation import Evaluation
from asr.evaluation.utterance_details import utterance_details
from asr.transcriber import Transcriber
from sluice_cells import CELLS
from sluice_core.reporting.learning_curves import learning_curves, read_history
from sluice_core.reporting.page import (
    Block,
    Cell,
    Details,
    Notice,
    Page,
    Paragraph,
    Section,
    Table,
    percent,
)
from sluice_core.reporting.reliability import reliability_diagram, risk_coverage_curve
from sluice_core.reporting.sections import confidence_section, reported_split, training_facts
from sluice_core.wording import capitalize, plural

if TYPE_CHECKING:
    from datasets import Dataset

MOST_UNREADABLE = 50


def write_report(
    run: Path,
    corpus: "Mapping[str, Dataset]",
    evaluations: Mapping[str, Evaluation],
    transcriber: Transcriber,
    metrics: Mapping[str, Any],
) -> Path:
    """Write `report.html` of a run: one file that needs no other and no network.

    Args:
        run: the run directory; its `history.json` is read if it is there.
        corpus: the utterances of each split, as training and evaluation used them.
        evaluations: the evaluation of "dev", and of "test" if there is one. Single utterances, speakers and words
            are shown of test if it is there, else of dev.
        transcriber: the recognizer that was evaluated.
        metrics: what `metrics.json` gets.

    Returns:
        The file.

    Raises:
        CheckpointError: it cannot be written.
    """
    history = read_history(run)
    sections = [_error_rates(evaluations), *_advice(history, metrics)]
    errors = {"dev_wer": "words", "dev_cer": "characters"}
    sections.append(learning_curves(history, errors, transcriber.config.training))
    if evaluations:
        split = reported_split(evaluations)
        sections += _sections_of(split, evaluations[split], corpus.get(split), transcriber)
        sections.append(_confidence(evaluations, transcriber))
    config, model = transcriber.config, transcriber.config.model
    directions = "bidirectional " if model.bidirectional else ""
    page = Page(
        title=config.name,
        subtitle=f"A speech recognizer trained on {config.corpus.kind}: "
        f"{model.layers} {directions}{CELLS[model.cell].__name__} layers of {model.hidden_size}, "
        "CTC, decoded greedily",
        highlights=_highlights(evaluations),
        facts=_facts(corpus, transcriber, metrics),
        sections=sections,
    )
    return page.write(run)


def _highlights(evaluations: Mapping[str, Evaluation]) -> list[tuple[str, str]]:
    return [
        (f"{split} {unit} error rate", percent(count.rate))
        for split, evaluation in evaluations.items()
        for unit, count in (("word", evaluation.words), ("character", evaluation.characters))
    ]


def _facts(
    corpus: "Mapping[str, Dataset]", transcriber: Transcriber, metrics: Mapping[str, Any]
) -> list[tuple[str, str]]:
    config, features = transcriber.config, transcriber.config.features
    facts: list[tuple[str, str]] = [("corpus", config.corpus.kind)]
    for split, utterances in corpus.items():
        minutes = sum(utterances["duration_seconds"]) / 60
        length = f"{minutes:.1f} minutes" if minutes < 90 else f"{minutes / 60:.1f} hours"
        speakers = plural(len(set(utterances["speaker"])), "speaker")
        facts.append((split, f"{plural(len(utterances), 'utterance')}, {length}, {speakers}"))
    facts += [
        ("features", f"{features.kind.replace('_', ' ')}, {features.mels} mels, {features.sample_rate} Hz"),
        ("alphabet", f"{plural(len(transcriber.tokens), 'token')}, the blank included"),
    ]
    return facts + training_facts(metrics, config.training.seed)


def _error_rates(evaluations: Mapping[str, Evaluation]) -> Section:
    lines: list[list[Cell]] = []
    for split, evaluation in evaluations.items():
        for unit, count in (("words", evaluation.words), ("characters", evaluation.characters)):
            lines.append([split, unit, *count_cells(count)])
    header = ["split", "over", *COUNT_HEADER]
    blocks: list[Block] = [Table("Errors of the alignment with the fewest edits", header, lines, right=[3])]
    for split, evaluation in evaluations.items():
        blocks += _unreadable(split, evaluation)
        if evaluation.ids and not any(text.strip() for text in evaluation.hypotheses):
            blocks.append(
                Notice(f"Nothing was recognized in any utterance of {split}: every output is blank.")
            )
    return Section("Error rates", blocks)


def _unreadable(split: str, evaluation: Evaluation) -> list[Block]:
    broken = list(evaluation.unreadable.items())
    if not broken:
        return []
    shown = f", the first {MOST_UNREADABLE}" if len(broken) > MOST_UNREADABLE else ""
    table = Table(f"Unreadable utterances of {split}{shown}", ["utterance", "why"], broken[:MOST_UNREADABLE])
    count = plural(len(broken), "utterance")
    text = f"The audio of {count} of {split} could not be read; all that was said there counts as deleted."
    return [Notice(text), Details("Which, and why", [table])]


def _advice(history: list[dict[str, float]], metrics: Mapping[str, Any]) -> list[Section]:
    """Return what the diagnostics say of the run: as training noted it, or from its history."""
    said = list(metrics.get("advice", []))
    if not said:
        diagnostics = Diagnostics(said.append)
        for position, figures in enumerate(history):
            diagnostics.epoch(int(figures.get("epoch", position)), figures)
    return [Section("Advice", [Notice(capitalize(text)) for text in said])] if said else []


def _sections_of(
    split: str, evaluation: Evaluation, dataset: "Dataset | None", transcriber: Transcriber
) -> list[Section]:
    """Return the sections on the utterances of one split."""
    if not evaluation.ids:
        return []
    select_by_characters = transcriber.config.select_by == "cer"
    unit: Unit = "characters" if select_by_characters else unit_of(evaluation.references)
    utterances = align(evaluation, unit)
    ordered = worst_first(utterance for utterance in utterances if utterance.readable)
    sections = [
        Section(f"Errors of {split} by length and speaker", group_tables(utterances, unit)),
        Section(f"Most frequent errors of {split}", confusion_tables(utterances, unit)),
        Section(f"Worst utterances of {split}", worst_list(ordered, unit)),
    ]
    if dataset is not None and ordered:
        sections.append(utterance_details(split, ordered, dataset, transcriber, unit))
    return sections


def _confidence(evaluations: Mapping[str, Evaluation], transcriber: Transcriber) -> Section:
    words = {split: evaluation.certainty for split, evaluation in evaluations.items()}
    if not any(confidences for confidences, _ in words.values()):
        return Section(
            "Confidence", [Paragraph("No word was recognized, so there is no confidence to judge.")]
        )
    calibrated = transcriber.decoding.confidence is not None
    caption = "" if calibrated else "Geometric means of posteriors, not calibrated."
    pictures = [
        reliability_diagram("Share of right words", words, caption),
        risk_coverage_curve("Share of wrong words", "words", words),
    ]
    note = (
        "The confidences are calibrated on dev by `sluice tune`."
        if calibrated
        else "The confidences are not calibrated: each is the geometric mean of the posteriors of the word's tokens. "
        "`sluice tune` calibrates them on dev and prints the expected calibration error before and after."
    )
    return confidence_section("words", "words", words, pictures, note)
