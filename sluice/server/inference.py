"""How a batch of jobs is answered: like with like, the shortest first, and nobody suffers from a neighbour."""

import json
import logging
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from itertools import groupby
from typing import Any

import numpy as np

from asr.transcript import Transcript
from slot_filling.tagging import Tagging
from sluice.server.batching import Job
from sluice.server.models import Parts
from sluice.server.visualization import posteriors
from sluice.understanding import Understanding
from sluice_core.devices import give_back_memory, keep_memory

TIDY_SECONDS = 10.0
"""How often memory that batches have freed is given back: ever other sizes leave holes, which add up."""

log = logging.getLogger(__name__)

Answerer = Callable[[Parts, Sequence[Job]], Iterable[Any]]


class Answers:
    """Answers batches, one after the other, for as long as a server runs."""

    def __init__(self, parts: Parts) -> None:
        """With what there is in `parts`; from now on this process keeps memory from one batch for the next."""
        keep_memory()
        self._parts = parts
        self._tidied = time.monotonic()

    def __call__(self, jobs: Sequence[Job]) -> None:
        """Set every job's answer, as soon as it is there."""
        answer_all(self._parts, jobs)
        if time.monotonic() - self._tidied > TIDY_SECONDS:
            give_back_memory()
            self._tidied = time.monotonic()


def answer_all(parts: Parts, jobs: Sequence[Job]) -> None:
    """Set every job's answer, as soon as it is there."""
    order = sorted(jobs, key=lambda job: (job.kind, _readings(parts, job), job.seconds))
    for (kind, _), group in groupby(order, key=lambda job: (job.kind, _readings(parts, job))):
        _answer_group(parts, ANSWERS[kind], list(group))


def _readings(parts: Parts, job: Job) -> int:
    """Readings that are looked at: jobs with the same number are answered alike alone and together."""
    if job.kind == "understand" and parts.understander is not None:
        return max(job.alternatives, parts.understander.candidates - 1)
    return job.alternatives


def _answer_group(parts: Parts, answerer: Answerer, jobs: Sequence[Job]) -> None:
    try:
        for job, answer in zip(jobs, answerer(parts, jobs), strict=True):
            job.answer.set_result(answer)
    except Exception as error:
        left = [job for job in jobs if not job.answer.done()]
        if len(jobs) > 1:
            log.warning("a batch failed (%s); each of its requests is tried alone", error)
        for job in left:
            if len(jobs) > 1:
                _answer_group(parts, answerer, [job])
            else:
                job.answer.set_exception(error)


def _transcribe(parts: Parts, jobs: Sequence[Job]) -> Iterable[Transcript]:
    samples = (job.content for job in jobs)
    return parts.need_transcriber().transcribe_many(samples, batch_size=len(jobs))


def _understand(parts: Parts, jobs: Sequence[Job]) -> Iterable[Understanding]:
    understander = parts.need_understander()
    samples = (job.content for job in jobs)
    most = max(job.alternatives for job in jobs)
    found = understander.understand_many(samples, batch_size=len(jobs), alternatives=most)
    for job, each in zip(jobs, found, strict=True):
        yield replace(each, alternatives=each.alternatives[: job.alternatives])


def _tag(parts: Parts, jobs: Sequence[Job]) -> Iterable[list[str]]:
    """Each text's answer in JSON: of long texts that is much to write, and would hold up all who are served."""
    texts = [text for job in jobs for text in job.content]
    found = iter(parts.need_tagger().tag_many(texts, alternatives=jobs[0].alternatives))
    for job in jobs:
        yield [_json(next(found)) for _ in job.content]


def _json(tagging: Tagging) -> str:
    return json.dumps(tagging.to_dict(), ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def _posteriors(parts: Parts, jobs: Sequence[Job]) -> Iterable[dict[str, Any]]:
    for job in jobs:
        yield posteriors(parts.need_transcriber(), job.content)


ANSWERS: dict[str, Answerer] = {
    "transcribe": _transcribe,
    "understand": _understand,
    "tag": _tag,
    "posteriors": _posteriors,
}
"""By kind of job: from jobs to their answers, in order."""


def warm_up(parts: Parts) -> None:
    """Answer one of each kind, so that what is compiled or read at first use is there before anybody waits."""
    jobs = [Job("tag", ["one two"])] if parts.tagger else []
    if parts.transcriber:
        rate = parts.transcriber.config.features.sample_rate
        noise = np.random.default_rng(0).normal(0, 0.05, rate).astype(np.float32)
        kinds = ["transcribe", "posteriors"] + ["understand"] * (parts.understander is not None)
        jobs += [Job(kind, noise, 1.0) for kind in kinds]
    answer_all(parts, jobs)
    for job in jobs:
        job.answer.result()
