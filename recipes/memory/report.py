"""The report of the memory recipe: what each cell remembered, how far gradients reach, and what was generated."""

import math
import statistics
from collections.abc import Mapping, Sequence

from recipes.jobs import Result
from recipes.memory.settings import ClimbSettings, MemorySettings
from sluice_core.reporting.page import (
    Bar,
    Block,
    Cell,
    Grid,
    Page,
    Paragraph,
    Picture,
    Section,
    Subsection,
    Table,
    percent,
)
from sluice_core.reporting.plots import SERIES, Curve, line_chart

REACH_LIMITS = (1e-8, 1e4)
"""The limits between which shares of a gradient are drawn."""

ResultsByKind = Mapping[str, Mapping[str, Result]]


def best_climb(climbs: Sequence[Result]) -> Result:
    """Return the climb of the learning rate that got farthest; of equals the one with fewer steps."""
    return max(climbs, key=lambda climb: (climb["solved"], -sum(climb["steps"])))


def median_error(trainings: Sequence[Result]) -> float:
    """Return the median error over targets; the error of a training that diverged counts as infinite."""
    return statistics.median(_number(training["error"], math.inf) for training in trainings)


def best_generation(
    cell: str, results: ResultsByKind, settings: MemorySettings
) -> tuple[float, Sequence[Result]]:
    """Return the learning rate with the lowest median error of a cell, and its trainings."""
    rates = settings.generation.learning_rates
    return min(
        ((rate, results["generation"][f"{cell}-{rate:g}"]) for rate in rates),
        key=lambda pair: median_error(pair[1]),
    )


def climb_table(kind: str, results: ResultsByKind, settings: ClimbSettings) -> Table:
    """Return the table of the lags that each cell solves, and after how many steps."""
    rows: list[list[Cell]] = []
    for cell, climbs in results[kind].items():
        best = best_climb(climbs)
        steps = [str(count) for count in best["steps"]]
        if best["solved"] < settings.lags[-1]:
            steps[-1] = "no"
        steps += [""] * (len(settings.lags) - len(steps))
        solved = Bar(best["solved"] / settings.lags[-1], str(best["solved"] or "none"))
        rows.append([cell, best["hidden_size"], best["parameters"], f"{best['rate']:g}", solved, *steps])
    return Table(
        f"{kind.capitalize()}: longest lag solved, and the training steps that each lag took; "
        f"no: not in {settings.steps} steps",
        ["cell", "units", "parameters", "rate", "lag solved", *(f"lag {lag}" for lag in settings.lags)],
        rows,
        right=[3, *range(5, 5 + len(settings.lags))],
    )


def climb_section(
    kind: str, title: str, words: str, results: ResultsByKind, settings: ClimbSettings
) -> Section:
    """Return the section on a problem over growing lags."""
    how = (
        f"A lag is solved when the dev error is at most {settings.solved:g}; the network then goes on to the next "
        f"lag. Each cell is as wide as {settings.parameters} parameters allow, has at most {settings.steps} steps "
        f"of {settings.batch_size} new sequences on each lag, and is given the learning rates "
        f"{', '.join(f'{rate:g}' for rate in settings.learning_rates)} in turn, until one solves the longest lag; "
        "the rate that gets farthest is shown in the table, all that were tried in the curves. One seed."
    )
    charts = [_climb_chart(cell, climbs) for cell, climbs in results[kind].items()]
    curves = Subsection("Dev error by training step; it jumps up where a new lag begins", [Grid(charts)])
    return Section(title, [Paragraph(words), Paragraph(how), climb_table(kind, results, settings), curves])


def _climb_chart(cell: str, climbs: Sequence[Result]) -> Picture:
    curves = [
        Curve(
            f"rate {climb['rate']:g}",
            [step for step, _, _ in climb["curve"]],
            [_number(error) for _, _, error in climb["curve"]],
        )
        for climb in climbs
    ]
    svg = line_chart(cell, curves, x_label="training step", limits=(0, 1.2), width=3.6, height=2.3)
    ends = "; ".join(f"rate {climb['rate']:g} solves lag {climb['solved']}" for climb in climbs)
    return Picture(svg, f"Dev error of {cell} by training step: {ends}.")


