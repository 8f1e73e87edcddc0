"""Pictures of a tagger's report: whether its confidences are honest, and which labels it takes for which."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from sluice_core.calibration import Bin, reliability, risk_coverage
from sluice_core.reporting.page import Picture
from sluice_core.reporting.plots import INK, MUTED, SERIES, draw_svg

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Answers = tuple[Sequence[float], Sequence[bool]]
"""Confidences, and which of the answers are right."""


def reliability_diagram(title: str, parts: Mapping[str, Answers]) -> Picture | None:
    """The share of right answers by confidence, a point a bin; honest confidences lie on the diagonal.

    Args:
        title: says what the answers are.
        parts: answers by the name of their part of the corpus; those without any are left out.
    """
    bins = {name: reliability(*answers) for name, answers in parts.items() if len(answers[0])}
    if not bins:
        return None

    def draw(figure: "Figure") -> None:
        axes = figure.subplots()
        axes.plot([0, 1], [0, 1], color=MUTED, linestyle="--", linewidth=1.2, zorder=0)
        for (name, points), colour in zip(bins.items(), SERIES, strict=False):
            total = sum(point.size for point in points)
            axes.plot(
                [p.confidence for p in points],
                [p.right for p in points],
                color=colour,
                linewidth=1.2,
                label=name,
            )
            # The area says how many answers there are; the smallest can still be seen.
            areas = [12 + 240 * point.size / total for point in points]
            axes.scatter(
                [p.confidence for p in points],
                [p.right for p in points],
                areas,
                color=colour,
                alpha=0.7,
                linewidth=0,
            )
        _dress(axes, title, "confidence", (1.03, 1.03))
        if len(bins) > 1:
            axes.legend(loc="upper left")

    said = " ".join(f"{name}: {_bins_in_words(points)}." for name, points in bins.items())
    return Picture(draw_svg(draw, 4.6, 3.6), f"{title} by confidence. {said}")


def _bins_in_words(points: Sequence[Bin]) -> str:
    return ", ".join(f"{p.size} of confidence {p.confidence:.2f} are right in {p.right:.0%}" for p in points)


def risk_coverage_curve(title: str, parts: Mapping[str, Answers]) -> Picture | None:
    """The share of wrong answers among the surest ones, by how many of them are kept."""
    curves = {name: risk_coverage(*answers) for name, answers in parts.items() if len(answers[0])}
    if not curves:
        return None
    highest = max(0.01, *(float(risk.max()) for _, risk in curves.values()))

    def draw(figure: "Figure") -> None:
        axes = figure.subplots()
        for (name, (coverage, risk)), colour in zip(curves.items(), SERIES, strict=False):
            axes.plot(coverage, risk, color=colour, linewidth=1.6, label=name)
        _dress(axes, title, "share of the sentences that is kept, the surest first", (1.0, 1.1 * highest))
        if len(curves) > 1:
            axes.legend(loc="best")

    said = " ".join(
        f"{name}: {risk[round(len(risk) / 2) - 1]:.1%} of the surer half, {risk[-1]:.1%} of all."
        for name, (_, risk) in curves.items()
    )
    return Picture(draw_svg(draw, 4.6, 3.6), f"{title} by coverage. {said}")


def _dress(axes: "Axes", title: str, x_label: str, limits: tuple[float, float]) -> None:
    from matplotlib.ticker import PercentFormatter

    axes.set_title(title, loc="left", fontsize=10)
    axes.set_xlabel(x_label)
    axes.grid(True)
    axes.set_xlim(0, limits[0])
    axes.set_ylim(0, limits[1])
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(PercentFormatter(1.0))


def confusion_matrix(title: str, names: Sequence[str], counts: Mapping[tuple[str, str], int]) -> Picture:
    """How often each reference (row) got each answer (column), as numbers on a shade of their share of the row.

    Args:
        title: says what is counted.
        names: of the rows, which are those of the columns too.
        counts: by reference and answer; missing pairs are 0.
    """
    size = len(names)
    sums = {row: sum(counts.get((row, column), 0) for column in names) for row in names}

    def draw(figure: "Figure") -> None:
        from matplotlib.patches import Rectangle

        axes = figure.subplots()
        for row, reference in enumerate(names):
            for column, answer in enumerate(names):
                count = counts.get((reference, answer), 0)
                if not count:
                    continue
                colour = SERIES[0] if row == column else SERIES[1]
                share = 0.12 + 0.5 * count / sums[reference]
                axes.add_patch(
                    Rectangle((column - 0.5, row - 0.5), 1, 1, color=colour, alpha=share, linewidth=0)
                )
                axes.text(column, row, str(count), ha="center", va="center", fontsize=8)
        axes.set_xlim(-0.5, size - 0.5)
        axes.set_ylim(size - 0.5, -0.5)
        axes.set_xticks(range(size), names, rotation=45, ha="right")
        axes.set_yticks(range(size), names)
        axes.set_xlabel("answer")
        axes.set_ylabel("reference")
        axes.set_title(title, loc="left", fontsize=10)
        axes.tick_params(length=0)
        axes.hlines(
            [n + 0.5 for n in range(size - 1)], -0.5, size - 0.5, color=INK, alpha=0.12, linewidth=0.6
        )

    longest = max(map(len, names), default=0)
    width, height = 1.4 + 0.07 * longest + 0.46 * size, 1.0 + 0.055 * longest + 0.3 * size
    wrong = sorted(((n, pair) for pair, n in counts.items() if pair[0] != pair[1]), reverse=True)[:3]
    said = "; ".join(
        f"{reference} answered as {answer} {count} times" for count, (reference, answer) in wrong
    )
    return Picture(draw_svg(draw, width, height), f"{title}. {said or 'Nothing is confused'}.", wide=True)
