"""Sharing work among threads: torch's team and plain threads, errors, forks, and many callers at once."""

import os
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from sluice_core import threads
from sluice_core.threads import share, thread_count


@pytest.fixture(params=["torch's team", "plain threads"])
def two_threads(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    if request.param == "plain threads":
        monkeypatch.setattr(threads, "_torch_team", lambda: None)
    elif threads._torch_team() is None:
        pytest.skip("this torch has no OpenMP team of GNU's kind")
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("two_threads")
def test_two_threads_are_at_work_at_once() -> None:
    meeting, seen = threading.Barrier(2), set[int]()

    def work(part: int) -> None:
        meeting.wait(timeout=60)  # one thread alone would wait in vain
        seen.add(threading.get_ident())

    share(work, [0, 1])
    assert len(seen) == 2


@pytest.mark.usefixtures("two_threads")
def test_each_part_is_done_once() -> None:
    done: list[int] = []
    share(done.append, range(1000))
    assert sorted(done) == list(range(1000))


@pytest.mark.usefixtures("two_threads")
def test_what_fails_is_raised_and_ends_the_work() -> None:
    done = Counter[int]()

    def work(part: int) -> None:
        done[part] += 1
        if part == 3:
            raise KeyError("the third")

    with pytest.raises(KeyError, match="the third"):
        share(work, range(1000))
    assert done[3] == 1 and sum(done.values()) < 1000
    share(done.update, [[7], [7]])  # and the next work is done
    assert done[7] >= 2


@pytest.mark.usefixtures("two_threads")
def test_several_threads_share_their_work_at_once() -> None:
    matrix = torch.eye(300)

    def call(number: int) -> int:
        found: list[int] = []
        share(lambda part: found.append(part * number), range(50))
        assert torch.equal(matrix @ matrix, matrix)  # torch goes on with its own work
        return sum(found)

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(call, range(200))) == [1225 * number for number in range(200)]


def test_torch_says_how_many_threads() -> None:
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        seen = set[int]()
        share(lambda part: seen.add(threading.get_ident()), range(20))
        assert thread_count() == 1 and seen == {threading.get_ident()}
    finally:
        torch.set_num_threads(before)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_forked_process_works_alone_and_does_not_hang() -> None:
    code = """
import os, torch
from sluice_core.threads import share
torch.set_num_threads(2)
done = []
share(done.append, [1, 2])
child = os.fork()
if child == 0:
    share(done.append, [3, 4])
    os._exit(0 if done[2:] == [3, 4] else 1)
assert sorted(done) == [1, 2] and os.waitpid(child, 0)[1] == 0
"""
    subprocess.run([sys.executable, "-c", code], timeout=120, check=True)


def test_without_torch_plain_threads_work() -> None:
    code = """
import sys
from sluice_core.threads import share, thread_count
done = []
share(done.append, range(100))
assert sorted(done) == list(range(100)) and thread_count() >= 1 and "torch" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)
