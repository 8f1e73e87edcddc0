"""The report of a recognizer's run: how it learned, what it gets wrong, and a few utterances seen in detail."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from asr.audio.reading import AudioError
from asr.audio.writing import encode_flac
from asr.corpora.utterances import read_utterance
from asr.evaluation.diagnostics import Diagnostics
from asr.evaluation.error_analysis import (
    AlignedUtterance,
    ErrorGroup,
    align,
    by_length,
    by_speaker,
    confusions,
    unit_of,
    worst_first,
)
from asr.evaluation.error_rates import Edit, ErrorCount, Unit
from asr.evaluation.evaluation import Evaluation
from asr.evaluation.pictures import DRAWN_SECONDS, picture
from asr.transcriber import Transcriber
from sluice_cells import CELLS
from sluice_core.reporting.learning_curves import learning_curves, read_history
from sluice_core.reporting.page import (
    Audio,
    Bar,
    Block,
    Cell,
    Details,
    Grid,
    MarkedText,
    Notice,
    Page,
    Paragraph,
    Picture,
    Section,
    Subsection,
    Table,
    Texts,
    percent,
)
from sluice_core.reporting.reliability import reliability_diagram, risk_coverage_curve
from sluice_core.reporting.sections import confidence_section, plural, reported_split, training_facts

if TYPE_CHECKING:
    from datasets import Dataset

MOST_CONFUSIONS = 20
MOST_SPEAKERS = 40
MOST_UTTERANCES = 25
MOST_UNREADABLE = 50
MOST_CHARACTERS = 600
"""Only the beginning of longer texts is shown."""


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
            lines.append([split, unit, *_count_cells(count)])
    header = ["split", "over", *_COUNT_HEADER]
    blocks: list[Block] = [Table("Errors of the alignment with the fewest edits", header, lines, right=[3])]
    for split, evaluation in evaluations.items():
        blocks += _unreadable(split, evaluation)
        if evaluation.ids and not any(text.strip() for text in evaluation.hypotheses):
            blocks.append(
                Notice(f"Nothing was recognized in any utterance of {split}: every output is blank.")
            )
    return Section("Error rates", blocks)


_COUNT_HEADER = ["error rate", "errors / total", "substituted", "deleted", "inserted"]


def _count_cells(count: ErrorCount) -> list[Cell]:
    return [
        Bar(count.rate, percent(count.rate, 2)),
        f"{count.errors:,} / {count.total:,}",
        count.substitutions,
        count.deletions,
        count.insertions,
    ]


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
    return [Section("Advice", [Notice(_sentence(text)) for text in said])] if said else []


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


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
        Section(f"Errors of {split} by length and speaker", _group_tables(utterances, unit)),
        Section(f"Most frequent errors of {split}", _confusion_tables(utterances, unit)),
        Section(f"Worst utterances of {split}", _worst_list(ordered, unit)),
    ]
    if dataset is not None and ordered:
        sections.append(_in_detail(split, ordered, dataset, transcriber, unit))
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


def _group_tables(utterances: Sequence[AlignedUtterance], unit: Unit) -> list[Block]:
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
    header = [name, "utterances", "seconds", *_COUNT_HEADER]
    lines: list[list[Cell]] = [
        [group.name, group.utterances, f"{group.seconds:,.1f}", *_count_cells(group.count)]
        for group in groups
    ]
    return Table(caption, header, lines, right=[2, 4])


def _confusion_tables(utterances: Sequence[AlignedUtterance], unit: Unit) -> list[Block]:
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


def _worst_list(ordered: Sequence[AlignedUtterance], unit: Unit) -> list[Block]:
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
            [u.id, f"{u.count.errors} / {u.count.total}", _said(u.edits, unit), _recognized(u.edits, unit)]
            for u in wrong[:shown]
        ]
        which = f"The {shown} with the highest" if shown < len(wrong) else "By"
        caption = f"{which} error rate over {unit}"
        blocks.append(Table(caption, ["utterance", "errors", "said", "recognized"], lines, right=[1]))
    return blocks


def _said(edits: Sequence[Edit], unit: Unit) -> list[MarkedText]:
    """Return the reference, with what was not recognized marked."""
    joint = " " if unit == "words" else ""
    return _spans(
        [MarkedText(joint.join(e.reference), "same" if e.kind == "equal" else "left out") for e in edits],
        joint,
    )


def _recognized(edits: Sequence[Edit], unit: Unit) -> list[MarkedText]:
    """Return the hypothesis, with what was not said marked."""
    joint = " " if unit == "words" else ""
    return _spans(
        [MarkedText(joint.join(e.hypothesis), "same" if e.kind == "equal" else "put in") for e in edits],
        joint,
    )


def _spans(spans: Sequence[MarkedText], joint: str) -> list[MarkedText]:
    """Join pieces of text; cut them where they grow too long for a page."""
    joined: list[MarkedText] = []
    room = MOST_CHARACTERS
    for span in spans:
        if not span.text:
            continue
        if room <= 0:
            return [*joined, MarkedText(" …")]
        if joined and joint:
            joined.append(MarkedText(joint))
        text = span.text if span.kind == "same" else span.text.replace(" ", "␣") if not joint else span.text
        joined.append(MarkedText(_shorten(text, room), span.kind))
        room -= len(span.text)
    return joined or [MarkedText("(nothing)")]


def _shorten(text: str, most: int = MOST_CHARACTERS) -> str:
    return text if len(text) <= most else text[:most] + "…"


def _in_detail(
    split: str, ordered: Sequence[AlignedUtterance], dataset: "Dataset", transcriber: Transcriber, unit: Unit
) -> Section:
    """Show the best, a median and the worst utterance, each once."""
    chosen = {"Best": ordered[-1], "Median": ordered[len(ordered) // 2], "Worst": ordered[0]}
    shown: set[int] = set()
    blocks: list[Block] = [
        Paragraph(
            "What the model is given and what it answers. Grey is the posterior of the blank, coloured lines are those "
            "of tokens; each token that is emitted stands above its highest step."
        )
    ]
    for name, utterance in chosen.items():
        if utterance.item not in shown:
            blocks.append(_utterance_subsection(name, utterance, dataset[utterance.item], transcriber, unit))
        shown.add(utterance.item)
    return Section(f"Utterances of {split} in detail", blocks)


def _utterance_subsection(
    name: str, utterance: AlignedUtterance, row: dict[str, Any], transcriber: Transcriber, unit: Unit
) -> Subsection:
    title = f"{name}: {utterance.id}"
    count, speaker = utterance.count, f"speaker {utterance.speaker}, " if utterance.speaker else ""
    texts = Texts(
        [("said", _said(utterance.edits, unit)), ("recognized", _recognized(utterance.edits, unit))]
    )
    errors = f"{plural(count.errors, 'error')} in {plural(count.total, unit.removesuffix('s'))}"
    facts = Paragraph(_sentence(f"{speaker}{utterance.seconds:.1f} s, {errors}"))
    rate = transcriber.config.features.sample_rate
    try:
        samples = read_utterance(row, rate)
    except AudioError as error:
        return Subsection(title, [facts, texts, Notice(str(error))])
    samples = samples[: math.ceil(DRAWN_SECONDS * rate)]
    svg, alt = picture(transcriber, samples, list(row.get("words") or []))
    whole = utterance.seconds <= DRAWN_SECONDS + 0.1
    caption = "" if whole else f"The first {DRAWN_SECONDS:.0f} seconds, to be seen and heard."
    sound = Audio(encode_flac(samples, rate), f"Utterance {utterance.id}")
    return Subsection(title, [facts, texts, sound, Picture(svg, alt, caption, wide=True)])
