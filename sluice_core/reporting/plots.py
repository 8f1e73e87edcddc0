"""Plots as inline SVG that take their colours from the page, light or dark.

matplotlib draws with the placeholder colours below; in the finished SVG they become CSS variables. Text stays
text: the browser sets it in its own fonts, whatever the script.
"""

import hashlib
import io
import re
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK = "#010203"
"""The colour of text, axes and grid."""
MUTED = "#010204"
"""The colour of what stands behind: fills and marks."""
SERIES = ("#010211", "#010212", "#010213", "#010214", "#010215", "#010216")
"""The colours of curves, one after another."""

_VARIABLES = {
    INK: "currentColor",
    MUTED: "var(--muted)",
    **{colour: f"var(--series-{number})" for number, colour in enumerate(SERIES, start=1)},
}


@dataclass(frozen=True)
class Curve:
    """One line of a chart."""

    label: str
    x: Sequence[float]
    y: Sequence[float]
    """NaN where it is not known; the line is broken there."""


def draw_svg(draw: "Callable[[Figure], None]", width: float, height: float) -> str:
    """Let `draw` fill a matplotlib figure and return it as an `<svg>` element.

    Args:
        draw: gets an empty figure, with constrained layout; uses the colours of this module.
        width: in inches, of 96 CSS pixels.
        height: in inches.
    """
    import matplotlib
    from matplotlib.figure import Figure

    settings: Any = {
        "svg.fonttype": "none",
        "text.parse_math": False,  # a $ in a transcript is a $
        "font.family": ["DejaVu Sans"],  # matplotlib brings it; only its measures matter here
        "font.size": 9,
        "text.color": INK,
        "axes.edgecolor": INK,
        "axes.labelcolor": INK,
        "axes.titlecolor": INK,
        "xtick.color": INK,
        "ytick.color": INK,
        "grid.color": INK,
        "grid.alpha": 0.15,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "legend.frameon": False,
        "svg.hashsalt": "sluice",
    }
    with matplotlib.rc_context(settings), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r"Glyph .* missing from")
        # SVG has 72 points to the inch, a browser 96 pixels.
        figure = Figure(figsize=(width, height), layout="constrained", facecolor="none")
        draw(figure)
        for axes in figure.axes:
            axes.set_facecolor("none")
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    return _inline(buffer.getvalue())


def _inline(svg: str) -> str:
    """Make an SVG document an element that can stand beside others in one page."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r"<style[^>]*>.*?</style>", "", svg, count=1, flags=re.DOTALL)  # would rule the whole page
    svg = re.sub(r' xmlns(:xlink)?="[^"]*"', "", svg, count=2)
    svg = svg.replace("xlink:href", "href")
    svg = re.sub(r"font: ([\d.]+)px [^;\"]*", r"font-size: \1px", svg)
    # Names must be unique within the page: keep those that are referred to, and make them this plot's own.
    used = set(re.findall(r'(?:href="#|url\(#)([^")]+)', svg))
    own = "p" + hashlib.sha256(svg.encode()).hexdigest()[:8]
    svg = re.sub(r' id="([^"]*)"', lambda m: f' id="{own}-{m[1]}"' if m[1] in used else "", svg)
    svg = re.sub(r'(href="#|url\(#)([^")]+)', rf"\g<1>{own}-\2", svg)
    for colour, variable in _VARIABLES.items():
        svg = svg.replace(colour, variable)
    return svg.strip()


def line_chart(
    title: str,
    curves: Sequence[Curve],
    *,
    x_label: str,
    percent: bool = False,
    logarithmic: bool = False,
    mark: float | None = None,
    limits: tuple[float, float] | None = None,
    width: float = 5.0,
    height: float = 2.8,
) -> str:
    """Draw curves over a common axis as SVG.

    Args:
        title: says what the vertical axis is, with its unit.
        curves: at most as many as there are `SERIES`; a legend tells several apart.
        x_label: the label of the horizontal axis.
        percent: show 0.1 as 10%.
        logarithmic: make the vertical axis logarithmic; for figures that are all positive.
        mark: where to draw a vertical line, such as the chosen epoch.
        limits: the limits of the vertical axis, where several charts are compared; as the curves need if not given.
        width: in inches.
        height: in inches.
    """

    def draw(figure: "Figure") -> None:
        axes = figure.subplots()
        for curve, colour in zip(curves, SERIES, strict=False):
            few = len(curve.x) < 2
            axes.plot(
                curve.x, curve.y, color=colour, label=curve.label, marker="o" if few else None, linewidth=1.6
            )
        if mark is not None:
            axes.axvline(mark, color=MUTED, linestyle="--", linewidth=1.2, zorder=0)
        _dress(axes, title, x_label, percent, logarithmic, limits)
        if len(curves) > 1:
            # The chosen epoch is often far to the right.
            axes.legend(loc="best" if mark is None else "upper center")

    return draw_svg(draw, width, height)


def _dress(
    axes: "Axes",
    title: str,
    x_label: str,
    percent: bool,
    logarithmic: bool,
    limits: tuple[float, float] | None,
) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter, PercentFormatter

    axes.set_title(title, loc="left", fontsize=10)
    axes.set_xlabel(x_label)
    axes.grid(True)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    if logarithmic:
        axes.set_yscale("log")
    if limits is not None:
        axes.set_ylim(limits)
    if logarithmic:
        # Ticks at 1, 2 and 5 where there is room, in plain figures: matplotlib's own are TeX.
        low, high = axes.get_ylim()
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if high / low < 300 else (1,)))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.yaxis.set_minor_formatter(NullFormatter())
    elif limits is None and axes.get_ylim()[1] > 0:
        axes.set_ylim(bottom=0)
    if percent:
        axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=None))
