"""Many at once: batches, a bounded queue, and nobody suffers from a neighbour."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, ThreadPoolExecutor
from typing import Any

import pytest

from sluice.server import batching, inference
from sluice.server.batching import DynamicBatcher, Job
from sluice.server.errors import ApiError
from sluice.server.inference import run_inference
from sluice.server.models import Models
from tests.sluice.server.live import dial, message, serving
from tests.sluice.server.sounds import form, wav

httpx = pytest.importorskip("httpx", reason="httpx is not installed (the extra 'test')")

SPEECH = "/v1/audio/transcriptions"


class Held:
    """Answers jobs, but not before it is told to."""

    def __init__(self) -> None:
        self.go, self.began, self.batches = threading.Event(), threading.Event(), []

    def __call__(self, jobs: list[Job]) -> None:
        self.batches.append([job.content for job in jobs])
        self.began.set()
        assert self.go.wait(60)
        for job in jobs:
            job.result.set_result(job.content)


def until(condition: Callable[[], object]) -> None:
    """Wait for something that is about to happen."""
    for _ in range(6000):
        if condition():
            return
        time.sleep(0.01)
    raise AssertionError("it did not happen")


def test_what_arrives_together_is_answered_together() -> None:
    held = Held()
    sizes: list[int] = []
    batcher = DynamicBatcher([held], batch_size=4, on_batch=sizes.append)
    first = batcher.submit(Job("tag", 0))
    assert held.began.wait(60)
    others = [batcher.submit(Job("tag", number)) for number in range(1, 7)]
    assert len(batcher) == 6
    held.go.set()
    assert [each.result() for each in [first, *others]] == list(range(7))
    assert held.batches == [[0], [1, 2, 3, 4], [5, 6]] and sizes == [1, 4, 2]
    batcher.close()


def test_whoever_hangs_up_is_left_out_and_closing_answers_the_rest() -> None:
    held = Held()
    batcher = DynamicBatcher([held], batch_size=4)
    batcher.submit(Job("tag", 0))
    assert held.began.wait(60)
    gone, stays = batcher.submit(Job("tag", 1)), batcher.submit(Job("tag", 2))
    gone.cancel()
    held.go.set()
    batcher.close()
    assert stays.result() == 2 and held.batches == [[0], [2]]
    with pytest.raises(CancelledError):
        gone.result()
    with pytest.raises(ApiError, match="try again"):
        batcher.submit(Job("tag", 3))


def test_only_so_much_audio_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batching, "MAX_QUEUED_AUDIO_SECONDS", 10.0)
    held = Held()
    batcher = DynamicBatcher([held], batch_size=1)
    batcher.submit(Job("tag", 0, audio_seconds=100))  # alone, anything is taken
    assert held.began.wait(60)
    batcher.submit(Job("tag", 1, audio_seconds=9))
    with pytest.raises(ApiError) as refused:
        batcher.submit(Job("tag", 2, audio_seconds=2))
    assert refused.value.status == 429 and int(refused.value.headers["Retry-After"]) >= 1
    held.go.set()
    batcher.close()


def test_one_that_breaks_the_models_breaks_no_other(models: Models, monkeypatch: pytest.MonkeyPatch) -> None:
    def fragile(models: Models, jobs: list[Job]) -> Iterator[str]:
        for job in jobs:
            if job.content == "bad":
                raise RuntimeError("broken")
            yield job.content

    monkeypatch.setitem(inference.PREDICTORS, "tag", fragile)
    jobs = [Job("tag", content) for content in ("a", "bad", "b", "c")]
    run_inference(models, jobs)
    assert [job.result.result() for job in jobs if job.content != "bad"] == ["a", "b", "c"]
    with pytest.raises(RuntimeError, match="broken"):
        jobs[1].result.result()


def test_kinds_of_jobs_and_numbers_of_alternatives_may_be_mixed(models: Models) -> None:
    from tests.tones import say

    def jobs() -> list[Job]:
        spoken = [
            Job("understand", say(text), 1.0, count) for text, count in (("abb", 0), ("da", 2), ("ace", 9))
        ]
        return [
            *spoken,
            Job("transcribe", say("bed")),
            Job("tag", ["bed abb", "da"]),
            Job("posteriors", say("a")),
        ]

    together, alone = jobs(), jobs()
    run_inference(models, together)
    for job in alone:
        run_inference(models, [job])
    for one, other in zip(together[:3], alone[:3], strict=True):
        assert one.result.result().text == other.result.result().text
        assert len(one.result.result().alternatives) == len(other.result.result().alternatives)
    assert len(together[1].result.result().alternatives) == 2
    assert together[4].result.result() == alone[4].result.result()


@pytest.fixture
def slow(models: Models, monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """The recognizer of `models` answers only once this is set."""
    assert models.transcriber is not None
    go, transcribe_many = threading.Event(), models.transcriber.transcribe_many

    def wait(*arguments: Any, **options: Any) -> Any:
        assert go.wait(60)
        return transcribe_many(*arguments, **options)

    monkeypatch.setattr(models.transcriber, "transcribe_many", wait)
    yield go
    go.set()


def counted(address: str, what: str) -> float:
    lines = httpx.get(f"{address}/metrics").text.splitlines()
    return next(float(line.split()[-1]) for line in lines if line.startswith(what + " "))


def test_a_full_queue_turns_away_and_then_takes_again(models: Models, slow: threading.Event) -> None:
    with serving(models, queue_size=2, batch_size=1) as address, ThreadPoolExecutor(2) as pool:
        taken = [pool.submit(httpx.post, address + SPEECH, **form(wav()), timeout=60) for _ in range(2)]
        until(lambda: counted(address, "sluice_requests_open") == 2)
        for _ in range(2):
            refused = httpx.post(address + SPEECH, **form(wav()))
            assert refused.status_code == 429 and int(refused.headers["retry-after"]) >= 1
            assert refused.json()["error"]["code"] == "queue_full"
        assert httpx.get(f"{address}/health").status_code == 200
        slow.set()
        assert [each.result().status_code for each in taken] == [200, 200]
        assert httpx.post(address + SPEECH, **form(wav())).status_code == 200


def test_one_broken_file_among_good_ones(models: Models, slow: threading.Event) -> None:
    broken = wav(format="FLAC")[:2000]
    with serving(models) as address, ThreadPoolExecutor(8) as pool:
        contents = [broken if number == 3 else wav() for number in range(8)]
        sent = [pool.submit(httpx.post, address + SPEECH, **form(each), timeout=60) for each in contents]
        assert sent[3].result().status_code == 400
        until(lambda: counted(address, "sluice_requests_open") == 7)
        slow.set()
        answers = [each.result() for each in sent]
        assert [each.status_code for each in answers] == [200, 200, 200, 400, 200, 200, 200, 200]
        assert len({each.text for each in answers if each.status_code == 200}) == 1


def test_who_hangs_up_gives_back_the_place(models: Models, slow: threading.Event) -> None:
    with serving(models, batch_size=1) as address, ThreadPoolExecutor(1) as pool:
        first = pool.submit(httpx.post, address + SPEECH, **form(wav()), timeout=60)
        until(lambda: counted(address, "sluice_requests_open") == 1)
        with dial(address) as line:
            line.sendall(message(address + SPEECH, **form(wav())))
            until(lambda: counted(address, "sluice_requests_open") == 2)
        until(lambda: counted(address, "sluice_requests_open") == 1)
        slow.set()
        assert first.result().status_code == 200
