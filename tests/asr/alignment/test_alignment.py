"""Forced alignment against every path, and against torchaudio's."""

from itertools import product

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from asr.acoustic.ctc import collapse, required_steps
from asr.decoding.forced_alignment import AlignmentError, force_align, force_align_each


def random_log_probs(batch: int, steps: int, tokens: int, seed: int, scale: float = 2) -> np.ndarray:
    generator = torch.Generator().manual_seed(seed)
    return (scale * torch.randn(batch, steps, tokens, generator=generator)).log_softmax(2).numpy()


def path_of(starts: tuple[int, ...], ends: tuple[int, ...], target: list[int], steps: int) -> list[int]:
    """The token of each step."""
    path = [0] * steps
    for token, start, end in zip(target, starts, ends, strict=True):
        path[start:end] = [token] * (end - start)
    return path


@given(
    steps=st.integers(1, 6),
    target=st.lists(st.integers(1, 2), max_size=4),
    seed=st.integers(0, 2**20),
)
@settings(max_examples=150, deadline=None)
def test_is_the_best_of_all_paths(steps: int, target: list[int], seed: int) -> None:
    log_probs = random_log_probs(1, steps, 3, seed)
    if required_steps(target) > steps:
        with pytest.raises(AlignmentError):
            force_align(log_probs, np.array([steps]), [target])
        return
    scores = {
        path: sum(float(log_probs[0, step, token]) for step, token in enumerate(path))
        for path in product(range(3), repeat=steps)
        if collapse(path) == target
    }
    best = max(scores, key=scores.__getitem__)
    (found,) = force_align(log_probs, np.array([steps]), [target])
    assert path_of(found.starts, found.ends, target, steps) == list(best)
    assert found.score == pytest.approx(scores[best], abs=1e-5)
    for token, start, end, confidence in zip(
        target, found.starts, found.ends, found.confidences, strict=True
    ):
        assert confidence == pytest.approx(float(np.exp(log_probs[0, start:end, token]).max()), rel=1e-5)


@pytest.mark.parametrize("scale", [2, 20])
def test_agrees_with_torchaudio(scale: float) -> None:
    """With large scores the best path lies far below others of its steps, where it is at first not looked for."""
    functional = pytest.importorskip("torchaudio.functional")
    generator = np.random.default_rng(0)
    for seed in range(20):
        steps = int(generator.integers(30, 200))
        target = generator.integers(1, 12, steps // 3).tolist()
        log_probs = random_log_probs(1, steps, 12, seed, scale)
        if required_steps(target) > steps:
            continue
        path, scores = functional.forced_align(
            torch.from_numpy(log_probs), torch.tensor([target], dtype=torch.int32)
        )
        (found,) = force_align(log_probs, np.array([steps]), [target])
        assert path_of(found.starts, found.ends, target, steps) == path[0].tolist()
        assert found.score == pytest.approx(float(scores.sum()), rel=1e-6, abs=1e-3)


@pytest.mark.parametrize("threads", [1, 3])
def test_a_batch_gives_each_utterance_what_it_has_alone(
    threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("asr.decoding.forced_alignment.MUCH", 0)
    lengths = np.array([40, 7, 0, 23])
    targets = [[1, 1, 2, 3] * 4, [3, 2], [], [1, 2, 2]]
    log_probs = random_log_probs(4, 40, 4, 5)
    padded = log_probs.copy()
    for row, length in enumerate(lengths):
        padded[row, length:] = np.nan
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        together = force_align(padded, lengths, targets)
    finally:
        torch.set_num_threads(before)
    alone = [
        force_align(log_probs[row : row + 1, :length], np.array([length]), [target])[0]
        for row, (length, target) in enumerate(zip(lengths.tolist(), targets, strict=True))
    ]
    assert together == alone
    assert together[2].score == 0


def test_an_utterance_may_have_several_targets_or_none() -> None:
    log_probs, lengths = random_log_probs(3, 9, 4, 2), np.array([9, 6, 8])
    targets: list[list[list[int]]] = [[[1, 2], [3]], [], [[2, 2, 1], [], [3, 1]]]
    found = force_align_each(log_probs, lengths, targets)
    assert [len(some) for some in found] == [2, 0, 3]
    for row, some in enumerate(targets):
        for target, path in zip(some, found[row], strict=True):
            assert path == force_align(log_probs[row : row + 1], lengths[row : row + 1], [target])[0]
    assert force_align_each(log_probs[:0], lengths[:0], []) == []


def test_equal_letters_keep_a_blank_between_them() -> None:
    log_probs = np.log([[[0.02, 0.98]] * 5])
    (path,) = force_align(log_probs, np.array([5]), [[1, 1, 1]])
    assert (path.starts, path.ends) == ((0, 2, 4), (1, 3, 5))


def test_an_empty_text_is_all_blanks() -> None:
    log_probs = random_log_probs(1, 9, 3, 1)
    (path,) = force_align(log_probs, np.array([9]), [[]])
    assert (path.starts, path.ends, path.confidences) == ((), (), ())
    assert path.score == pytest.approx(float(log_probs[0, :, 0].sum()), abs=1e-4)


def test_too_few_steps_say_how_many_are_needed() -> None:
    log_probs = random_log_probs(2, 4, 3, 1)
    with pytest.raises(AlignmentError, match=r"utterance 1.* 3 tokens need at least 5 steps .* audio has 4"):
        force_align(log_probs, np.array([4, 4]), [[1, 2, 1], [1, 1, 1]])


def test_what_has_no_path_is_an_error() -> None:
    log_probs = random_log_probs(1, 4, 3, 1)
    with pytest.raises(AlignmentError, match="between 1 and 2"):
        force_align(log_probs, np.array([4]), [[1, 3]])
    with pytest.raises(AlignmentError, match="no probability"):
        force_align(np.where(np.arange(3) != 1, log_probs, -np.inf), np.array([4]), [[1, 2]])
