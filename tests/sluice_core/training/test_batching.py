"""Batches: every item once an epoch, within bounds, decided by seed and epoch alone."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sluice_core.config import ConfigError
from sluice_core.training.batching import LengthBatches


@settings(max_examples=60, deadline=None)
@given(
    lengths=st.lists(st.floats(0.1, 20), min_size=1, max_size=80),
    size=st.integers(1, 9),
    seconds=st.floats(5, 60),
    epoch=st.integers(0, 3),
    shuffle=st.booleans(),
)
def test_every_item_once_and_within_bounds(lengths, size, seconds, epoch, shuffle) -> None:
    batches = LengthBatches(lengths, batch_size=size, batch_length=seconds, seed=1, shuffle=shuffle)
    batches.set_epoch(epoch)
    taken = list(batches)
    assert len(taken) == len(batches)
    assert sorted(item for batch in taken for _, item in batch) == list(range(len(lengths)))
    for batch in taken:
        assert {seen for seen, _ in batch} == {epoch}
        longest = max(lengths[item] for _, item in batch)
        assert len(batch) <= size
        assert len(batch) == 1 or longest * len(batch) <= seconds * 1.0001


def test_order_depends_on_seed_and_epoch_alone() -> None:
    lengths = np.random.default_rng(0).uniform(1, 5, 50)

    def order(seed: int, epoch: int) -> list:
        batches = LengthBatches(lengths, batch_size=4, batch_length=100, seed=seed)
        batches.set_epoch(epoch)
        return list(batches)

    assert order(1, 2) == order(1, 2)
    assert order(1, 2) != order(1, 3)
    assert order(1, 2) != order(2, 2)


def test_first_epoch_goes_from_short_to_long() -> None:
    lengths = np.random.default_rng(0).uniform(1, 5, 64)
    batches = LengthBatches(lengths, batch_size=8, batch_length=100, seed=1)
    means = [np.mean([lengths[item] for _, item in batch]) for batch in batches]
    assert means == sorted(means)


@pytest.mark.parametrize("shuffle", [True, False])
def test_ranks_share_everything_and_training_gives_each_as_many(shuffle: bool) -> None:
    lengths = list(range(1, 36))
    shares = [
        list(LengthBatches(lengths, batch_size=4, batch_length=1e9, seed=1, shuffle=shuffle, rank=r, ranks=2))
        for r in range(2)
    ]
    items = [item for share in shares for batch in share for _, item in batch]
    assert set(items) == set(range(35))
    if shuffle:
        assert len(shares[0]) == len(shares[1])
    else:
        assert len(items) == 35


@pytest.mark.parametrize("count", [1, 2, 3, 7])
def test_more_ranks_than_batches_get_as_many_each(count: int) -> None:
    shares = [
        LengthBatches([1.0] * count, batch_size=1, batch_length=9, seed=1, rank=rank, ranks=5)
        for rank in range(5)
    ]
    taken = [list(share) for share in shares]
    assert [len(batches) for batches in taken] == [len(share) for share in shares] == [-(-count // 5)] * 5
    items = [item for batches in taken for batch in batches for _, item in batch]
    repeats = [items.count(item) for item in range(count)]
    assert min(repeats) >= 1 and max(repeats) - min(repeats) <= 1


def test_a_dev_split_that_is_too_small_to_share_is_told() -> None:
    with pytest.raises(ConfigError, match=r"training\.devices: the dev split has 1 .* each of 2 processes"):
        LengthBatches([1.0], batch_size=8, batch_length=9, seed=1, shuffle=False, ranks=2)


def test_every_rank_has_a_share_of_dev_where_there_are_sequences_enough() -> None:
    for count in (5, 6, 9, 64):
        shares = [
            list(
                LengthBatches(
                    [1.0] * count, batch_size=32, batch_length=1e9, seed=1, shuffle=False, rank=r, ranks=5
                )
            )
            for r in range(5)
        ]
        assert all(shares)
        assert sorted(item for share in shares for batch in share for _, item in batch) == list(range(count))
