"""Truncated back-propagation through time: long sequences in chunks, the state carried on without its past."""

from collections.abc import Iterator
from typing import NamedTuple

from torch import Tensor

from sluice_cells.cell import State
from sluice_cells.packing import Lengths, as_lengths
from sluice_cells.stack import Stack


class Chunk(NamedTuple):
    """A stretch of time that gradients flow through."""

    steps: slice
    """Which steps of the whole, as in `targets[:, chunk.steps]`."""
    outputs: Tensor
    """`[batch, steps, output_size]`, zero past each length."""
    lengths: Tensor
    """`[batch]` int64: how many of these steps each sequence has; 0 once it has ended."""
    state: list[State]
    """Of every cell after the chunk, without gradient: where the next one starts."""


def chunks(
    stack: Stack,
    inputs: Tensor,
    lengths: Lengths | None = None,
    *,
    size: int,
    state: list[State] | None = None,
) -> Iterator[Chunk]:
    """Run a stack over `size` steps at a time (Williams and Peng 1990).

    All outputs are those of the whole run, but a gradient reaches back to its chunk's first step only, so that
    memory and time of a backward pass depend on `size`, not on the length:

        for chunk in chunks(stack, inputs, lengths, size=50):
            loss(chunk.outputs, targets[:, chunk.steps], chunk.lengths).backward()

    The graph of a chunk is its own from the stack's inputs upward. Layers below the stack that have run over all
    of `inputs` once must be differentiated once: add the chunks' losses up, or run these layers chunk by chunk.
    Variational dropout draws its masks anew in each chunk.

    Args:
        stack: of one direction.
        inputs: `[batch, time, input_size]`.
        lengths: `[batch]` steps of each sequence, whole numbers; all of `time` if not given.
        size: steps of a chunk; the last may have fewer.
        state: where to start: an earlier `Chunk.state`, to go on with longer sequences, or one to be learned,
            which gets the first chunk's gradient. Zeros if not given.

    Yields:
        As many chunks as the longest sequence needs. A sequence that has ended keeps its state.

    Raises:
        ValueError: the stack reads backward too, which needs the whole; or `size` is less than 1, or inputs,
            lengths or state do not fit the stack.
    """
    if any(len(list(directions.children())) > 1 for directions in stack.layers):
        raise ValueError(
            "a bidirectional stack cannot run in chunks: its backward direction starts at each sequence's end"
        )
    if size < 1:
        raise ValueError(f"a chunk has at least 1 step, not {size}")
    longest = stack._packing(inputs, lengths).steps  # which checks inputs and lengths before anything runs
    steps = [longest] * inputs.shape[0] if lengths is None else lengths
    return _run(stack, inputs[:, :longest], as_lengths(steps), size, state)


def _run(
    stack: Stack, inputs: Tensor, lengths: Tensor, size: int, state: list[State] | None
) -> Iterator[Chunk]:
    for start in range(0, inputs.shape[1], size):
        steps = slice(start, min(start + size, inputs.shape[1]))
        left = (lengths - start).clamp(0, steps.stop - start)
        outputs, final = stack(inputs[:, steps], left, state)
        state = [tuple(part.detach() for part in parts) for parts in final]
        yield Chunk(steps, outputs, left, state)
