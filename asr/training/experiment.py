"""A recognizer's whole experiment: corpus, alphabet, training, evaluation and report, in one run directory."""

import logging
from collections.abc import Iterator
from contextlib import suppress
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch.utils.data import DataLoader

from asr.acoustic.ctc import required_steps
from asr.audio.reading import AudioError
from asr.config import HearingConfig, RecognizerConfig
from asr.corpora import load_corpus
from asr.corpora.utterances import read_utterance
from asr.decoding.forced_alignment import AlignmentError
from asr.evaluation.evaluation import Evaluation, evaluate
from asr.long_form.fit_segmentation import fit_segmentation
from asr.long_form.segmentation import SegmentationSettings
from asr.tokens import Tokens
from asr.training.dataset import EncodedUtterance, UtteranceDataset, collate_utterances
from asr.training.word_exchange import cut_words, save_words
from asr.transcriber import SEGMENTATION_FILE, Transcriber
from sluice_core.errors import UserError
from sluice_core.files import write_text
from sluice_core.progress import track
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

if TYPE_CHECKING:
    from datasets import Dataset

    from asr.acoustic.network import AcousticModel

log = logging.getLogger("sluice")

WORDS_FILE = "words.json"
"""The file of a run directory that says where the words of training utterances are (`augment.exchange_probability`)."""

SEGMENTATION_UTTERANCES = 200
"""The number of training utterances that the settings of segmentation are fitted to."""


@dataclass(frozen=True)
class RecognizerExperiment:
    """A recognizer's experiment once its corpus is read."""

    config: RecognizerConfig
    run: Path
    utterances: "dict[str, Dataset]"
    """The utterances of "train", "dev" and, where there is one, "test"."""
    transcriber: Transcriber
    """The recognizer to be trained, freshly initialized or from another run."""

    def loader(self, split: str, *, train: bool) -> "DataLoader[EncodedUtterance]":
        """Return the batches of a split, this process's share of them, read and augmented by worker processes."""
        training, utterances = self.config.training, self.utterances[split]
        dataset = UtteranceDataset(
            utterances,
            self.config,
            self.transcriber.tokens,
            self.transcriber.model.steps,
            train=train,
            words=self.run / WORDS_FILE,
        )
        rank, ranks = process_rank(training.devices)
        batches = LengthBatches(
            utterances["duration_seconds"],
            batch_size=training.batch_size if train else 2 * training.batch_size,
            batch_length=training.batch_seconds,
            seed=training.seed,
            shuffle=train,
            rank=rank,
            ranks=ranks,
        )
        return DataLoader(
            dataset,
            batch_sampler=batches,
            collate_fn=collate_utterances,
            num_workers=training.worker_count,
            persistent_workers=training.worker_count > 0,
            prefetch_factor=4 if training.worker_count else None,
            generator=torch.Generator().manual_seed(training.seed),
        )


def train(
    config: RecognizerConfig, runs: Path, cache: Path, *, start: Path | None = None, quiet: bool = False
) -> dict[str, Any]:
    """Run an experiment, or go on with it where it was.

    Args:
        config: what to do.
        runs: the folder of run directories; this one is `runs/NAME`.
        cache: where corpora keep what they prepared.
        start: a finished run to start from (fine-tuning): its weights, alphabet and model settings.
        quiet: show no progress.

    Returns:
        The metrics that `metrics.json` holds.

    Raises:
        UserError: settings, corpus or folders are not as they must be; says what to do.
    """
    run = runs / config.name
    clock = Clock(run)
    experiment = prepare(config, run, cache, start)
    metrics = finished_metrics(run)
    if metrics is None:
        fit(experiment, quiet=quiet)
        metrics = finish(experiment, clock.minutes(), quiet=quiet)
    return metrics


def prepare(
    config: RecognizerConfig, run: Path, cache: Path, start: Path | None = None
) -> RecognizerExperiment:
    """Read the corpus, learn or take over the alphabet, initialize the model, and open the run directory.

    Raises:
        UserError: settings, corpus or folders are not as they must be; says what to do.
    """
    base = Transcriber.load(start) if start else None
    if base:
        model = base.config.model.model_copy(update={"engine": config.model.engine})
        config = config.model_copy(update={"model": model, "features": base.config.features})
        base.model.stack.engine = config.model.engine
    check_same_settings(run, config)
    check_devices(config.training)
    check_engine(config.model, config.training.accelerator, "model.engine")
    torch.manual_seed(config.training.seed)
    utterances = load_corpus(config.corpus, cache)
    for split, dataset in utterances.items():
        hours = sum(dataset["duration_seconds"]) / 3600
        speakers = plural(len(set(dataset["speaker"])), "speaker")
        log.info(f"{split}: {plural(len(dataset), 'utterance')}, {hours:.2f} hours, {speakers}")
    alphabet = run / "tokens.json"
    if base:
        tokens = base.tokens
    elif alphabet.exists():
        tokens = Tokens.load(alphabet)
    else:
        tokens = Tokens.learn(utterances["train"]["text"], config.tokens)
    transcriber = Transcriber(config, tokens, base.model if base else None)
    utterances["train"] = leave_out_unfit(utterances["train"], transcriber)
    for split in utterances.keys() - {"train"}:
        _warn_unknown(split, utterances[split], tokens)
    write_text(run / CONFIG_FILE, config.to_yaml())  # only now: a corpus that is not there claims no name
    tokens.save(alphabet)
    return RecognizerExperiment(config, run, utterances, transcriber)


