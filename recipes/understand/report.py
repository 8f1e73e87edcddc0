"""The report of the recipe: a table, the choice of the weight, and the worst requests with their audio."""

from asr.audio.writing import encode_flac
from recipes.understand.evaluation import Miss, RequestEvaluation
from recipes.understand.metrics import RequestCounts
from recipes.understand.settings import UnderstandSettings
from sluice.understanding import Understanding
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

HEADER = ["what is tagged", "word errors", "slot F1", "slots right", "intents", "requests right"]


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
        "Test: voices and sentences that neither half has met; a slot is right with its label and its words"
    )
    return Table(caption, HEADER, lines, right=range(1, len(HEADER)))


def _cells(counts: RequestCounts) -> list[Cell]:
    return [
        percent(counts.f1, 2),
        f"{counts.right} / {counts.gold}, {counts.found} found",
        percent(counts.intents / max(1, counts.requests), 2),
        Bar(counts.whole / max(1, counts.requests), f"{counts.whole} / {counts.requests}"),
    ]


def page(evaluation: RequestEvaluation, settings: UnderstandSettings, machine: str) -> Page:
    """Return the whole report."""
    chosen = f"the best of {settings.candidates} by both"
    _, counts = evaluation.rows[chosen]
    words, _ = evaluation.rows["the best reading"]
    highlights = [
        ("slot F1 on recognized text", percent(counts.f1, 2)),
        ("requests right", percent(counts.whole / max(1, counts.requests), 2)),
        ("word error rate", percent(words["rate"], 2)),
    ]
    facts = [
        ("test", f"{counts.requests} requests, {counts.gold} slots"),
        ("tagger's weight", f"{evaluation.weight:g}, chosen on dev"),
        ("machine", machine),
    ]
    sections = [
        Section("Figures", [figures_table(evaluation)]),
        Section("The tagger's weight", [_weights(evaluation)]),
        Section("The worst requests", [_request(miss) for miss in evaluation.misses] or [Paragraph("None.")]),
    ]
    return Page(
        title=settings.name,
        subtitle="Speech to slots: a recognizer and a tagger of travel requests",
        highlights=highlights,
        facts=facts,
        sections=sections,
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
        ("means", f"{gold.intent}: {_listed([f'{label} {text}' for label, text in gold.slots])}"),
        ("understood", f"{understood.intent}: {_slots(understood)}"),
    ]
    others = [each.text for each in request.heard.alternatives[:readings] if each.text != understood.text]
    if others:
        lines.append(("also read", "; ".join(others)))
    sound = Audio(encode_flac(request.samples, request.sample_rate), f"Request {request.number}")
    return Subsection(f"Request {request.number}, speaker {request.speaker}", [Texts(lines), sound])


def _slots(understood: Understanding) -> str:
    return _listed([f"{slot.label} {slot.text} ({slot.confidence:.2f})" for slot in understood.slots])


def _listed(items: list[str]) -> str:
    return ", ".join(items) or "no slots"
