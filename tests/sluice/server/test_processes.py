"""Models in processes of their own: the same answers, and one that dies is started anew."""

import os
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import pytest

from sluice.server import inference
from sluice.server.batching import Job, Workers
from sluice.server.inference import answer_all
from sluice.server.model_process import ModelProcess
from sluice.server.models import Parts, load_parts
from sluice_core.errors import UserError
from tests.tones import say

pytestmark = pytest.mark.slow


def load_fragile(run: Path, tagger: Path) -> Parts:
    """Models that cannot bear one sentence, and die of another; in the process that calls this."""
    tag = inference.ANSWERS["tag"]

    def fragile(parts: Parts, jobs: Sequence[Job]) -> Iterator[object]:
        for job in jobs:
            if job.content == ["bad"]:
                raise ValueError("broken")
            if job.content == ["deadly"]:
                os._exit(3)
            yield from tag(parts, [job])

    inference.ANSWERS["tag"] = fragile
    return load_parts(run, tagger)


@pytest.fixture
def process(random_recognizer: Path, random_tagger: Path) -> Iterator[ModelProcess]:
    made = ModelProcess(partial(load_fragile, random_recognizer, random_tagger))
    made.wait()
    yield made
    made.close()


def jobs() -> list[Job]:
    spoken = say("abb da")
    kinds = [("transcribe", spoken), ("understand", spoken), ("tag", ["one two"]), ("posteriors", spoken)]
    return [Job(kind, content, 1.0, alternatives=1) for kind, content in kinds]


def test_a_process_answers_as_this_one_does(process: ModelProcess, parts: Parts) -> None:
    there, here = jobs(), jobs()
    process(there)
    answer_all(parts, here)
    for one, other in zip(there, here, strict=True):
        assert one.answer.result() == other.answer.result()


def test_one_that_fails_or_kills_harms_no_neighbour(
    process: ModelProcess, caplog: pytest.LogCaptureFixture
) -> None:
    workers = Workers([process], batch=8)
    expected = workers.submit(Job("tag", ["good"])).result(60)
    sent = {
        text: workers.submit(Job("tag", [text])) for text in ("one", "bad", "two", "deadly", "three", "four")
    }
    good = [answer.result(60) for text, answer in sent.items() if text not in ("bad", "deadly")]
    assert len(good) == 4
    with pytest.raises(RuntimeError, match="ValueError: broken"):
        sent["bad"].result()
    with pytest.raises(RuntimeError, match="ended the process"):
        sent["deadly"].result(60)
    assert "ended with 3; another is started" in caplog.text
    assert workers.submit(Job("tag", ["good"])).result(60) == expected
    workers.close()


def test_a_process_that_cannot_start_says_so(tmp_path: Path) -> None:
    broken = ModelProcess(partial(load_parts, tmp_path / "nothing"))
    with pytest.raises(UserError, match="ended while it started, with 1"):
        broken.wait()
    broken.close()
