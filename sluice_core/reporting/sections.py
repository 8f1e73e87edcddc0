"""What the reports of a recognizer's and of a tagger's run have in common: facts, and the section on confidence."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sluice_core.calibration import reliability
from sluice_core.reporting.page import Block, Cell, Details, Grid, Paragraph, Picture, Section, Table, percent
from sluice_core.reporting.reliability import JudgedAnswers

REPORTED_SPLITS = ("test", "dev")
"""Details are told of the first of these that was evaluated."""


def reported_split(evaluated: Iterable[str]) -> str:
    """Return the split whose utterances or sentences a report goes into: test, else dev, else the first.

    >>> reported_split(["dev", "test"]), reported_split(["dev"]), reported_split(["train"])
    ('test', 'dev', 'train')
    """
    names = list(evaluated)
    return next((name for name in REPORTED_SPLITS if name in names), names[0])


def training_facts(metrics: Mapping[str, Any], seed: int) -> list[tuple[str, str]]:
    """Return what a report says of every training: parameters, seed, time and machine, as far as they are known.

    Args:
        metrics: what `metrics.json` gets.
        seed: the seed of the settings, where the metrics have none.
    """
    facts: list[tuple[str, str]] = []
    if "parameters" in metrics:
        facts.append(("parameters", f"{metrics['parameters']:,}"))
    facts.append(("seed", str(metrics.get("seed", seed))))
    if "minutes" in metrics:
        facts.append(("training time", f"{metrics['minutes']:.1f} minutes"))
    return [*facts, *((name, str(metrics[name])) for name in ("machine", "torch") if name in metrics)]


def confidence_section(
    unit: str,
    kept: str,
    splits: Mapping[str, JudgedAnswers],
    pictures: Sequence[Picture | None],
    note: str = "",
) -> Section:
    """Return the section that shows whether confidences are honest and useful.

    Args:
        unit: what has the confidences, in the plural, such as "words".
        kept: what the risk-coverage curve keeps, in the plural.
        splits: the confidences and which answers are right, by split, for the table of bins.
        pictures: diagrams to show; None is left out.
        note: how the confidences were found.
    """
    words = (
        f"A confidence is honest if of all {unit} with that confidence just this share is right: then the points lie "
        "on the dashed line. The larger a point, the more answers it stands for. A confidence is useful if the errors "
        f"are among the least sure: then the curve over the {kept} that are kept stays low for long."
    )
    blocks: list[Block] = [Paragraph(words)]
    if note:
        blocks.append(Paragraph(note))
    blocks.append(Grid([picture for picture in pictures if picture], narrowest=26))
    tables = [_bin_table(unit, split, *answers) for split, answers in splits.items() if len(answers[0])]
    return Section("Confidence", [*blocks, Details(f"The figures of the {unit}", tables)])


def _bin_table(unit: str, split: str, confidences: Sequence[float], right: Sequence[bool]) -> Table:
    lines: list[list[Cell]] = [
        [percent(item.confidence), percent(item.right), item.size] for item in reliability(confidences, right)
    ]
    header = ["mean confidence", "right", unit]
    return Table(f"Found {unit} of {split} by confidence", header, lines, right=[0, 1])
