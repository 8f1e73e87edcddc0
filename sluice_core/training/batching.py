"""Put sequences of like length into batches, in an order that the seed and the epoch decide."""

from collections.abc import Iterator, Sequence
from itertools import cycle, islice

import numpy as np
from torch.utils.data import Sampler

from sluice_core.config import ConfigError
from sluice_core.wording import plural

NOISE = 0.1
"""The share by which an item's length is changed, at most, before sorting, so that batches differ between epochs."""

EpochItem = tuple[int, int]
"""The epoch and the number of an item: what a dataset needs to draw the item's augmentation the same way again."""


class LengthBatches(Sampler[list[EpochItem]]):
    """Batches of items of like length, limited in items and in padded length.

    Items are sorted by length with a little seeded noise, cut into batches, and the batches are shuffled; the first
    epoch goes from short to long instead, with which CTC begins to learn sooner. Every process of a training on
    several devices (a rank) gets its own share; in training all shares have the same number of batches.
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
        """Plan the batches.

        Args:
            lengths: the length of each item, in any unit (seconds, words).
            batch_size: the largest number of items in a batch.
            batch_length: the largest padded length of a batch (items times the longest); one item may exceed it.
            seed: decides the order, with the epoch.
            shuffle: if off, items go from long to short, the same in every epoch (for evaluation).
            rank: the number of the share that this process takes, from 0.
            ranks: the number of shares.

        Raises:
            ConfigError: dev has fewer items than there are shares.
        """
        self.lengths = np.asarray(lengths, dtype=np.float64)
        if not shuffle and len(lengths) < ranks:
            raise ConfigError(
                f"training.devices: the dev split has {plural(len(lengths), 'item')}, and each of {ranks} "
                "processes needs one; train with fewer, or give dev more"
            )
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
        """Return itself, since Lightning tells the epoch to the `sampler` of a batch sampler."""
        return self

    def set_epoch(self, epoch: int) -> None:
        """Set the epoch whose order the next iteration has."""
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
    """Return how many items go into each batch when they are taken in the order of `lengths`."""
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