def reach(norms: Sequence[float | None]) -> list[float]:
    """Return norms of a gradient as shares of the first, which is that at the output."""
    first = _positive(norms[0])
    return [_number(norm) / first for norm in norms]


def gradient_table(results: ResultsByKind, back: Sequence[int]) -> Table:
    """Return the table of how much of the gradient is left some steps back, before and after training."""
    rows: list[list[Cell]] = []
    for cell, climbs in results["adding"].items():
        best = best_climb(climbs)
        shares = [reach(best[when]) for when in ("initial", "trained")]
        figures = [f"{share[steps]:.1e}" for steps in back for share in shares]
        rows.append([cell, str(best["solved"] or "none"), *figures])
    header = [f"{steps} back, {when}" for steps in back for when in ("at first", "trained")]
    return Table(
        "Norm of the gradient at the state so many steps back, as a share of that at the last output",
        ["cell", "trained to lag", *header],
        rows,
        right=range(1, 2 + len(header)),
    )


def steps_back(settings: MemorySettings) -> list[int]:
    """Return the distances that tables show: half and all of the sequence."""
    return [settings.gradients.steps_back // 2, settings.gradients.steps_back - 1]


def gradient_section(results: ResultsByKind, settings: MemorySettings) -> Section:
    """Return the section on the gradient on its way back, cell by cell."""
    length = settings.gradients.steps_back
    words = (
        f"The loss of the adding problem after the last of {length} steps, differentiated by the network's state k "
        "steps before. Where the curve falls, what happened k steps ago can hardly be learned from: the gradient "
        "vanishes by a factor a step. “Trained” is after the climb of the adding problem, so each cell's network "
        f"has seen other lags (table). What is too small is not drawn."
    )
    charts = []
    for cell, climbs in results["adding"].items():
        best = best_climb(climbs)
        curves = [
            _reach_curve(label, best[when])
            for label, when in (("at first", "initial"), ("trained", "trained"))
        ]
        svg = line_chart(
            cell, curves, x_label="steps back", logarithmic=True, limits=REACH_LIMITS, width=3.6, height=2.3
        )
        last = ", ".join(f"{curve.label} {_number(curve.y[-1], 0):.1e}" for curve in curves)
        charts.append(Picture(svg, f"Share of {cell}'s gradient by steps back; {length - 1} back: {last}."))
    together = [
        _together(results, when, f"Share of the gradient, {label}")
        for when, label in (("initial", "at first"), ("trained", "trained"))
    ]
    return Section(
        "The gradient on its way back",
        [Paragraph(words), gradient_table(results, steps_back(settings)), Grid(together, 26), Grid(charts)],
    )


def _together(results: ResultsByKind, when: str, title: str) -> Picture:
    cells = list(results["adding"])
    known = [cell for cell in ("elman", "lstm", "gru", "scrn", "clockwork", "jordan") if cell in cells]
    chosen = (known or cells)[: len(SERIES)]
    curves = [_reach_curve(cell, best_climb(results["adding"][cell])[when]) for cell in chosen]
    svg = line_chart(
        title, curves, x_label="steps back", logarithmic=True, limits=REACH_LIMITS, width=4.8, height=3.0
    )
    return Picture(svg, f"{title}: {', '.join(chosen)}, by steps back.")


def _reach_curve(label: str, norms: Sequence[float | None]) -> Curve:
    shares = reach(norms)
    return Curve(label, range(len(shares)), [_positive(share) for share in shares])


def clipping_table(results: ResultsByKind) -> Table:
    """Return the table of what became of each scaled network."""
    rows: list[list[Cell]] = []
    for name, run in results["gradients"].items():
        scale, how = name.split("-")
        norms, losses = run["gradient_norm"], [_number(loss, math.inf) for loss in run["loss"]]
        tail = losses[-max(1, len(losses) // 10) :]
        largest = max(_number(norm, math.inf) for norm in norms)
        clipped = percent(run["clipped"], 0) if how == "clipped" else ""
        shares = reach(run["norms"])
        rows.append(
            [scale, how, f"{shares[-1]:.1e}", f"{largest:.3g}", clipped, f"{statistics.mean(tail):.3g}"]
        )
    return Table(
        "Elman with scaled recurrent weights, plain gradient descent",
        [
            "scale",
            "gradient",
            "share of it at the first step",
            "largest norm",
            "steps clipped",
            "loss at the end",
        ],
        rows,
        right=range(2, 6),
    )


def clipping_section(results: ResultsByKind, settings: MemorySettings) -> Section:
    """Return the section on exploding gradients, and clipping."""
    own = settings.gradients
    words = (
        "Elman's recurrent weights start orthogonal, so that a state's length is kept but for what tanh takes away; "
        "multiplied by a scale, the gradient vanishes or explodes with the distance. Below: the same networks "
        f"trained on the adding problem of lag {own.lag} by plain gradient descent at rate {own.learning_rate:g}, "
        f"free or with the gradient clipped to a norm of {own.clip_norm:g} (Pascanu et al. 2013). Answering the "
        "mean always gives a loss of 0.042; a line that leaves the chart does not come back."
    )
    runs = results["gradients"]
    curves = [_reach_curve(f"scale {scale:g}", runs[f"{scale:g}-free"]["norms"]) for scale in own.scales]
    title = "Share of the gradient, before training"
    reaching = line_chart(
        title, curves, x_label="steps back", logarithmic=True, limits=REACH_LIMITS, width=7.0
    )
    largest = max(own.scales)
    pictures: list[Block] = [Picture(reaching, "Share of the gradient by steps back, for each scale.")]
    charts = [
        _training_chart("Norm of the gradient before clipping", "gradient_norm", (1e-2, 1e6), largest, runs),
        _training_chart("Loss", "loss", (1e-3, 1e3), largest, runs),
    ]
    return Section(
        "Exploding, and clipping", [Paragraph(words), *pictures, clipping_table(results), Grid(charts)]
    )


def _training_chart(
    title: str, what: str, limits: tuple[float, float], scale: float, runs: Mapping[str, Result]
) -> Picture:
    values = {
        how: [_positive(value) for value in runs[f"{scale:g}-{how}"][what]] for how in ("free", "clipped")
    }
    curves = [Curve(how, range(1, len(each) + 1), each) for how, each in values.items()]
    title = f"{title}, scale {scale:g}"
    svg = line_chart(title, curves, x_label="training step", logarithmic=True, limits=limits, width=4.6)
    return Picture(svg, f"{title}, by training step, free and clipped.")


def generation_table(results: ResultsByKind, settings: MemorySettings) -> Table:
    """Return the table of the errors of the generating networks."""
    rows: list[list[Cell]] = []
    medians = {
        cell: median_error(best_generation(cell, results, settings)[1]) for cell in settings.generation.cells
    }
    for cell in settings.generation.cells:
        rate, trainings = best_generation(cell, results, settings)
        errors = [_number(training["error"], math.inf) for training in trainings]
        others = "  ".join(
            f"{other:g}: {median_error(results['generation'][f'{cell}-{other:g}']):.3g}"
            for other in settings.generation.learning_rates
        )
        first = trainings[0]
        rows.append(
            [
                cell,
                first["hidden_size"],
                first["parameters"],
                f"{rate:g}",
                f"{medians[cell]:.4f}",
                f"{min(errors):.4f} to {max(errors):.4f}",
                others,
            ]
        )
    return Table(
        f"Mean squared error after {settings.generation.steps} steps, over {settings.generation.targets} targets "
        "of mean square 1",
        ["cell", "units", "parameters", "rate", "median", "range", "median at each rate"],
        rows,
        right=[3, 4, 5, 6],
    )


def generation_section(results: ResultsByKind, settings: MemorySettings) -> Section:
    """Return the section on sequences learned by heart."""
    own = settings.generation
    words = (
        f"A network whose only input is a constant learns a sequence of {own.length} points by heart: "
        f"{own.sines} sines with periods of {own.shortest_period:g} to {own.longest_period:g} points, drawn anew for "
        f"each target. Each cell is as wide as {own.parameters} parameters allow and is trained for {own.steps} steps "
        f"at each of the learning rates {', '.join(f'{rate:g}' for rate in own.learning_rates)}; the rate with the "
        "lowest median is shown. Always giving the mean is an error of 1. (After the first task of Koutnik et al. "
        "2014, whose sequences are of music.)"
    )
    curves = []
    for cell in own.cells:
        trainings = best_generation(cell, results, settings)[1]
        columns = zip(*(training["curve"] for training in trainings), strict=True)
        middle = [statistics.median(_number(error, math.inf) for error in column) for column in columns]
        curves.append(Curve(cell, range(len(middle)), [_positive(error) for error in middle]))
    title = "Mean squared error, median over targets"
    svg = line_chart(title, curves, x_label="training step", logarithmic=True, width=7.0)
    pictures = [_wave(cell, best_generation(cell, results, settings)[1]) for cell in own.cells]
    return Section(
        "A sequence by heart",
        [
            Paragraph(words),
            generation_table(results, settings),
            Picture(svg, f"{title}, by training step."),
            *pictures,
        ],
    )


def _wave(cell: str, trainings: Sequence[Result]) -> Picture:
    """Draw the target whose error is the median, and what was generated for it."""
    typical = sorted(trainings, key=lambda training: _number(training["error"], math.inf))[
        (len(trainings) - 1) // 2
    ]
    points = range(len(typical["target"]))
    curves = [
        Curve("target", points, typical["target"]),
        Curve(cell, points, [_number(point) for point in typical["output"]]),
    ]
    error = f"mean squared error {_number(typical['error']):.4f}"
    svg = line_chart(f"{cell}: {error}", curves, x_label="point", limits=(-3, 3), width=7.0, height=2.3)
    return Picture(svg, f"What {cell} generates beside its target; {error}.")


ADDING = (
    "Every step brings a number and a mark; after the last step the sum of the two marked numbers is due (Hochreiter "
    "and Schmidhuber 1997, experiment 4). The lag is the fewest steps from a number to the end; the sequence is "
    "twice as long. The error is the mean squared error as a share of the targets' variance: 1 for always giving "
    "the mean."
)
COPYING = (
    "Some letters, a silence, a mark: then the letters are to be said again, each after exactly the lag. The error is "
    "the share of wrong letters. Nothing else comes in between, so a state that only turns (orthogonal weights) can "
    "do it without gates."
)


def highlights(results: ResultsByKind, settings: MemorySettings) -> list[tuple[str, str]]:
    """Return the few figures that matter."""
    found = []
    for cell in ("lstm", "elman"):
        if cell in results["adding"]:
            found.append(
                (f"adding: longest lag of {cell}", str(best_climb(results["adding"][cell])["solved"]))
            )
    if {"clockwork", "elman"} <= set(settings.generation.cells):
        errors = [
            median_error(best_generation(cell, results, settings)[1]) for cell in ("clockwork", "elman")
        ]
        found.append(("by heart: error of clockwork / elman", f"{errors[0] / errors[1]:.3f}"))
    return found


def page(results: ResultsByKind, settings: MemorySettings, machine: str) -> Page:
    """Return the whole report."""
    return Page(
        "Memory of recurrent cells",
        "How long each cell of the library remembers, and why",
        highlights(results, settings),
        [("machine", machine), ("seed", str(settings.seed)), ("engine", settings.engine)],
        [
            climb_section("adding", "Adding two numbers", ADDING, results, settings.adding),
            climb_section("copying", "Saying letters again", COPYING, results, settings.copying),
            gradient_section(results, settings),
            clipping_section(results, settings),
            generation_section(results, settings),
        ],
    )


def tables(results: ResultsByKind, settings: MemorySettings) -> list[Table]:
    """Return the tables that the command prints."""
    return [
        climb_table("adding", results, settings.adding),
        climb_table("copying", results, settings.copying),
        gradient_table(results, steps_back(settings)),
        clipping_table(results),
        generation_table(results, settings),
    ]


def _number(value: float | None, otherwise: float = math.nan) -> float:
    """Return a figure as it was kept; None stands for what was no number."""
    return otherwise if value is None else float(value)


def _positive(value: float | None) -> float:
    """Return a figure for a logarithmic axis: NaN unless it is positive."""
    return value if value is not None and value > 0 else math.nan
