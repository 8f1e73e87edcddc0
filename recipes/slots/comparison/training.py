"""The trainings of a comparison."""

import logging
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from recipes.jobs import RecipeJob
from recipes.slots.comparison.jordan import JordanTagger
from recipes.slots.comparison.settings import ComparisonSettings
from slot_filling.config import TaggerConfig
from slot_filling.evaluation.evaluation import evaluate
from slot_filling.sentences import Sentence
from slot_filling.tagger import Tagger
from slot_filling.training import experiment as tagging
from slot_filling.training.calibration import fit_temperatures
from slot_filling.training.noise import Noise, damaged
from sluice_core.reporting.learning_curves import read_history


def train_once(config: TaggerConfig) -> dict[str, Any]:
    """Train a tagger to the last epoch and evaluate it on dev.

    No epoch is chosen by its dev figures: the weights are the last averaged ones, so that the figures of dev are
    not flattered. Temperatures are fitted to dev, as after any training.

    Returns:
        `parameters`; `seconds` of training; `curve`, dev F1 after each epoch; and the figures of
        `slot_filling.evaluation.evaluation` over dev.
    """
    from slot_filling.training.task import TaggingTask
    from sluice_core.training.fit import fit_task

    with TemporaryDirectory() as folder, _without_warnings():
        experiment = tagging.prepare(config, Path(folder) / "run")
        tagger, dev = experiment.tagger, experiment.sentences["dev"]
        if config.encoder.cell == "jordan":
            tagger = Tagger(config, tagger.vocabulary, JordanTagger(config, tagger.vocabulary))
            experiment = replace(experiment, tagger=tagger)
        loader = experiment.loader("train", train=True)
        task = TaggingTask(
            config, tagger.model, tagger.vocabulary, dev, len(loader) * config.training.max_epochs
        )
        started = time.monotonic()
        fit_task(
            task,
            loader,
            experiment.loader("dev", train=False),
            experiment.run,
            config.training,
            lambda: None,
            quiet=True,
        )
        seconds = time.monotonic() - started
        history = read_history(experiment.run)
    last = Tagger(config, tagger.vocabulary, task.evaluated).to("cpu")
    last.temperatures = fit_temperatures(last, dev)
    figures = evaluate(last, dev, quiet=True).to_dict() | figures_under_damage(last, dev)
    return {
        "parameters": sum(parameter.numel() for parameter in last.model.parameters()),
        "seconds": seconds,
        "curve": [epoch["dev_f1"] for epoch in history],
        **{name: figure for name, figure in figures.items() if name != "labels"},
    }


DAMAGE = {"f1_edits": {"edit": 0.1}, "f1_sounds": {"sound": 0.1}}
"""The damage to the words of dev behind each figure: its kind and its probability for each word."""
DRAWS = 5


def figures_under_damage(tagger: Tagger, sentences: list[Sentence]) -> dict[str, float]:
    """Return the F1 over sentences whose words are damaged, the mean over several draws of the damage."""
    figures = {}
    for figure, chances in DAMAGE.items():
        noise = Noise(tagger.vocabulary.words, **chances)
        draws = [damaged(sentences, noise, seed) for seed in range(DRAWS)]
        figures[figure] = statistics.mean(evaluate(tagger, draw, quiet=True).scores.f1 for draw in draws)
    return figures


@contextmanager
def _without_warnings() -> Iterator[None]:
    """Silence the warnings about the corpus that every training would repeat."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)


def jobs_of(settings: ComparisonSettings) -> list[RecipeJob]:
    """Return every training, one seed after another, so that early results cover all rows and columns."""
    return [
        RecipeJob(
            "training", _name(row, column, seed), train_once, {"config": settings.config(row, column, seed)}
        )
        for seed in settings.seeds
        for row in settings.rows
        for column in settings.columns
    ]


def _name(row: str, column: str, seed: int) -> str:
    words = f"{row} {column} {seed}".split()
    return "-".join("".join(letter for letter in word if letter.isalnum() or letter == "_") for word in words)


def by_cell(
    results: dict[str, Any], settings: ComparisonSettings
) -> dict[tuple[str, str], list[dict[str, Any]]]:
    """Return the results of each row and column, one for each seed."""
    return {
        (row, column): [results[_name(row, column, seed)] for seed in settings.seeds]
        for row in settings.rows
        for column in settings.columns
    }
