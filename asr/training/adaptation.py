"""Adapt a finished recognizer to a voice by a few recordings, without forgetting others.

The recordings are fitted together with utterances of the run's own training split (rehearsal; Robins 1995). Then the
old and the new weights are interpolated (Wortsman et al. 2022, "Robust fine-tuning of zero-shot models"), and the run
keeps the largest share of the change with which its own dev split is recognized as well as before.
"""

import logging
import shutil
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from asr.config import RecognizerConfig
from asr.corpora import leave_out_long, load_corpus
from asr.corpora.manifest import load_manifest
from asr.decoding.config import DecodingConfig
from asr.evaluation.error_rates import ErrorCount
from asr.evaluation.evaluation import evaluate
from asr.training.experiment import RecognizerExperiment, fit, leave_out_unfit
from asr.transcriber import Transcriber
from sluice_core.config import Settings
from sluice_core.corpus_files import CorpusError
from sluice_core.errors import UserError
from sluice_core.previous_weights import keep_previous_weights
from sluice_core.run_directory import WEIGHTS_FILE
from sluice_core.weights import load_weights, save_weights
from sluice_core.wording import plural

if TYPE_CHECKING:
    from datasets import Dataset

log = logging.getLogger("sluice")

WORK_FOLDER = "adapting"
"""The folder in a run directory where an adaptation is trained; it is gone when the adaptation is done."""


class AdaptationSettings(Settings):
    """How a finished recognizer is adapted to recordings."""

    learning_rate: float = Field(5e-4, gt=0, description="largest learning rate (AdamW)")
    passes: int = Field(
        6,
        ge=1,
        description="passes over what is trained on; few, so that many of the run's own utterances are rehearsed, and "
        "none of them is learned by heart",
    )
    replay: float = Field(2.0, ge=0, description="seconds of the run's own utterances for each of recordings")
    work: float = Field(
        9000,
        gt=0,
        description="seconds of audio that are trained on in all, for a network of a million parameters; larger ones "
        "get less, so that the time is about the same",
    )
    allowance: float = Field(
        0.05, ge=0, description="share by which the word errors of the run's own dev split may rise"
    )
    shares: tuple[float, ...] = Field(
        (1.0, 0.8, 0.6, 0.4, 0.2), min_length=1, description="shares of the change to try, largest first"
    )
    held_out: float = Field(0.2, ge=0, lt=1, description="share of the recordings to choose by, if enough")
    enough: int = Field(40, ge=2, description="recordings from which some are held out")
    dev_seconds: float = Field(600, gt=0, description="seconds of the dev split that are listened to")


FEWEST = 10
"""Fewer recordings than this teach little: five of one person changed nothing that could be measured."""
MOST_SECONDS = 1200.0
"""More audio than this is refused: it deserves fine-tuning, with epochs and a dev split of its own."""
FEW_ERRORS = 20
"""Where dev has fewer errors, one more is within chance, and allowed."""


@dataclass(frozen=True)
class Errors:
    """Errors over words with greedy decoding, before and after."""

    before: ErrorCount
    after: ErrorCount

    def as_good(self, allowance: float) -> bool:
        """Return whether the errors have risen by no more than a share, or by one where they are few."""
        more = self.after.errors - self.before.errors
        return more <= allowance * self.before.errors or (more <= 1 and self.before.errors < FEW_ERRORS)


@dataclass(frozen=True)
class Adaptation:
    """What an adaptation did."""

    recordings: int
    seconds: float
    """The recordings' duration."""
    share: float
    """The share of the change that was kept."""
    own: Errors
    """Errors of the recordings: of those held out, if some were, else of those that were trained on."""
    held_out: int
    """The recordings that were held out."""
    others: Errors
    """Errors of the run's own dev split."""
    minutes: float

    def to_dict(self) -> dict[str, Any]:
        """Return all figures as plain values."""
        figures = asdict(self)
        for name in ("own", "others"):
            errors: Errors = getattr(self, name)
            figures[name] = {"before": errors.before.to_dict(), "after": errors.after.to_dict()}
        return figures


@dataclass(frozen=True)
class AdaptationData:
    """The utterances of an adaptation: whom to learn, what to rehearse, and by whom to choose."""

    recordings: "Dataset"
    held_out: "Dataset | None"
    replay: "Dataset"
    dev: "Dataset"