def fit(experiment: RecognizerExperiment, *, quiet: bool = False) -> None:
    """Train the experiment's recognizer; the best so far is always in the run directory.

    Raises:
        TrainingError: no audio of a split can be read, or training diverges.
    """
    from asr.training.task import CTCTask
    from sluice_core.training.fit import fit_task

    config, transcriber = experiment.config, experiment.transcriber
    loader = experiment.loader("train", train=True)
    task = CTCTask(
        config,
        transcriber.model,
        transcriber.tokens,
        list(experiment.utterances["dev"]["text"]),
        steps=len(loader) * config.training.max_epochs,
        find_words=lambda model: find_words(experiment, model, quiet=quiet),
    )
    parameters = sum(p.numel() for p in transcriber.model.parameters())
    log.info(f"{parameters / 1e6:.2f} million parameters, {len(transcriber.tokens)} tokens")
    weights = experiment.run / WEIGHTS_FILE
    fit_task(
        task,
        loader,
        experiment.loader("dev", train=False),
        experiment.run,
        config.training,
        lambda: save_weights(weights, task.best_weights, {"epoch": str(task.current_epoch)}),
        look_at="the data with `sluice manifest check`",
        quiet=quiet,
    )


def find_words(experiment: RecognizerExperiment, model: "AcousticModel", *, quiet: bool = False) -> None:
    """Write down where the words of the training utterances are, by a half-trained model, unless it has been done."""
    file = experiment.run / WORDS_FILE
    if file.exists():
        return
    config = experiment.config.model_copy(update={"hearing": HearingConfig()})  # as in all of training
    aligner = Transcriber(config, experiment.transcriber.tokens, deepcopy(model).cpu().eval())
    rate, found = config.features.sample_rate, []
    for utterance in track(experiment.utterances["train"], "finding words to exchange", quiet=quiet):
        words = []
        with suppress(AudioError, AlignmentError):  # training names the one; the other keeps its words
            samples = read_utterance(utterance, rate)
            words = cut_words(aligner.align(samples, utterance["text"]).words, samples, rate)
        found.append(words)
    save_words(file, found)


def finish(experiment: RecognizerExperiment, minutes: float, *, quiet: bool = False) -> dict[str, Any]:
    """Evaluate the best model on dev and, once, on test; write transcripts, metrics and the report.

    Of a training's processes the first does it; the others return no metrics.
    """
    from asr.evaluation.report import write_report

    if process_rank(experiment.config.training.devices)[0]:
        return {}
    write_text(experiment.run / SEGMENTATION_FILE, _segmentation(experiment).to_yaml())
    best = Transcriber.load(experiment.run)
    evaluations: dict[str, Evaluation] = {}
    for split in ("dev", "test"):
        if split in experiment.utterances:
            evaluations[split] = evaluate(best, experiment.utterances[split], quiet=quiet)
            evaluations[split].write_transcripts(experiment.run / f"transcripts-{split}.tsv")
    metrics = {
        **{split: evaluation.to_dict() for split, evaluation in evaluations.items()},
        **training_facts(best.model, experiment.config.training.seed, minutes),
    }
    write_report(experiment.run, experiment.utterances, evaluations, best, metrics)
    write_metrics(experiment.run, metrics)
    return metrics


def _segmentation(experiment: RecognizerExperiment) -> SegmentationSettings:
    """Find settings that divide long recordings into pieces like some of the training utterances."""
    rate, utterances = experiment.config.features.sample_rate, experiment.utterances["train"]
    some = range(0, len(utterances), -(-len(utterances) // SEGMENTATION_UTTERANCES))

    def samples() -> Iterator[np.ndarray]:
        for item in some:
            with suppress(AudioError):  # training has named it
                yield read_utterance(utterances[item], rate)

    over_speech = experiment.config.features.normalize == "speech"
    return fit_segmentation(samples(), rate, over_speech=over_speech)


def leave_out_unfit(utterances: "Dataset", transcriber: Transcriber) -> "Dataset":
    """Leave out training utterances with more text than CTC can emit in their frames, naming each.

    Raises:
        TokensError: a text has characters outside the alphabet.
        UserError: nothing is left.
    """
    unfit: list[int] = []
    rate = transcriber.config.features.sample_rate
    for item, (name, text, seconds) in enumerate(
        zip(utterances["id"], utterances["text"], utterances["duration_seconds"], strict=True)
    ):
        tokens = transcriber.tokens.encode(text, name)
        frames = transcriber.features.frames(torch.tensor(round(seconds * rate)))
        steps, needed = int(transcriber.model.steps(frames)), required_steps(tokens)
        if steps < needed:
            unfit.append(item)
            log.warning(
                f"left out of training: {name}: its text needs {plural(needed, 'step')} "
                f"({plural(len(tokens), 'token')} and the blanks between equal ones), but its audio has {steps} "
                f"({plural(int(frames), 'frame')}): {text!r}"
            )
    if len(unfit) == len(utterances):
        raise UserError(
            "no training utterance has frames enough for its text: use model.subsampling=2, a shorter "
            "features.hop_ms, or subwords (tokens.kind=subwords); and check that texts belong to their audio"
        )
    if not unfit:
        return utterances
    log.warning(
        f"{len(unfit)} of {plural(len(utterances), 'training utterance')} left out; model.subsampling=2 fits more"
    )
    return utterances.select(sorted(set(range(len(utterances))) - set(unfit)))


def _warn_unknown(split: str, utterances: "Dataset", tokens: Tokens) -> None:
    unknown = sorted({c for text in utterances["text"] for c in tokens.unknown(text)})
    if unknown:
        log.warning(
            f"{split} has characters that training has not, so they cannot be recognized: "
            + " ".join(repr(character) for character in unknown)
        )
