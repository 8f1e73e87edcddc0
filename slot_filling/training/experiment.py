"""A tagger's whole experiment: corpus, vocabulary, training, evaluation and report, in one run directory."""

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
from slot_filling.training.dataset import EncodedSentence, SentenceDataset, collate_sentences
from slot_filling.training.noise import Noise
from slot_filling.vocabulary import Vocabulary
from sluice_core.files import write_text
from sluice_core.run_directory import CONFIG_FILE, WEIGHTS_FILE
from sluice_core.training.batching import LengthBatches
from sluice_core.training.experiment import (
    Clock,
    check_devices,
    check_engine,
    check_same_settings,
    finished_metrics,
    process_rank,
    training_facts,
    write_metrics,
)
from sluice_core.weights import save_weights
from sluice_core.wording import plural

log = logging.getLogger("sluice")

MOST_WORDS = 4096
"""The largest number of padded words in a batch, so that one long sentence does not cost the memory of many."""


@dataclass(frozen=True)
class TaggerExperiment:
    """A tagger's experiment once its corpus is read."""

    config: TaggerConfig
    run: Path
    sentences: dict[str, list[Sentence]]
    """The sentences of "train", "dev" and, where there is one, "test"."""
    tagger: Tagger
    """The tagger to be trained, freshly initialized or from another run."""

    def loader(self, split: str, *, train: bool) -> "DataLoader[EncodedSentence]":
        """Return the batches of a split, this process's share of them; training's are damaged as the settings say."""
        training, noise = self.config.training, self.config.noise
        sentences = self.sentences[split]
        damage = None
        if train and (noise.edit or noise.sound):
            damage = Noise(self.tagger.vocabulary.words, noise.edit, noise.sound, noise.sentences)
        rank, ranks = process_rank(training.devices)
        batches = LengthBatches(
            [max(1, len(sentence.words)) for sentence in sentences],
            batch_size=training.batch_size if train else 4 * training.batch_size,
            batch_length=MOST_WORDS,
            seed=training.seed,
            shuffle=train,
            rank=rank,
            ranks=ranks,
        )
        return DataLoader(
            SentenceDataset(sentences, self.tagger.vocabulary, damage, training.seed),
            batch_sampler=batches,
            collate_fn=collate_sentences,
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
    clock = Clock(run)
    experiment = prepare(config, run, start)
    metrics = finished_metrics(run)
    if metrics is None:
        fit(experiment, quiet=quiet)
        metrics = finish(experiment, clock.minutes(), quiet=quiet)
    return metrics


def prepare(config: TaggerConfig, run: Path, start: Path | None = None) -> TaggerExperiment:
    """Read the corpus, learn or take over the vocabulary, initialize the model, and open the run directory.

    Raises:
        UserError: settings, corpus or folders are not as they must be; says what to do.
    """
    base = Tagger.load(start) if start else None
    if base:
        kept = {
            "encoder": base.config.encoder.model_copy(update={"engine": config.encoder.engine}),
            "ensemble": base.config.ensemble,
            "head": base.config.head,
            "vocabulary": base.config.vocabulary,
        }
        config = config.model_copy(update=kept)
        for encoder, settings in zip(base.model.encoders, config.encoders, strict=True):
            encoder.stack.engine = settings.engine
    check_same_settings(run, config)
    check_devices(config.training)
    for settings in config.encoders:
        check_engine(settings, config.training.accelerator, "encoder.engine")
    torch.manual_seed(config.training.seed)
    sentences = load_corpus(config.corpus)
    for split, some in sentences.items():
        words = sum(len(sentence.words) for sentence in some)
        log.info(f"{split}: {plural(len(some), 'sentence')}, {plural(words, 'word')}")
    file = run / "vocabulary.json"
    if base:
        vocabulary = base.vocabulary
    elif file.exists():
        vocabulary = Vocabulary.load(file)
    else:
        vocabulary = Vocabulary.learn(sentences["train"], least_count=config.vocabulary.min_count)
    for split in sentences.keys() - {"train"}:
        _warn_unseen(split, sentences[split], vocabulary)
    tagger = Tagger(config, vocabulary, base.model if base else None)
    if config.vocabulary.vectors and not base:
        tagger.model.set_vectors(read_vectors(config.vocabulary.vectors, vocabulary))
    write_text(run / CONFIG_FILE, config.to_yaml())  # only now: a corpus that is not there claims no name
    vocabulary.save(file)
    return TaggerExperiment(config, run, sentences, tagger)


def _warn_unseen(split: str, sentences: list[Sentence], vocabulary: Vocabulary) -> None:
    for kind, counts in vocabulary.unseen(sentences).items():
        if counts:
            named = ", ".join(f"{name} ({count})" for name, count in counts.most_common(5))
            log.warning(f"{split} has {kind} that training has not, so they cannot be found: {named}")


def fit(experiment: TaggerExperiment, *, quiet: bool = False) -> None:
    """Train the experiment's tagger; the best so far is always in the run directory.

    Raises:
        TrainingError: training diverges.
    """
    from slot_filling.training.task import TaggingTask
    from sluice_core.training.fit import fit_task

    config, tagger = experiment.config, experiment.tagger
    loader = experiment.loader("train", train=True)
    steps = len(loader) * config.training.max_epochs
    task = TaggingTask(config, tagger.model, tagger.vocabulary, experiment.sentences["dev"], steps)
    parameters = sum(parameter.numel() for parameter in tagger.model.parameters())
    sizes = tagger.vocabulary.sizes
    words, tags = plural(sizes["words"], "word"), plural(sizes["tags"], "tag")
    log.info(f"{parameters / 1e6:.2f} million parameters, {words}, {tags}")
    weights = experiment.run / WEIGHTS_FILE
    fit_task(
        task,
        loader,
        experiment.loader("dev", train=False),
        experiment.run,
        config.training,
        lambda: save_weights(weights, task.best_weights, {"epoch": str(task.current_epoch)}),
        look_at="the labelled sentences",
        quiet=quiet,
    )


def finish(experiment: TaggerExperiment, minutes: float, *, quiet: bool = False) -> dict[str, Any]:
    """Calibrate the best model on dev, evaluate it there and, once, on test; write answers, metrics and the report.

    Of a training's processes the first does it; the others return no metrics.
    """
    from slot_filling.evaluation.report import write_report

    if process_rank(experiment.config.training.devices)[0]:
        return {}
    best = Tagger.load(experiment.run)
    best.temperatures = fit_temperatures(best, experiment.sentences["dev"])
    best.temperatures.save(experiment.run)
    evaluations: dict[str, Evaluation] = {}
    for split in ("dev", "test"):
        if split in experiment.sentences:
            evaluations[split] = evaluate(best, experiment.sentences[split], quiet=quiet)
            evaluations[split].write_answers(experiment.run / f"answers-{split}.tsv")
    metrics = {
        **{split: evaluation.to_dict() for split, evaluation in evaluations.items()},
        "temperatures": asdict(best.temperatures),
        **training_facts(best.model, experiment.config.training.seed, minutes),
    }
    write_report(experiment.run, evaluations, best, metrics)
    write_metrics(experiment.run, metrics)
    return metrics
