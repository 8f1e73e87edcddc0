"""Sequences of different lengths as rows without padding, the longest sequence first.

Where lengths differ, the layout is that of torch's `PackedSequence`: the rows of step 0 of all sequences, then those
of step 1 of the sequences that have one, and so on. Where all are of one length, rows stand as they are in the padded
batch, sequence after sequence, and nothing is copied. Whatever runs on rows never sees padding.
"""

from collections.abc import Sequence
from functools import cached_property, lru_cache
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence

CPU = torch.device("cpu")
"""Where a packing is described, whatever device torch makes tensors on by itself."""

Lengths = Tensor | Sequence[int]
"""`[batch]` steps of each sequence, whole numbers."""


class Packing:
    """Where the rows of a batch come from and go to."""

    def __init__(self, batch_sizes: Tensor, order: Tensor, *, step_by_step: bool = True) -> None:
        """Describe a batch.

        Args:
            batch_sizes: `[steps]` int64 on the CPU, sequences that have this step, never growing.
            order: `[batch]` int64, the sequences, longest first.
            step_by_step: rows stand step after step; else, for sequences of one length only, sequence after
                sequence.
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
        """The packing of a padded batch with `[batch]` lengths (0 is allowed: a sequence without rows)."""
        lengths = lengths.cpu()
        longest_first = torch.argsort(lengths, descending=True, stable=True)
        ended = torch.bincount(lengths, minlength=1).cumsum(
            0
        )  # [steps + 1], sequences of at most so many steps
        sizes = lengths.shape[0] - ended[:-1]
        return cls(sizes, longest_first, step_by_step=not bool((sizes == lengths.shape[0]).all()))

    @classmethod
    def whole(cls, batch: int, steps: int) -> "Packing":
        """The packing of a batch whose sequences all have all steps."""
        make = _whole if torch.compiler.is_compiling() else _kept_whole  # a compiler's tensors are empty
        return make(batch, steps)

    @cached_property
    def offsets(self) -> Tensor:
        """`[steps]` int64: the row of each step's first sequence; the next one's is `stride` rows further."""
        if not self.step_by_step:
            return _count(self.steps)
        return self.batch_sizes.cumsum(0) - self.batch_sizes

    @property
    def stride(self) -> int:
        """Rows from one sequence to the next at the same step."""
        return 1 if self.step_by_step else self.steps

    def split(self, rows: Tensor) -> list[Tensor]:
        """`[rows, features]` to each step's `[batch size, features]`."""
        if self.step_by_step:
            return list(rows.split(self.batch_sizes.tolist()))
        return list(rows.view(self.batch, self.steps, rows.shape[1]).unbind(1))

    def join(self, steps: list[Tensor]) -> Tensor:
        """Each step's `[batch size, features]` to `[rows, features]`."""
        return torch.cat(steps) if self.step_by_step else torch.stack(steps, 1).flatten(0, 1)

    @cached_property
    def lengths(self) -> Tensor:
        """`[batch]` int64: steps of each sequence, longest first."""
        return (self.batch_sizes[:, None] > _count(self.batch)).sum(0)

    @cached_property
    def row_sequences(self) -> Tensor:
        """`[rows]` int64: the place of each row's sequence among the longest-first."""
        if not self.step_by_step:
            return _count(self.batch).repeat_interleave(self.steps)
        return _count(self.rows) - self.offsets.repeat_interleave(self.batch_sizes)

    @cached_property
    def row_steps(self) -> Tensor:
        """`[rows]` int64: the step of each row."""
        if not self.step_by_step:
            return _count(self.steps).repeat(self.batch)
        return _count(self.steps).repeat_interleave(self.batch_sizes)

    def pack(self, padded: Tensor) -> Tensor:
        """`[batch, time, features]` to `[rows, features]`; what stands past a length is not read."""
        if not self.step_by_step:
            whole = padded if padded.shape[1] == self.steps else padded[:, : self.steps]
            return whole.reshape(self.rows, padded.shape[2])
        return _gather(padded, self._places(padded.shape[1], padded.device))

    def unpack(self, rows: Tensor, time: int) -> Tensor:
        """`[rows, features]` to `[batch, time, features]`, zero past each length."""
        if not self.step_by_step and time == self.steps:
            return rows.view(self.batch, time, rows.shape[1])
        return _scatter(rows, self._places(time, rows.device), (self.batch, time))

    def reverse(self, rows: Tensor) -> Tensor:
        """The same rows, each sequence's steps in the opposite order; its own inverse."""
        mirrored = self.lengths[self.row_sequences] - 1 - self.row_steps
        places = self.offsets[mirrored] + self.row_sequences * self.stride
        return _gather(rows[None], places.to(rows.device))

    def pad(self, rows: Tensor) -> Tensor:
        """`[rows, features]` to time-major `[steps, batch, features]`, longest first, zero past each length."""
        if not self.step_by_step:
            return rows.view(self.batch, self.steps, rows.shape[1]).transpose(
                0, 1
            )  # [steps, batch, features]
        return _scatter(rows, self._time_major.to(rows.device), (self.steps, self.batch))

    def take(self, padded: Tensor) -> Tensor:
        """Time-major `[steps, batch, features]`, longest first, to `[rows, features]`."""
        if not self.step_by_step:
            return padded.transpose(0, 1).reshape(self.rows, padded.shape[2])
        return _gather(padded, self._time_major.to(padded.device))

    @cached_property
    def _time_major(self) -> Tensor:
        return self.row_steps * self.batch + self.row_sequences

    @cached_property
    def inverse(self) -> Tensor:
        """`[batch]` int64: the place of each sequence among the longest-first."""
        return torch.argsort(self.order)

    def sort(self, states: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """States `[batch, size]` in the caller's order to longest first."""
        if not self.step_by_step:
            return states
        return tuple(state[self.order.to(state.device)] for state in states)

    def unsort(self, states: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """States `[batch, size]` longest first to the caller's order."""
        if not self.step_by_step:
            return states
        return tuple(state[self.inverse.to(state.device)] for state in states)

    def _places(self, time: int, device: torch.device) -> Tensor:
        """`[rows]`: which row of the flattened `[batch * time, features]` each row is."""
        order = self.order.cpu()
        return (order[self.row_sequences] * time + self.row_steps).to(device)


def as_lengths(lengths: Lengths) -> Tensor:
    """Lengths as a tensor: a given one as it is, others in int64 on the CPU."""
    if isinstance(lengths, Tensor):
        return lengths
    return torch.tensor(lengths, device=CPU, dtype=None if len(lengths) else torch.int64)


def packing_of(sequence: PackedSequence) -> Packing:
    """The packing of torch's own packed sequence, whose rows are ours."""
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
    """Whether torch.func transforms what runs: it makes gradients itself, and only of plain torch."""
    return torch._C._are_functorch_transforms_active()


def _gather(padded: Tensor, places: Tensor) -> Tensor:
    """Rows by their places in the flattened `padded`."""
    if is_transformed():
        return padded.flatten(0, 1).index_select(0, places)
    return _Gather.apply(padded, places)


def _scatter(rows: Tensor, places: Tensor, shape: tuple[int, int]) -> Tensor:
    """Rows to their places in zeros."""
    if is_transformed():
        zeros = rows.new_zeros(shape[0] * shape[1], rows.shape[1])
        return zeros.index_copy(0, places, rows).unflatten(0, shape)
    return _Scatter.apply(rows, places, shape)


class _Gather(torch.autograd.Function):
    """Rows by place. torch's own index_select adds its gradient row by row; here each place is read once."""

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
    """Rows to their places in zeros; the transpose of `_Gather`."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor, places: Tensor, shape: tuple[int, int]) -> Tensor:
        ctx.save_for_backward(places)
        padded = rows.new_zeros(shape[0] * shape[1], rows.shape[1])
        return padded.index_copy_(0, places, rows).view(*shape, rows.shape[1])

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        (places,) = ctx.saved_tensors
        return _Gather.apply(gradient, places), None, None
