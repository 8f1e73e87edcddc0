"""The report of a comparison: a table of means over seeds, one plot, and how each tagger learned."""

import statistics
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from recipes.slots.comparison.settings import ComparisonSettings
from sluice_core.reporting.page import Cell, Grid, Page, Paragraph, Picture, Section, Table
from sluice_core.reporting.plots import SERIES, Curve, draw_svg, line_chart

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ResultsByCell = Mapping[tuple[str, str], Sequence[Mapping[str, Any]]]
"""The results of each row and column, one for each seed."""

NAMES = {
    "f1": "F1",
    "intent_accuracy": "intents",
    "whole_sentences": "whole sentences",
    "calibration_error": "calibration error",
    "errors_in_surer_half": "errors in the surer half",
    "f1_edits": "F1, mistyped",
    "f1_sounds": "F1, misheard",
}


def spread(values: Sequence[float]) -> str:
    """Return mean and standard deviation over seeds, in percent.

    >>> spread([0.90, 0.92])
    '91.00 ± 1.41'
    """
    mean = f"{100 * statistics.mean(values):.2f}"
    return f"{mean} ± {100 * statistics.stdev(values):.2f}" if len(values) > 1 else mean


def table(results: ResultsByCell, settings: ComparisonSettings) -> Table:
    """Return the table with every figure of every row and column."""
    lines: list[list[Cell]] = []
    for row in settings.rows:
        trained = [results[row, column] for column in settings.columns]
        lines.append(
            [
                row,
                *(
                    spread([result[figure] for result in each])
                    for each in trained
                    for figure in settings.figures
                ),
                " / ".join(f"{each[0]['parameters']:,}" for each in trained),
                " / ".join(
                    f"{statistics.mean(result['seconds'] for result in each):.0f}" for each in trained
                ),
            ]
        )
    names = [NAMES[figure] for figure in settings.figures]
    header = [f"{name}, {column}" if column else name for column in settings.columns for name in names]
    header += ["parameters", "seconds"]
    seeds = len(settings.seeds)
    over = f"mean ± standard deviation over {seeds} seeds" if seeds > 1 else "one seed"
    return Table(
        f"{settings.title}: figures of dev in percent, {over}; seconds of one training",
        ["", *header],
        lines,
        right=range(1, 1 + len(header)),
    )


def picture(results: ResultsByCell, settings: ComparisonSettings) -> Picture:
    """Draw the distance of the first figure from 1, each seed as a dot and the mean as a line."""
    figure = settings.figures[0]
    title = f"100% - {NAMES[figure]} of dev, percent"
    count = len(settings.columns)

    def draw(canvas: "Figure") -> None:
        from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

        axes = canvas.subplots()
        for number, (column, colour) in enumerate(zip(settings.columns, SERIES, strict=False)):
            for place, row in enumerate(settings.rows):
                errors = [100 * (1 - result[figure]) for result in results[row, column]]
                height = place + 0.24 * (number - (count - 1) / 2)
                label = (column or None) if not place else None
                axes.scatter(
                    errors, [height] * len(errors), 22, color=colour, alpha=0.55, linewidth=0, label=label
                )
                mean = statistics.mean(errors)
                axes.plot([mean, mean], [height - 0.12, height + 0.12], color=colour, linewidth=2.2)
        axes.set_xscale("log")  # so that one tagger that fails does not push the others together
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 1.5, 2, 3, 4, 5, 7)))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.set_yticks(range(len(settings.rows)), list(settings.rows))
        axes.set_ylim(len(settings.rows) - 0.5, -0.5)
        axes.grid(True, axis="x")
        axes.set_title(title, loc="left", fontsize=10)
        if count > 1:
            axes.legend(loc="best")

    means = "; ".join(
        f"{row}{', ' + column if column else ''}: {spread([result[figure] for result in trained])}"
        for (row, column), trained in results.items()
    )
    caption = "Each dot is a seed, each line their mean; the axis is logarithmic, left is better."
    return Picture(
        draw_svg(draw, 8.5, 1.1 + 0.42 * len(settings.rows)), f"{NAMES[figure]} of dev: {means}.", caption
    )


def learning(results: ResultsByCell, settings: ComparisonSettings) -> Grid:
    """Draw dev F1 by epoch, the mean over seeds, which shows whether a tagger would learn more."""
    charts = []
    for row in settings.rows:
        curves = [_curve(column or row, results[row, column]) for column in settings.columns]
        svg = line_chart(row, curves, x_label="epoch", percent=True, limits=(0.6, 1.0), width=3.6, height=2.3)
        ends = ", ".join(f"{curve.label} {curve.y[-1]:.1%}" for curve in curves)
        charts.append(Picture(svg, f"Dev F1 of {row} by epoch; at the end: {ends}."))
    return Grid(charts)


def _curve(label: str, trained: Sequence[Mapping[str, Any]]) -> Curve:
    epochs = min(len(result["curve"]) for result in trained)
    means = [statistics.mean(result["curve"][epoch] for result in trained) for epoch in range(epochs)]
    return Curve(label, range(1, epochs + 1), means)


def page(results: ResultsByCell, settings: ComparisonSettings, machine: str) -> Page:
    """Return the whole report."""
    first = settings.config(next(iter(settings.rows)), next(iter(settings.columns)), settings.seeds[0])
    words = (
        f"All taggers are trained in the same way for {first.training.max_epochs} epochs and measured with the "
        "weights of the last; no epoch is chosen by its dev figures. Differences within the deviations are chance."
    )
    one = next(iter(results.values()))[0]
    facts = [
        ("corpus", first.corpus.kind),
        ("dev", f"{one['sentences']:,} sentences, {one['gold']:,} slots"),
        ("seeds", ", ".join(map(str, settings.seeds))),
        ("machine", machine),
    ]
    sections = [
        Section("Comparison", [Paragraph(words), table(results, settings), picture(results, settings)]),
        Section(
            "Learning curves",
            [Paragraph("Dev F1 by epoch, the mean over seeds."), learning(results, settings)],
        ),
    ]
    return Page(title=settings.title, facts=facts, sections=sections)
