"""Pack sequences of different lengths into rows without padding, the longest sequence first.

If lengths differ, the layout is that of torch's `PackedSequence`: the rows of step 0 of all sequences, then those of
step 1 of the sequences that have one, and so on. If all lengths are equal, the rows are in the order of the batch,
sequence after sequence, and nothing is copied. Code that runs on rows never sees padding.
"""

from collections.abc import Sequence
from functools import cached_property, lru_cache
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence

CPU = torch.device("cpu")
"""The device of the tensors that describe a packing, whatever torch's default device is."""

Lengths = Tensor | Sequence[int]
"""`[batch]` steps of each sequence, whole numbers."""


class Packing:
    """The order of the rows of a batch: how they are taken from a padded batch and put back."""

    def __init__(self, batch_sizes: Tensor, order: Tensor, *, step_by_step: bool = True) -> None:
        """Describe a batch.

        Args:
            batch_sizes: `[steps]` int64 on the CPU: how many sequences have this step, in falling order.
            order: `[batch]` int64: the sequences by falling length.
            step_by_step: rows are ordered by step; otherwise by sequence, which needs equal lengths.
        """
        self.step_by_step = step_by_step
        self.batch_sizes = batch_sizes
        self.order = order
        self.batch = order.shape[0]
        self.steps = batch_sizes.shape[0]
        self.rows = int(batch_sizes.sum()) if step_by_step else self.batch * self.steps
        self.ragged = step_by_step and self.steps > 0 and int(batch_sizes[-1]) < self.batch

    @classmethod
    def of(cls, lengths: Tensor) -> "Packing":
        """Return the packing of a padded batch with lengths `[batch]`; a sequence of length 0 has no rows."""
        lengths = lengths.cpu()
        longest_first = torch.argsort(lengths, descending=True, stable=True)
        ended = torch.bincount(lengths, minlength=1).cumsum(
            0
        )  # [steps + 1], sequences of at most so many steps
        sizes = lengths.shape[0] - ended[:-1]
        return cls(sizes, longest_first, step_by_step=not bool((sizes == lengths.shape[0]).all()))

    @classmethod
    def whole(cls, batch: int, steps: int) -> "Packing":
        """Return the packing of a batch whose sequences all have `steps` steps."""
        make = _whole if torch.compiler.is_compiling() else _kept_whole  # a compiler's tensors are empty
        return make(batch, steps)

    @cached_property
    def offsets(self) -> Tensor:
        """Return the row of each step's first sequence, `[steps]` int64; the next sequence is `stride` rows further."""
        if not self.step_by_step:
            return _count(self.steps)
        return self.batch_sizes.cumsum(0) - self.batch_sizes

    @property
    def stride(self) -> int:
        """Return the distance in rows from one sequence to the next at the same step."""
        return 1 if self.step_by_step else self.steps

    def split(self, rows: Tensor) -> list[Tensor]:
        """Split rows `[rows, features]` into one tensor `[batch size, features]` for each step."""
        if self.step_by_step:
            return list(rows.split(self.batch_sizes.tolist()))
        return list(rows.view(self.batch, self.steps, rows.shape[1]).unbind(1))

    def join(self, steps: list[Tensor]) -> Tensor:
        """Join one tensor `[batch size, features]` for each step into rows `[rows, features]`."""
        return torch.cat(steps) if self.step_by_step else torch.stack(steps, 1).flatten(0, 1)

    @cached_property
    def lengths(self) -> Tensor:
        """Return the length of each sequence, longest first, `[batch]` int64."""
        return (self.batch_sizes[:, None] > _count(self.batch)).sum(0)

    @cached_property
    def row_sequences(self) -> Tensor:
        """Return the place of each row's sequence in the order by falling length, `[rows]` int64."""
        if not self.step_by_step:
            return _count(self.batch).repeat_interleave(self.steps)
        return _count(self.rows) - self.offsets.repeat_interleave(self.batch_sizes)

    @cached_property
    def row_steps(self) -> Tensor:
        """Return the step of each row, `[rows]` int64."""
        if not self.step_by_step:
            return _count(self.steps).repeat(self.batch)
        return _count(self.steps).repeat_interleave(self.batch_sizes)

    def pack(self, padded: Tensor) -> Tensor:
        """Take the rows `[rows, features]` of a padded batch `[batch, time, features]`; padding is not read."""
        if not self.step_by_step:
            whole = padded if padded.shape[1] == self.steps else padded[:, : self.steps]
            return whole.reshape(self.rows, padded.shape[2])
        return _gather(padded, self._places(padded.shape[1], padded.device))

    def unpack(self, rows: Tensor, time: int) -> Tensor:
        """Put rows `[rows, features]` into a padded batch `[batch, time, features]`, zero past each length."""
        if not self.step_by_step and time == self.steps:
            return rows.view(self.batch, time, rows.shape[1])
        return _scatter(rows, self._places(time, rows.device), (self.batch, time))

    def reverse(self, rows: Tensor) -> Tensor:
        """Reverse the steps of each sequence within its length; doing it twice changes nothing."""
        mirrored = self.lengths[self.row_sequences] - 1 - self.row_steps
        places = self.offsets[mirrored] + self.row_sequences * self.stride
        return _gather(rows[None], places.to(rows.device))

    def pad(self, rows: Tensor) -> Tensor:
        """Put rows `[rows, features]` into `[steps, batch, features]`, longest first, zero past each length."""
        if not self.step_by_step:
            return rows.view(self.batch, self.steps, rows.shape[1]).transpose(
                0, 1
            )  # [steps, batch, features]
        return _scatter(rows, self._time_major.to(rows.device), (self.steps, self.batch))

    def take(self, padded: Tensor) -> Tensor:
        """Take the rows `[rows, features]` of `[steps, batch, features]`, longest first."""
        if not self.step_by_step:
            return padded.transpose(0, 1).reshape(self.rows, padded.shape[2])
        return _gather(padded, self._time_major.to(padded.device))

    @cached_property
    def _time_major(self) -> Tensor:
        return self.row_steps * self.batch + self.row_sequences

    @cached_property
    def inverse(self) -> Tensor:
        """Return the place of each sequence in the order by falling length, `[batch]` int64."""
        return torch.argsort(self.order)

    def sort(self, states: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """Sort states `[batch, size]` from the caller's order to longest first."""
        if not self.step_by_step:
            return states
        return tuple(state[self.order.to(state.device)] for state in states)

    def unsort(self, states: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """Sort states `[batch, size]` from longest first to the caller's order."""
        if not self.step_by_step:
            return states
        return tuple(state[self.inverse.to(state.device)] for state in states)

    def _places(self, time: int, device: torch.device) -> Tensor:
        """Return the place of each row in the flattened batch `[batch * time, features]`, `[rows]` int64."""
        order = self.order.cpu()
        return (order[self.row_sequences] * time + self.row_steps).to(device)


def as_lengths(lengths: Lengths) -> Tensor:
    """Return lengths as a tensor: a tensor as it is, a sequence of numbers as int64 on the CPU."""
    if isinstance(lengths, Tensor):
        return lengths
    return torch.tensor(lengths, device=CPU, dtype=None if len(lengths) else torch.int64)


def packing_of(sequence: PackedSequence) -> Packing:
    """Return the packing of a `PackedSequence` of torch, whose rows are in the same order."""
    batch = int(sequence.batch_sizes[0])
    order = sequence.sorted_indices
    return Packing(sequence.batch_sizes, _count(batch) if order is None else order)


def _whole(batch: int, steps: int) -> Packing:
    return Packing(torch.full((steps,), batch, device=CPU), _count(batch), step_by_step=False)


# Small batches spend a noticeable part of their time on making it.
_kept_whole = lru_cache(maxsize=64)(_whole)


def _count(end: int) -> Tensor:
    return torch.arange(end, device=CPU)


def is_transformed() -> bool:
    """Return whether a transform of torch.func is active, which can differentiate plain torch operations only."""
    return torch._C._are_functorch_transforms_active()


def _gather(padded: Tensor, places: Tensor) -> Tensor:
    """Take rows by their places in the flattened `padded`."""
    if is_transformed():
        return padded.flatten(0, 1).index_select(0, places)
    return _Gather.apply(padded, places)


def _scatter(rows: Tensor, places: Tensor, shape: tuple[int, int]) -> Tensor:
    """Put rows at their places in a tensor of zeros."""
    if is_transformed():
        zeros = rows.new_zeros(shape[0] * shape[1], rows.shape[1])
        return zeros.index_copy(0, places, rows).unflatten(0, shape)
    return _Scatter.apply(rows, places, shape)


class _Gather(torch.autograd.Function):
    """Take rows by place; since no place is taken twice, the gradient is a copy instead of the sum of index_select."""

    @staticmethod
    def forward(ctx: Any, padded: Tensor, places: Tensor) -> Tensor:
        ctx.save_for_backward(places)
        ctx.shape = padded.shape[:2]
        return padded.reshape(-1, padded.shape[2]).index_select(0, places)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        (places,) = ctx.saved_tensors
        return _Scatter.apply(gradient, places, ctx.shape), None


class _Scatter(torch.autograd.Function):
    """Put rows at their places in a tensor of zeros; the transpose of `_Gather`."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor, places: Tensor, shape: tuple[int, int]) -> Tensor:
        ctx.save_for_backward(places)
        padded = rows.new_zeros(shape[0] * shape[1], rows.shape[1])
        return padded.index_copy_(0, places, rows).view(*shape, rows.shape[1])

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        (places,) = ctx.saved_tensors
        return _Gather.apply(gradient, places), None, None
