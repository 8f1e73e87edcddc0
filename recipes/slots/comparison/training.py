"""One training of a comparison, and all that are planned."""

import logging
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from recipes.experiments import Experiment
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
    """Train a tagger to the last epoch and measure it on dev.

    No epoch is chosen by its dev figures: the weights are the last averaged ones, so the figures of dev flatter
    nobody. Temperatures are fitted there, as after any training.

    Returns:
        `parameters`; `seconds` of training; `curve`, dev F1 after each epoch; and the figures of
        `slot_filling.evaluation.evaluation` over dev.
    """
    from slot_filling.training.task import TaggingTask
    from sluice_core.training.fit import fit

    with TemporaryDirectory() as folder, _without_warnings():
        experiment = tagging.prepare(config, Path(folder) / "run")
        tagger, dev = experiment.tagger, experiment.parts["dev"]
        if config.encoder.cell == "jordan":
            tagger = Tagger(config, tagger.vocabulary, JordanTagger(config, tagger.vocabulary))
            experiment = replace(experiment, tagger=tagger)
        loader = experiment.loader("train", train=True)
        task = TaggingTask(
            config, tagger.model, tagger.vocabulary, dev, len(loader) * config.training.max_epochs
        )
        started = time.monotonic()
        fit(
            task,
            loader,
            experiment.loader("dev", train=False),
            experiment.run,
            config.training,
            lambda: None,
            lambda: None,
            quiet=True,
        )
        seconds = time.monotonic() - started
        history = read_history(experiment.run)
    last = Tagger(config, tagger.vocabulary, task.evaluated).to("cpu")
    last.temperatures = fit_temperatures(last, dev)
    figures = evaluate(last, dev, quiet=True).to_dict() | suffered(last, dev)
    return {
        "parameters": sum(parameter.numel() for parameter in last.model.parameters()),
        "seconds": seconds,
        "curve": [epoch["dev_f1"] for epoch in history],
        **{name: figure for name, figure in figures.items() if name != "labels"},
    }


DAMAGE = {"f1_edits": {"edit": 0.1}, "f1_sounds": {"sound": 0.1}}
"""By figure, what befalls each word of dev, with what probability."""
DRAWS = 5


def suffered(tagger: Tagger, sentences: list[Sentence]) -> dict[str, float]:
    """F1 over sentences whose words are damaged, the mean over some draws of the damage."""
    figures = {}
    for figure, chances in DAMAGE.items():
        noise = Noise(tagger.vocabulary.words, **chances)
        parts = [damaged(sentences, noise, seed) for seed in range(DRAWS)]
        figures[figure] = statistics.mean(evaluate(tagger, part, quiet=True).scores.f1 for part in parts)
    return figures


@contextmanager
def _without_warnings() -> Iterator[None]:
    """What every training would say again of the corpus is kept quiet."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)


def experiments_of(settings: ComparisonSettings) -> list[Experiment]:
    """Every training, one seed after another, so that an early look has something of all."""
    return [
        Experiment(
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
    """The results of each row and column, one for each seed."""
    return {
        (row, column): [results[_name(row, column, seed)] for seed in settings.seeds]
        for row in settings.rows
        for column in settings.columns
    }