def adapt(
    run: Path,
    manifest: Path,
    cache: Path,
    *,
    settings: AdaptationSettings | None = None,
    data: Path | None = None,
    threads: int = 0,
    quiet: bool = False,
) -> Adaptation:
    """Adapt the recognizer in a run directory to recordings; `restore_previous_weights` undoes it.

    The weights are replaced at the very end, and whole or not at all: killed, the command leaves the recognizer as it
    was. The same recordings and the same run give the same weights.

    Args:
        run: a finished recognizer's run directory.
        manifest: the recordings and their texts.
        cache: where corpora keep what they prepared.
        settings: how to adapt.
        data: where the run's own corpus lies now, if it has been moved.
        threads: CPU threads; as many as the run was trained with if 0.
        quiet: show no progress.

    Raises:
        UserError: the recordings, the run or its corpus are not as they must be, or every share of the change makes
            others worse; says what to do.
    """
    begun, settings = time.monotonic(), settings or AdaptationSettings()
    transcriber = Transcriber.load(run, decoding=DecodingConfig())
    material = read_material(transcriber, manifest, cache, data, settings)
    before = {name: tensor.clone() for name, tensor in transcriber.model.state_dict().items()}
    own = material.held_out or material.recordings
    errors = [evaluate(transcriber, each, quiet=quiet).words for each in (own, material.dev)]
    after = _fit(transcriber, run / WORK_FOLDER, material, settings, threads, quiet)
    share, own_errors, others = _choose(transcriber, before, after, material, errors, settings, quiet)
    recordings, seconds = len(material.recordings), sum(material.recordings["duration_seconds"])
    if material.held_out:
        recordings += len(material.held_out)
        seconds += sum(material.held_out["duration_seconds"])
    keep_previous_weights(run)
    facts = {"adapted": f"{recordings} recordings of {manifest.name}, {share:g} of the change"}
    save_weights(run / WEIGHTS_FILE, interpolate(before, after, share), facts)
    held_out = len(material.held_out or ())
    minutes = (time.monotonic() - begun) / 60
    return Adaptation(recordings, seconds, share, own_errors, held_out, others, minutes)


def read_material(
    transcriber: Transcriber, manifest: Path, cache: Path, data: Path | None, settings: AdaptationSettings
) -> AdaptationData:
    """Read the recordings and the run's own corpus, and divide them.

    Raises:
        UserError: they are not as they must be; says what to do.
    """
    config = transcriber.config
    recordings = load_manifest(manifest, cache, config.corpus.case)
    for name, text in zip(recordings["id"], recordings["text"], strict=True):
        transcriber.tokens.encode(text, f"{manifest}: {name}")
    recordings = leave_out_unfit(leave_out_long(recordings, config.corpus.max_seconds), transcriber)
    seconds = sum(recordings["duration_seconds"])
    if seconds > MOST_SECONDS:
        raise UserError(
            f"{manifest}: {seconds / 60:.0f} minutes of recordings are more than adapting is for (a few dozen "
            "sentences); fine-tune on them: sluice train ctc/manifest --from RUN --data FILE --name NEW"
        )
    if len(recordings) < FEWEST:
        log.warning(
            f"{plural(len(recordings), 'recording')}: so few teach little; read some twenty sentences"
        )
    corpus = config.corpus.model_copy(update={"data": data}) if data else config.corpus
    try:
        splits = load_corpus(corpus, cache)
    except CorpusError as error:
        raise CorpusError(
            f"{error}\nTo adapt, the corpus that the run was trained on is needed: some of it is repeated, and its dev "
            "split shows whether others are still understood. --data PATH says where it lies now."
        ) from error
    random = np.random.default_rng(config.training.seed)
    held_out = None
    if settings.held_out and len(recordings) >= settings.enough:
        order = random.permutation(len(recordings))
        count = round(settings.held_out * len(recordings))
        held_out, recordings = (
            recordings.select(sorted(order[:count])),
            recordings.select(sorted(order[count:])),
        )
    seconds = sum(recordings["duration_seconds"])
    seconds *= settings.replay * plan_work(seconds, _parameters(transcriber), settings)[1]
    replay = draw_seconds(splits["train"], seconds, random)
    replay = leave_out_unfit(replay, transcriber) if len(replay) else replay
    return AdaptationData(
        recordings, held_out, replay, draw_seconds(splits["dev"], settings.dev_seconds, random)
    )


def draw_seconds(utterances: "Dataset", seconds: float, random: np.random.Generator) -> "Dataset":
    """Draw different utterances of so many seconds in all, or a little less; all of them if they are no longer."""
    order = random.permutation(len(utterances))
    reached = np.cumsum(np.asarray(utterances["duration_seconds"])[order])
    return utterances.select(sorted(order[: np.searchsorted(reached, seconds, side="right")]))


def _parameters(transcriber: Transcriber) -> int:
    return sum(parameter.numel() for parameter in transcriber.model.parameters())


