"""Pictures of confidences: whether they are honest (reliability diagrams) and useful (risk-coverage curves)."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from sluice_core.calibration import Bin, expected_calibration_error, reliability, risk_coverage
from sluice_core.reporting.page import Picture
from sluice_core.reporting.plots import MUTED, SERIES, draw_svg

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

JudgedAnswers = tuple[Sequence[float], Sequence[bool]]
"""The confidences of answers, and which of the answers are right."""

_WIDTH, _HEIGHT = 4.6, 3.6  # inches


def reliability_diagram(title: str, splits: Mapping[str, JudgedAnswers], note: str = "") -> Picture | None:
    """Draw the share of right answers by confidence, a point for each bin; honest confidences lie on the diagonal.

    The caption gives the expected calibration error of each split.

    Args:
        title: says what the answers are.
        splits: answers by the name of their split; splits without answers are left out.
        note: what the caption says besides.

    Returns:
        None where no split has answers.
    """
    given = {name: answers for name, answers in splits.items() if len(answers[0])}
    if not given:
        return None
    bins = {name: reliability(*answers) for name, answers in given.items()}

    def draw(figure: "Figure") -> None:
        axes = figure.subplots()
        axes.plot([0, 1], [0, 1], color=MUTED, linestyle="--", linewidth=1.2, zorder=0)
        for (name, points), colour in zip(bins.items(), SERIES, strict=False):
            sure, right = [point.confidence for point in points], [point.right for point in points]
            axes.plot(sure, right, color=colour, linewidth=1.2, label=name)
            # The area says how many answers there are; the smallest can still be seen.
            total = sum(point.size for point in points)
            areas = [12 + 240 * point.size / total for point in points]
            axes.scatter(sure, right, areas, color=colour, alpha=0.7, linewidth=0)
        _dress(axes, title, "confidence", (1.03, 1.03))
        if len(bins) > 1:
            axes.legend(loc="upper left")

    said = " ".join(f"{name}: {_bins_in_words(points)}." for name, points in bins.items())
    errors = ", ".join(
        f"{name} {expected_calibration_error(*answers):.3f}" for name, answers in given.items()
    )
    return Picture(
        draw_svg(draw, _WIDTH, _HEIGHT),
        f"{title} by confidence. {said}",
        f"Expected calibration error: {errors}. {note}".strip(),
    )


def _bins_in_words(points: Sequence[Bin]) -> str:
    return ", ".join(f"{p.size} of confidence {p.confidence:.2f} are right in {p.right:.0%}" for p in points)


def risk_coverage_curve(title: str, unit: str, splits: Mapping[str, JudgedAnswers]) -> Picture | None:
    """Draw the share of wrong answers among the surest ones, by how many of them are kept.

    Args:
        title: says what is wrong.
        unit: what the answers are called, in the plural, such as "words".
        splits: answers by the name of their split; splits without answers are left out.

    Returns:
        None where no split has answers.
    """
    curves = {name: risk_coverage(*answers) for name, answers in splits.items() if len(answers[0])}
    if not curves:
        return None
    highest = max(0.01, *(float(risk.max()) for _, risk in curves.values()))

    def draw(figure: "Figure") -> None:
        axes = figure.subplots()
        for (name, (coverage, risk)), colour in zip(curves.items(), SERIES, strict=False):
            axes.plot(coverage, risk, color=colour, linewidth=1.6, label=name)
        _dress(axes, title, f"share of the {unit} that is kept, the surest first", (1.0, 1.1 * highest))
        if len(curves) > 1:
            axes.legend(loc="best")

    said = " ".join(
        f"{name}: {risk[round(len(risk) / 2) - 1]:.1%} of the surer half, {risk[-1]:.1%} of all."
        for name, (_, risk) in curves.items()
    )
    return Picture(draw_svg(draw, _WIDTH, _HEIGHT), f"{title} by coverage. {said}")


def _dress(axes: "Axes", title: str, x_label: str, limits: tuple[float, float]) -> None:
    from matplotlib.ticker import PercentFormatter

    axes.set_title(title, loc="left", fontsize=10)
    axes.set_xlabel(x_label)
    axes.grid(True)
    axes.set_xlim(0, limits[0])
    axes.set_ylim(0, limits[1])
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(PercentFormatter(1.0))
