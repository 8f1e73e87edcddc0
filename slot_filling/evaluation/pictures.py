"""The picture of which labels a tagger confuses."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from sluice_core.reporting.page import Picture
from sluice_core.reporting.plots import INK, SERIES, draw_svg
from sluice_core.wording import plural

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def confusion_matrix(title: str, names: Sequence[str], counts: Mapping[tuple[str, str], int]) -> Picture:
    """Draw how often each reference (row) got each answer (column), as numbers on a shade of their share of the row.

    Args:
        title: says what is counted.
        names: the labels of the rows, which are those of the columns too.
        counts: how often each pair of reference and answer occurs; missing pairs are 0.
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
        f"{reference} answered as {answer} {plural(count, 'time')}" for count, (reference, answer) in wrong
    )
    return Picture(draw_svg(draw, width, height), f"{title}. {said or 'Nothing is confused'}.", wide=True)
