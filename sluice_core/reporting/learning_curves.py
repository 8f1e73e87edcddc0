"""The section of a report on how the training went, from the `history.json` of its run."""

import json
import math
from collections.abc import Mapping
from pathlib import Path

from sluice_core.reporting.page import Block, Cell, Details, Grid, Notice, Paragraph, Picture, Section, Table
from sluice_core.reporting.plots import Curve, line_chart
from sluice_core.run_directory import HISTORY_FILE
from sluice_core.training.config import TrainingConfig

TABLE_EPOCHS = 200
"""The table of a longer training has its last epochs."""


def read_history(run: Path) -> list[dict[str, float]]:
    """Read the figures of each epoch, as training keeps them; none where the file is missing or broken."""
    try:
        history = json.loads((run / HISTORY_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return []
    return [epoch for epoch in history if isinstance(epoch, dict)] if isinstance(history, list) else []


def kept_epoch(history: list[dict[str, float]], training: TrainingConfig) -> int | None:
    """Return the position in `history` of the epoch whose weights were kept, if any were.

    It is the last one, or, of those with the lowest dev error, the one with the lowest dev loss.
    """
    if training.keep == "last":
        return len(history) - 1 if history else None
    figures = [(epoch.get("dev_error", math.nan), epoch.get("dev_loss", 0.0)) for epoch in history]
    known = [each for each in figures if math.isfinite(each[0])]
    return figures.index(min(known)) if known else None


CLIPPED = {"clipped_by_norm": "steps, by norm", "clipped_by_value": "values, by value"}
"""Shares of an epoch's gradients that were clipped: names (see `sluice_core.training.gradient_clipping`) and labels."""


def learning_curves(
    history: list[dict[str, float]], errors: Mapping[str, str], training: TrainingConfig
) -> Section:
    """Return the section with losses, dev errors, learning rate and gradients over epochs, the kept epoch marked.

    Args:
        history: as `read_history` gives it.
        errors: which figures are dev errors (shares), with the label of each, such as `{"dev_wer": "words"}`.
        training: the settings of the training, which say which epoch was kept and to which norm gradients were
            clipped.
    """
    title = "Learning curves"
    if not history:
        return Section(title, [Paragraph("The run has no history of its epochs (history.json).")])
    kept, clip_norm = kept_epoch(history, training), training.clip_norm
    blocks: list[Block] = []
    if kept is not None:
        chosen = history[kept]
        figures = ", ".join(f"{label} {chosen[name]:.2%}" for name, label in errors.items() if name in chosen)
        which = "the last" if training.keep == "last" else "that of the lowest dev error"
        blocks.append(
            Paragraph(
                f"The model of epoch {_number(chosen, kept)} was kept, {which} of {len(history)} trained: dev errors "
                f"{figures or chosen.get('dev_error')}. A dashed line marks it."
            )
        )
    charts = [
        _chart("Loss", history, {"train_loss": "training", "dev_loss": "dev"}, kept),
        _chart("Dev error", history, errors, kept, percent=True),
        _chart("Learning rate", history, {"learning_rate": "learning rate"}, kept),
        _chart(
            "Gradient norm before clipping",
            [
                {**epoch, "limit": clip_norm} if clip_norm and "gradient_norm" in epoch else epoch
                for epoch in history
            ],
            {"gradient_norm": "median step", "gradient_norm_max": "largest", "limit": "clipped to"},
            kept,
            logarithmic=True,
        ),
        _chart("Share of gradients clipped", history, CLIPPED, kept, percent=True),
    ]
    blocks.append(Grid([chart for chart in charts if chart], narrowest=26))
    blocks += _skipped(history)
    blocks.append(Details("The figures of every epoch", [_table(history, kept, errors)]))
    return Section(title, blocks)


def _skipped(history: list[dict[str, float]]) -> list[Block]:
    """Return a notice of the steps that were skipped, where there were any."""
    skipped = {
        _number(epoch, position): int(epoch.get("skipped_steps", 0)) for position, epoch in enumerate(history)
    }
    skipped = {epoch: count for epoch, count in skipped.items() if count}
    if not skipped:
        return []
    total = sum(skipped.values())
    which = ", ".join(map(str, list(skipped)[:10])) + (" and later" if len(skipped) > 10 else "")
    return [
        Notice(
            f"{total} {'step was' if total == 1 else 'steps were'} skipped, the weights left as they were, since the "
            f"gradient was not finite: in epoch {which}."
        )
    ]


def _number(epoch: dict[str, float], position: int) -> int:
    """Return an epoch's number as people count, from 1."""
    return int(epoch.get("epoch", position)) + 1


def _chart(
    title: str,
    history: list[dict[str, float]],
    figures: Mapping[str, str],
    kept: int | None,
    percent: bool = False,
    logarithmic: bool = False,
) -> Picture | None:
    numbers = [_number(epoch, position) for position, epoch in enumerate(history)]
    curves = []
    for name, label in figures.items():
        values = [_finite(epoch.get(name)) for epoch in history]
        if not all(map(math.isnan, values)):
            curves.append(Curve(label, numbers, values))
    if not curves:
        return None
    known = [value for curve in curves for value in curve.y if not math.isnan(value)]
    mark = numbers[kept] if kept is not None else None
    logarithmic = logarithmic and min(known) > 0
    svg = line_chart(title, curves, x_label="epoch", percent=percent, logarithmic=logarithmic, mark=mark)
    return Picture(svg, f"{title} by epoch. {' '.join(_in_words(curve, percent) for curve in curves)}")


def _in_words(curve: Curve, percent: bool) -> str:
    known = [value for value in curve.y if not math.isnan(value)]
    first, last, low = (f"{v:.1%}" if percent else f"{v:.3g}" for v in (known[0], known[-1], min(known)))
    return f"{curve.label.capitalize()}: {first} at first, {last} at last, {low} at its lowest."


def _finite(value: float | None) -> float:
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else math.nan


def _table(history: list[dict[str, float]], kept: int | None, errors: Mapping[str, str]) -> Table:
    names = {
        "train_loss": ("training loss", ".3f"),
        "dev_loss": ("dev loss", ".3f"),
        **{name: (f"dev error, {label}", ".2%") for name, label in errors.items()},
        "learning_rate": ("learning rate", ".2g"),
        "gradient_norm": ("gradient norm", ".2f"),
        "gradient_norm_max": ("largest", ".2f"),
        **{name: (f"clipped {label}", ".1%") for name, label in CLIPPED.items()},
        "skipped_steps": ("skipped steps", ".0f"),
        "seconds": ("seconds", ".1f"),
    }
    names = {name: form for name, form in names.items() if any(name in epoch for epoch in history)}
    rows: list[list[Cell]] = []
    for position, epoch in list(enumerate(history))[-TABLE_EPOCHS:]:
        values = [format(epoch[name], form) if name in epoch else "" for name, (_, form) in names.items()]
        rows.append([f"{_number(epoch, position)}{' (kept)' if position == kept else ''}", *values])
    shown = f", the last {TABLE_EPOCHS} of {len(history)}" if len(history) > TABLE_EPOCHS else ""
    return Table(
        f"Each epoch's figures{shown}",
        ["epoch", *(label for label, _ in names.values())],
        rows,
        right=range(1, 1 + len(names)),
    )
