"""Inference on batches of jobs: like with like, the shortest first, and a job that fails harms no other."""

import json
import logging
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from itertools import groupby
from typing import Any, cast

import numpy as np

from asr.transcript import Transcript
from slot_filling.tagging import Tagging
from sluice.server.batching import Job
from sluice.server.models import Models
from sluice.server.visualization import posteriors
from sluice.understanding import Mode, Understanding
from sluice_core.devices import give_back_memory, keep_memory

MEMORY_RELEASE_SECONDS = 10.0
"""How often freed memory is given back to the system: batches of varying sizes fragment it, and the gaps add up."""

log = logging.getLogger(__name__)

Predictor = Callable[[Models, Sequence[Job]], Iterable[Any]]


class InferenceRunner:
    """Runs inference on one batch after the other, for as long as a server runs."""

    def __init__(self, models: Models) -> None:
        """Use some models; from now on this process reuses the memory of one batch for the next."""
        keep_memory()
        self._models = models
        self._released = time.monotonic()

    def __call__(self, jobs: Sequence[Job]) -> None:
        """Set the result of each job as soon as it is computed."""
        run_inference(self._models, jobs)
        if time.monotonic() - self._released > MEMORY_RELEASE_SECONDS:
            give_back_memory()
            self._released = time.monotonic()


def run_inference(models: Models, jobs: Sequence[Job]) -> None:
    """Set the result of each job as soon as it is computed."""
    order = sorted(jobs, key=lambda job: (*_kind_of(models, job), job.audio_seconds))
    for (kind, *_), group in groupby(order, key=lambda job: _kind_of(models, job)):
        _run_group(models, PREDICTORS[kind], list(group))


def _kind_of(models: Models, job: Job) -> tuple[str, str, int]:
    """Return what jobs have in common that may be computed together."""
    return job.kind, job.mode, _hypotheses(models, job)


def _hypotheses(models: Models, job: Job) -> int:
    """Return how many further hypotheses are scored; jobs with the same number get the same results in any batch."""
    if job.kind == "understand" and models.understander is not None:
        return max(job.alternatives, models.understander.candidates - 1)
    return job.alternatives


def _run_group(models: Models, predictor: Predictor, jobs: Sequence[Job]) -> None:
    try:
        for job, result in zip(jobs, predictor(models, jobs), strict=True):
            job.result.set_result(result)
    except Exception as error:
        remaining = [job for job in jobs if not job.result.done()]
        if len(jobs) > 1:
            log.warning("a batch failed (%s); each of its requests is tried alone", error)
        for job in remaining:
            if len(jobs) > 1:
                _run_group(models, predictor, [job])
            else:
                job.result.set_exception(error)


def _transcribe(models: Models, jobs: Sequence[Job]) -> Iterable[Transcript]:
    samples = (job.content for job in jobs)
    return models.require_transcriber().transcribe_many(samples, batch_size=len(jobs))


def _understand(models: Models, jobs: Sequence[Job]) -> Iterable[Understanding]:
    understander = models.require_understander()
    samples = (job.content for job in jobs)
    most = max(job.alternatives for job in jobs)
    results = understander.understand_many(
        samples, mode=cast(Mode, jobs[0].mode), batch_size=len(jobs), alternatives=most
    )
    for job, result in zip(jobs, results, strict=True):
        yield replace(result, alternatives=result.alternatives[: job.alternatives])


def _tag(models: Models, jobs: Sequence[Job]) -> Iterable[list[str]]:
    """Yield the taggings of each job's texts as JSON.

    Writing the JSON of long texts takes time; in the event loop it would delay all clients.
    """
    texts = [text for job in jobs for text in job.content]
    taggings = iter(models.require_tagger().tag_many(texts, alternatives=jobs[0].alternatives))
    for job in jobs:
        yield [_to_json(next(taggings)) for _ in job.content]


def _to_json(tagging: Tagging) -> str:
    return json.dumps(tagging.to_dict(), ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def _posteriors(models: Models, jobs: Sequence[Job]) -> Iterable[dict[str, Any]]:
    for job in jobs:
        yield posteriors(models.require_transcriber(), job.content)


PREDICTORS: dict[str, Predictor] = {
    "transcribe": _transcribe,
    "understand": _understand,
    "tag": _tag,
    "posteriors": _posteriors,
}
"""For each kind of job, the function that computes the results of several jobs, in their order."""


def warm_up(models: Models) -> None:
    """Run one job of each kind, so that no client waits for what is compiled or loaded at first use."""
    jobs = [Job("tag", ["one two"])] if models.tagger else []
    if models.transcriber:
        rate = models.transcriber.config.features.sample_rate
        noise = np.random.default_rng(0).normal(0, 0.05, rate).astype(np.float32)
        kinds = ["transcribe", "posteriors"] + ["understand"] * (models.understander is not None)
        jobs += [Job(kind, noise, 1.0) for kind in kinds]
    run_inference(models, jobs)
    for job in jobs:
        job.result.result()
