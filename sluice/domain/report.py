"""The report of a domain: who is understood, what costs slots, what to do, and the worst requests with their audio."""

from typing import Any

from asr.audio.writing import encode_flac
from sluice.domain.evaluation import Miss, RequestEvaluation
from sluice.domain.metrics import RequestCounts
from sluice.domain.settings import DomainConfig
from sluice.domain.voices import Heard, VoiceCounts, advise, count_engines, count_voices, find_confusions
from sluice.fitting_rejection import TRUSTED
from sluice.rejection import RejectionConfig
from sluice_core.grammar.grammar import Grammar
from sluice_core.reporting.page import (
    Audio,
    Bar,
    Cell,
    Page,
    Paragraph,
    Picture,
    Section,
    Subsection,
    Table,
    Texts,
    percent,
)
from sluice_core.reporting.plots import Curve, line_chart
from sluice_core.wording import plural

MOST_LINES = 20
"""Lines of a table of voices or confusions."""
HEADER = ["how it is understood", "word errors", "slot F1", "slots right", "intents", "requests right"]


def figures_table(evaluation: RequestEvaluation) -> Table:
    """Return the table with the figures of test."""
    lines: list[list[Cell]] = []
    for name, (words, counts) in evaluation.rows.items():
        heard = (
            f"{percent(words['rate'], 2)} ({words['errors']} / {words['total']})"
            if words["errors"]
            else "none"
        )
        lines.append([name, heard, *_cells(counts)])
    caption = (
        "Test: voices and sentences that neither model has met; a slot is right with its label and its value, a "
        "request with its intent and all its slots"
    )
    return Table(caption, HEADER, lines, right=range(1, len(HEADER)))


def _cells(counts: RequestCounts) -> list[Cell]:
    return [
        percent(counts.f1, 2),
        f"{counts.right} / {counts.gold}, {counts.found} found",
        percent(counts.intents / max(1, counts.requests), 2),
        Bar(counts.whole / max(1, counts.requests), f"{counts.whole} / {counts.requests}"),
    ]


def format_figures(metrics: dict[str, Any]) -> str:
    """Return tables of the figures of test, of metrics as `RequestEvaluation.to_dict` gives them, for a terminal."""
    from tabulate import tabulate

    by_way = [
        (name, f"{row['words']['rate']:.1%}", f"{row['f1']:.1%}", f"{row['whole_requests']:.1%}")
        for name, row in metrics["test"].items()
    ]
    by_engine = [
        (name, f"{row['word_error_rate']:.1%}", f"{row['right']} / {row['requests']}")
        for name, row in metrics["engines"].items()
    ]
    tables = (
        (by_way, ("test, understood by", "word errors", "slot F1", "requests right")),
        (by_engine, ("engine", "word errors", "requests right")),
    )
    return "\n\n".join(
        tabulate(rows, header, disable_numparse=True, colalign=("left", *["right"] * (len(header) - 1)))
        for rows, header in tables
    )


def page(
    evaluation: RequestEvaluation, config: DomainConfig, grammar: Grammar, machine: str, run: str
) -> Page:
    """Return the whole report."""
    *_, (_, counts) = evaluation.rows.values()
    words, _ = evaluation.rows["the best reading"]
    highlights = [
        ("requests right", percent(counts.whole / max(1, counts.requests), 2)),
        ("slot F1", percent(counts.f1, 2)),
        ("word error rate", percent(words["rate"], 2)),
    ]
    facts = [
        ("grammar", f"{len(grammar.intents)} intents, {grammar.count():,} sentences, {grammar.language}"),
        ("test", f"{counts.requests} requests, {counts.gold} slots"),
        ("tagger's weight", f"{evaluation.weight:g}, chosen on dev"),
        ("machine", machine),
    ]
    heard = evaluation.heard
    sections = [
        Section("Figures", [figures_table(evaluation)]),
        Section(
            "Who is understood",
            [_voices("engine", count_engines(heard)), _voices("voice", count_voices(heard))],
        ),
        Section("What is confused", [_confusions(heard)]),
        Section("What is none of these", [Paragraph(describe_rejection(evaluation.rejection))]),
        Section("What to do", [Paragraph(text) for text in advise(heard, run)]),
        Section("The tagger's weight", [_weights(evaluation)]),
        Section("The worst requests", [_request(miss) for miss in evaluation.misses] or [Paragraph("None.")]),
    ]
    return Page(
        title=config.name,
        subtitle="Speech to slots: a recognizer and a tagger of one grammar, on voices that neither has met",
        highlights=highlights,
        facts=facts,
        sections=sections,
    )


