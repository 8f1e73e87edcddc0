"""Batches of sequences of like length, in an order that the seed and the epoch decide."""

from collections.abc import Iterator, Sequence
from itertools import cycle, islice

import numpy as np
from torch.utils.data import Sampler

NOISE = 0.1
"""How far, as a share, an item's length is moved before sorting, so that batches differ between epochs."""

EpochItem = tuple[int, int]
"""The epoch, and the number of an item: what a dataset needs to draw its augmentation the same way again."""


class LengthBatches(Sampler[list[EpochItem]]):
    """Batches bounded in sequences and in padded length, of items of like length.

    Items are sorted by length with a little seeded noise, cut into batches, and the batches shuffled; the first
    epoch goes from short to long instead, which starts CTC off sooner. Every rank of a distributed run sees
    its own share, all shares having the same number of batches.
    """

    def __init__(
        self,
        lengths: Sequence[float],
        *,
        batch_size: int,
        batch_length: float,
        seed: int,
        shuffle: bool = True,
        rank: int = 0,
        ranks: int = 1,
    ) -> None:
        """Plan batches.

        Args:
            lengths: of each item, in any unit (seconds, words).
            batch_size: most items in a batch.
            batch_length: most padded length in a batch (items times the longest); one item may exceed it.
            seed: decides the order, with the epoch.
            shuffle: off, items go from long to short, always the same (for evaluation).
            rank: which share this process takes.
            ranks: how many shares there are.
        """
        self.lengths = np.asarray(lengths, dtype=np.float64)
        if not shuffle:  # processes without a batch of dev would not join in when its figures are summed
            batch_size = min(batch_size, max(1, len(lengths) // ranks))
        self.batch_size, self.batch_length = batch_size, batch_length
        self.seed, self.shuffle = seed, shuffle
        self.rank, self.ranks = rank, ranks
        self.epoch = 0
        # Cut once: every epoch has as many batches, of the same sizes. With noise an item may stand where one
        # a little shorter would, so the bound is kept for items that much longer.
        margin = (1 + NOISE) / (1 - NOISE) if shuffle else 1.0
        ordered = np.sort(self.lengths) if shuffle else np.sort(self.lengths)[::-1]
        self._sizes = _batch_sizes(ordered * margin, batch_size, batch_length)

    @property
    def sampler(self) -> "LengthBatches":
        """Itself: Lightning tells the epoch to the `sampler` of a batch sampler."""
        return self

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch whose order the next iteration gives."""
        self.epoch = epoch

    def __len__(self) -> int:
        return (
            -(-len(self._sizes) // self.ranks) if self.shuffle else len(self._sizes[self.rank :: self.ranks])
        )

    def __iter__(self) -> Iterator[list[EpochItem]]:
        for batch in self._share():
            yield [(self.epoch, int(item)) for item in batch]

    def _share(self) -> list[list[int]]:
        batches = self._plan()
        if not self.shuffle:
            return batches[self.rank :: self.ranks]
        # Where they do not come out even, the first ones come again, more than once if batches are few.
        return list(islice(cycle(batches), self.rank, len(self) * self.ranks, self.ranks))

    def _plan(self) -> list[list[int]]:
        if not self.shuffle:
            return self._cut(np.argsort(self.lengths, kind="stable")[::-1])
        generator = np.random.default_rng([self.seed, self.epoch])
        noise = generator.uniform(1 - NOISE, 1 + NOISE, len(self.lengths))
        batches = self._cut(np.argsort(self.lengths * noise, kind="stable"))
        if self.epoch > 0:
            batches = [batches[i] for i in generator.permutation(len(batches))]
        return batches

    def _cut(self, order: np.ndarray) -> list[list[int]]:
        return [part.tolist() for part in np.split(order, np.cumsum(self._sizes)[:-1])]


def _batch_sizes(lengths: np.ndarray, batch_size: int, batch_length: float) -> list[int]:
    """How many items go into each batch when taken in the order of `lengths`."""
    sizes: list[int] = []
    longest = count = 0
    for length in lengths.tolist():
        full = count == batch_size or max(longest, length) * (count + 1) > batch_length
        if count and full:
            sizes.append(count)
            longest = count = 0
        longest = max(longest, length)
        count += 1
    return [*sizes, count] if count else sizes
