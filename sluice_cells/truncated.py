"""Truncated back-propagation through time: long sequences in chunks, the state carried on without its gradient."""

from collections.abc import Iterator
from typing import NamedTuple

from torch import Tensor

from sluice_cells.cell import State
from sluice_cells.packing import Lengths, as_lengths
from sluice_cells.stack import Stack


class Chunk(NamedTuple):
    """The outputs of some consecutive steps, through which gradients flow."""

    steps: slice
    """Which steps of the sequences, as in `targets[:, chunk.steps]`."""
    outputs: Tensor
    """`[batch, steps, output_size]`, zero past each length."""
    lengths: Tensor
    """`[batch]` int64: how many of these steps each sequence has; 0 once it has ended."""
    state: list[State]
    """The state of every cell after the chunk, without gradient; the next chunk starts from it."""


def chunks(
    stack: Stack,
    inputs: Tensor,
    lengths: Lengths | None = None,
    *,
    size: int,
    state: list[State] | None = None,
) -> Iterator[Chunk]:
    """Run a stack over `size` steps at a time (Williams and Peng 1990).

    The outputs are the same as those of one run over all steps, but gradients reach back only to the first step of
    their chunk, so that memory and time of a backward pass depend on `size`, not on the length:

        for chunk in chunks(stack, inputs, lengths, size=50):
            loss(chunk.outputs, targets[:, chunk.steps], chunk.lengths).backward()

    Each chunk has its own graph, from the stack's inputs upward. If layers below the stack have computed all of
    `inputs` in one run, their graph can be differentiated only once: sum the losses of the chunks, or run these layers
    chunk by chunk. Variational dropout draws new masks in each chunk.

    Args:
        stack: a stack with one direction.
        inputs: `[batch, time, input_size]`.
        lengths: `[batch]` steps of each sequence, whole numbers; all of `time` if not given.
        size: steps of a chunk; the last may have fewer.
        state: the initial state: an earlier `Chunk.state`, to continue sequences, or a learned one, which gets the
            gradient of the first chunk. Zeros if not given.

    Yields:
        As many chunks as the longest sequence needs. A sequence that has ended keeps its state.

    Raises:
        ValueError: the stack is bidirectional, which needs whole sequences; or `size` is less than 1; or inputs,
            lengths or state have wrong shapes.
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