def describe_rejection(rejection: RejectionConfig | None) -> str:
    """Say what rejection was fitted to, and how far that is to be trusted."""
    if rejection is None or rejection.accepted is None:
        return (
            "There were too few utterances to learn from what is none of the sentences: a rough rule tells it. Train "
            "with more (corpus.utterances, others)."
        )
    fitted = (
        f"Fitted to {plural(rejection.sentences, 'sentence')} of dev, as they are and in noise, of which "
        f"{rejection.accepted:.1%} are accepted, and {plural(rejection.others, 'recording')} of anything else."
    )
    few = [
        f"{name} ({setting})"
        for name, setting, count in (
            ("sentences", "corpus.utterances", rejection.sentences),
            ("others", "others", rejection.others),
        )
        if count < TRUSTED
    ]
    if not few:
        return fitted
    return (
        f"{fitted} That is too little to trust: below {TRUSTED} of either, single utterances decide what is accepted. "
        f"Train with more {' and '.join(few)}, or set threshold in rejection.yaml by hand."
    )


def _voices(kind: str, voices: list[VoiceCounts]) -> Table:
    lines: list[list[Cell]] = [
        [each.name, Bar(each.share, f"{each.right} / {each.requests}"), percent(each.word_error_rate, 1)]
        for each in voices[:MOST_LINES]
    ]
    more = f"; the {MOST_LINES} understood worst of {len(voices)}" if len(voices) > MOST_LINES else ""
    caption = f"Requests of test by {kind}{more}"
    return Table(caption, [kind, "requests right", "word errors"], lines, right=range(2, 3))


def _confusions(heard: list[Heard]) -> Table | Paragraph:
    confusions = find_confusions(heard)
    if not confusions:
        return Paragraph("Every slot of test was understood.")
    lines: list[list[Cell]] = [
        [
            each.label,
            each.said or "nothing",
            each.words if each.said else "",
            each.understood or "nothing",
            f"{each.count} of {each.of}" if each.said else str(each.count),
            str(each.voices),
        ]
        for each in confusions[:MOST_LINES]
    ]
    caption = "Values of test that were taken for others, missed, or invented, the most frequent first"
    return Table(
        caption,
        ["slot", "meant", "most often said as", "understood", "times", "voices"],
        lines,
        right=range(4, 6),
    )


def _weights(evaluation: RequestEvaluation) -> Picture:
    weights = [weight for weight, _ in evaluation.by_weight]
    curves = [
        Curve("slot F1", weights, [counts.f1 for _, counts in evaluation.by_weight]),
        Curve(
            "requests right", weights, [counts.whole / counts.requests for _, counts in evaluation.by_weight]
        ),
    ]
    low = min(min(curve.y) for curve in curves)
    svg = line_chart(
        "dev, by the weight of the tagger's opinion",
        curves,
        x_label="weight",
        percent=True,
        limits=(max(0.0, low - 0.05), 1.0),
        width=6.5,
        height=3.0,
    )
    figures = ", ".join(f"{weight:g}: {percent(counts.f1, 2)}" for weight, counts in evaluation.by_weight)
    return Picture(svg, f"Slot F1 of dev by the tagger's weight: {figures}.")


def _request(miss: Miss, readings: int = 3) -> Subsection:
    request, understood = miss.request, miss.understood
    gold = request.gold
    lines: list[tuple[str, Cell]] = [
        ("said", gold.text),
        ("heard", understood.text),
        ("means", f"{gold.intent}: {_listed([f'{slot.label} {slot.value}' for slot in gold.slots])}"),
        ("understood", f"{understood.intent}: {_slots(miss)}"),
    ]
    others = [each.text for each in request.heard.alternatives[:readings] if each.text != understood.text]
    if others:
        lines.append(("also read", "; ".join(others)))
    sound = Audio(encode_flac(request.samples, request.sample_rate), f"Request {request.number}")
    return Subsection(f"Request {request.number}, speaker {request.speaker}", [Texts(lines), sound])


def _slots(miss: Miss) -> str:
    slots = zip(miss.meaning.slots, miss.understood.slots, strict=True)
    return _listed([f"{slot.label} {slot.value} ({found.confidence:.2f})" for slot, found in slots])


def _listed(items: list[str]) -> str:
    return ", ".join(items) or "no slots"
