"""A whole experiment: corpus, vocabulary, training, evaluation and report, in one run directory."""

import json
import logging
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch.utils.data import DataLoader

from slot_filling.config import TaggerConfig
from slot_filling.corpora import load_corpus
from slot_filling.evaluation.evaluation import Evaluation, evaluate
from slot_filling.network.word_vectors import read_vectors
from slot_filling.sentences import Sentence
from slot_filling.tagger import Tagger
from slot_filling.training.calibration import fit_temperatures
from slot_filling.training.dataset import Example, Examples, collate
from slot_filling.training.noise import Noise
from slot_filling.vocabulary import Vocabulary
from sluice_core.files import write_text
from sluice_core.run_directory import METRICS_FILE, carry_out, check_same, facts_of
from sluice_core.training.batching import LengthBatches
from sluice_core.weights import save_weights

log = logging.getLogger("sluice")

MOST_WORDS = 4096
"""Padded words of a batch at most, so that one long sentence does not cost the memory of many."""


@dataclass(frozen=True)
class Experiment:
    """What an experiment is made of once its corpus is read."""

    config: TaggerConfig
    run: Path
    parts: dict[str, list[Sentence]]
    tagger: Tagger
    """The tagger to be trained, freshly initialized or from another run."""

    def loader(self, part: str, *, train: bool) -> "DataLoader[Example]":
        """Batches of a part; those of training are damaged as the settings say."""
        training, noise = self.config.training, self.config.noise
        sentences = self.parts[part]
        damage = None
        if train and (noise.edit or noise.sound):
            damage = Noise(self.tagger.vocabulary.words, noise.edit, noise.sound, noise.sentences)
        batches = LengthBatches(
            [max(1, len(sentence.words)) for sentence in sentences],
            batch_size=training.batch_size if train else 4 * training.batch_size,
            batch_length=MOST_WORDS,
            seed=training.seed,
            shuffle=train,
        )
        return DataLoader(
            Examples(sentences, self.tagger.vocabulary, damage, training.seed),
            batch_sampler=batches,
            collate_fn=collate,
            generator=torch.Generator().manual_seed(training.seed),
        )


def train(
    config: TaggerConfig, runs: Path, *, start: Path | None = None, quiet: bool = False
) -> dict[str, Any]:
    """Run an experiment, or go on with it where it was.

    Args:
        config: what to do.
        runs: the folder of run directories; this one is `runs/NAME`.
        start: a finished run to start from (fine-tuning): its weights, vocabulary and network.
        quiet: show no progress.

    Returns:
        The metrics that `metrics.json` holds.

    Raises:
        UserError: settings, corpus or folders are not as they must be; says what to do.
    """
    run = runs / config.name
    return carry_out(
        run,
        lambda: prepare(config, run, start),
        lambda experiment: fit_experiment(experiment, quiet=quiet),
        lambda experiment, minutes: finish(experiment, minutes, quiet=quiet),
    )


def prepare(config: TaggerConfig, run: Path, start: Path | None = None) -> Experiment:
    """Read the corpus, learn or take over the vocabulary, initialize the model, and open the run directory."""
    base = Tagger.load(start) if start else None
    if base:
        kept = {
            "encoder": base.config.encoder,
            "ensemble": base.config.ensemble,
            "head": base.config.head,
            "vocabulary": base.config.vocabulary,
        }
        config = config.model_copy(update=kept)
    check_same(run, config)
    torch.manual_seed(config.training.seed)
    parts = load_corpus(config.corpus)
    for part, sentences in parts.items():
        words = sum(len(sentence.words) for sentence in sentences)
        log.info(f"{part}: {len(sentences)} sentences, {words} words")
    file = run / "vocabulary.json"
    if base:
        vocabulary = base.vocabulary
    elif file.exists():
        vocabulary = Vocabulary.load(file)
    else:
        vocabulary = Vocabulary.learn(parts["train"], least_count=config.vocabulary.min_count)
    for part in parts.keys() - {"train"}:
        _warn_unseen(part, parts[part], vocabulary)
    tagger = Tagger(config, vocabulary, base.model if base else None)
    if config.vocabulary.vectors and not base:
        tagger.model.set_vectors(read_vectors(config.vocabulary.vectors, vocabulary))
    write_text(run / "config.yaml", config.to_yaml())  # only now: a corpus that is not there claims no name
    vocabulary.save(file)
    return Experiment(config, run, parts, tagger)


def _warn_unseen(part: str, sentences: list[Sentence], vocabulary: Vocabulary) -> None:
    for kind, counts in vocabulary.unseen(sentences).items():
        if counts:
            named = ", ".join(f"{name} ({count})" for name, count in counts.most_common(5))
            log.warning(f"{part} has {kind} that training has not, so they cannot be found: {named}")


def fit_experiment(experiment: Experiment, *, quiet: bool = False) -> None:
    """Train the experiment's tagger; the best so far is always in the run directory."""
    from slot_filling.training.task import TaggingTask
    from sluice_core.training.fit import fit

    config, tagger = experiment.config, experiment.tagger
    loader = experiment.loader("train", train=True)
    steps = len(loader) * config.training.max_epochs
    task = TaggingTask(config, tagger.model, tagger.vocabulary, experiment.parts["dev"], steps)
    parameters = sum(parameter.numel() for parameter in tagger.model.parameters())
    sizes = tagger.vocabulary.sizes
    log.info(f"{parameters / 1e6:.2f} million parameters, {sizes['words']} words, {sizes['tags']} tags")
    fit(
        task,
        loader,
        experiment.loader("dev", train=False),
        experiment.run,
        config.training,
        lambda: save_weights(
            experiment.run / "model.safetensors", task.best_weights, {"epoch": str(task.current_epoch)}
        ),
        lambda: log.warning("a gradient was not finite and its step was skipped"),
        quiet=quiet,
    )


def finish(experiment: Experiment, minutes: float, *, quiet: bool = False) -> dict[str, Any]:
    """Calibrate the best model on dev, evaluate it there and, once, on test; write answers, metrics and the report."""
    from slot_filling.evaluation.report import write_report

    best = Tagger.load(experiment.run)
    best.temperatures = fit_temperatures(best, experiment.parts["dev"])
    best.temperatures.save(experiment.run)
    measured: dict[str, Evaluation] = {}
    for part in ("dev", "test"):
        if part in experiment.parts:
            measured[part] = evaluate(best, experiment.parts[part], quiet=quiet)
            measured[part].write_answers(experiment.run / f"answers-{part}.tsv")
    metrics = {
        **{part: evaluation.to_dict() for part, evaluation in measured.items()},
        "temperatures": asdict(best.temperatures),
        **facts_of(best.model, experiment.config.training.seed, minutes),
    }
    write_report(experiment.run, measured, best, metrics)
    write_text(experiment.run / METRICS_FILE, json.dumps(metrics, indent=1) + "\n")
    return metrics