def plan_work(seconds: float, parameters: int, settings: AdaptationSettings) -> tuple[int, int]:
    """Return how many passes there are, and how often each repeats the recordings.

    Args:
        seconds: the recordings' duration.
        parameters: the parameters of the network.
        settings: how to adapt.

    Example:
        >>> plan_work(64.0, 1_000_000, AdaptationSettings(work=9000, passes=6, replay=2.0))
        (6, 8)
    """
    both = seconds * (1 + settings.replay)  # once the recordings, and what is rehearsed with them
    rounds = max(1, round(settings.work * 1e6 / parameters / both))
    passes = min(settings.passes, rounds)
    return passes, round(rounds / passes)


def _fit(
    transcriber: Transcriber,
    folder: Path,
    material: AdaptationData,
    settings: AdaptationSettings,
    threads: int,
    quiet: bool,
) -> dict[str, Tensor]:
    """Train in a folder that is gone afterwards, and return the weights."""
    from datasets import concatenate_datasets

    seconds = sum(material.recordings["duration_seconds"])
    passes, copies = plan_work(seconds, _parameters(transcriber), settings)
    train = concatenate_datasets([*[material.recordings] * copies, material.replay])
    config = adaptation_config(transcriber.config, settings, passes, threads)
    own = plural(len(material.recordings), "recording")
    log.info(f"{own}, {copies} times in a pass, with {len(material.replay)} utterances of the run's own")
    torch.manual_seed(config.training.seed)
    shutil.rmtree(folder, ignore_errors=True)  # what a killed adaptation left
    try:
        dev = material.dev.select(range(min(len(material.dev), 50)))  # the whole is for the choice
        experiment = RecognizerExperiment(config, folder, {"train": train, "dev": dev}, transcriber)
        fit(experiment, quiet=quiet)
        return load_weights(folder / WEIGHTS_FILE)
    finally:
        transcriber.to("cpu")
        shutil.rmtree(folder, ignore_errors=True)


def adaptation_config(
    config: RecognizerConfig, settings: AdaptationSettings, passes: int, threads: int
) -> RecognizerConfig:
    """Return a run's settings as adapting has them: few epochs, a low learning rate, all of its augmentation."""
    augment = config.augment.model_copy(
        update={"start_epoch": 0, "exchange_probability": 0.0, "consistency": 0.0}
    )
    changes = {
        "max_epochs": passes,
        "learning_rate": settings.learning_rate,
        "warmup_steps": 20,
        "decay": "cosine",
        "average_decay": 0.99,
        "keep": "last",
        "threads": threads or config.training.threads,
    }
    training = config.training.model_copy(update=changes)
    return config.model_copy(update={"augment": augment, "training": training})


def _choose(
    transcriber: Transcriber,
    before: Mapping[str, Tensor],
    after: Mapping[str, Tensor],
    material: AdaptationData,
    errors: list[ErrorCount],
    settings: AdaptationSettings,
    quiet: bool,
) -> tuple[float, Errors, Errors]:
    """Return the share of the change to keep, with the errors of the recordings and of others.

    It is the largest share with which others are recognized as well as before; if recordings were held out, the one of
    these with the fewest errors on them.

    Raises:
        UserError: there is none.
    """
    found: list[tuple[float, Errors, Errors]] = []
    own = material.held_out or material.recordings
    worst = Errors(errors[1], errors[1])
    for share in sorted(settings.shares, reverse=True):
        transcriber.model.load_state_dict(interpolate(before, after, share))
        others = Errors(errors[1], evaluate(transcriber, material.dev, quiet=quiet).words)
        if not others.as_good(settings.allowance):
            worst = others
            log.info(
                f"with {share:.0%} of the change others would have {_from_to(others)}; less of it is tried"
            )
            continue
        found.append((share, Errors(errors[0], evaluate(transcriber, own, quiet=quiet).words), others))
        if not material.held_out:
            break
    if not found:
        raise UserError(
            f"the recognizer is as it was: even with {min(settings.shares):.0%} of the change, others would have "
            f"{_from_to(worst)}. Check that the texts say what was spoken, and record some twenty sentences"
        )
    return min(found, key=lambda each: each[1].after.errors)


def _from_to(errors: Errors) -> str:
    return f"{errors.after.errors} instead of {errors.before.errors} of {errors.before.total} words wrong"


def interpolate(before: Mapping[str, Tensor], after: Mapping[str, Tensor], share: float) -> dict[str, Tensor]:
    """Return weights between two others: those of `after` for a share of 1, those of `before` for 0."""
    return {
        name: torch.lerp(tensor, after[name], share) if tensor.is_floating_point() else after[name]
        for name, tensor in before.items()
    }
