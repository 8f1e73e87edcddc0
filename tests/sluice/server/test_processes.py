"""Models in processes of their own: the same answers, and one that dies is started anew.

They are forked from one that has imported torch; those of a server, in test_serve_command.py, are spawned.
"""

import multiprocessing
import os
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import pytest

from sluice.server import inference
from sluice.server.batching import DynamicBatcher, Job
from sluice.server.inference import run_inference
from sluice.server.model_process import ModelProcess
from sluice.server.models import Models, load_models
from sluice_core.errors import UserError
from tests.processes import CONTEXT
from tests.tones import say

pytestmark = pytest.mark.slow


def load_fragile(run: Path, tagger: Path) -> Models:
    """Models that cannot bear one sentence, and die of another; in the process that calls this."""
    tag = inference.PREDICTORS["tag"]

    def fragile(models: Models, jobs: Sequence[Job]) -> Iterator[object]:
        for job in jobs:
            if job.content == ["bad"]:
                raise ValueError("broken")
            if job.content == ["deadly"]:
                os._exit(3)
            yield from tag(models, [job])

    inference.PREDICTORS["tag"] = fragile
    return load_models(run, tagger)


@pytest.fixture(scope="module", autouse=True)
def forked() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(multiprocessing, "get_context", lambda method: CONTEXT)
        yield


@pytest.fixture(scope="module")
def process(random_recognizer: Path, random_tagger: Path) -> Iterator[ModelProcess]:
    made = ModelProcess(partial(load_fragile, random_recognizer, random_tagger))
    made.wait_until_ready()
    yield made
    made.close()


def jobs() -> list[Job]:
    spoken = say("abb da")
    kinds = [("transcribe", spoken), ("understand", spoken), ("tag", ["one two"]), ("posteriors", spoken)]
    return [Job(kind, content, 1.0, alternatives=1) for kind, content in kinds]


def test_a_process_answers_as_this_one_does(process: ModelProcess, models: Models) -> None:
    there, here = jobs(), jobs()
    process(there)
    run_inference(models, here)
    for one, other in zip(there, here, strict=True):
        assert one.result.result() == other.result.result()


def test_one_that_fails_or_kills_harms_no_neighbour(
    process: ModelProcess, caplog: pytest.LogCaptureFixture
) -> None:
    batcher = DynamicBatcher([process], batch_size=8)
    expected = batcher.submit(Job("tag", ["good"])).result(60)
    sent = {
        text: batcher.submit(Job("tag", [text])) for text in ("one", "bad", "two", "deadly", "three", "four")
    }
    good = [answer.result(60) for text, answer in sent.items() if text not in ("bad", "deadly")]
    assert len(good) == 4
    with pytest.raises(RuntimeError, match="ValueError: broken"):
        sent["bad"].result()
    with pytest.raises(RuntimeError, match="ended the model process"):
        sent["deadly"].result(60)
    assert "ended with exit code 3; another is started" in caplog.text
    assert batcher.submit(Job("tag", ["good"])).result(60) == expected
    batcher.close()


def test_a_process_that_cannot_start_says_so(tmp_path: Path) -> None:
    broken = ModelProcess(partial(load_models, tmp_path / "nothing"))
    with pytest.raises(UserError, match="ended while it started, with exit code 1"):
        broken.wait_until_ready()
    broken.close()
