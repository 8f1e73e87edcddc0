"""Run cells over time by compiled kernels, within autograd.

A cell has two kernels. The plain kernel computes the recurrence and leaves what can be computed for all steps at once
to `sluice_cells.products`: the input's product, the read-out and the gradients of matrices. That is fastest with large
matrices. With small ones, which stay in the cache together with the rows just computed, calls into torch take a
noticeable part of the time. The fused kernel therefore computes everything inside its loop.
"""

import logging
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor

from sluice_cells.cell import Cell, State
from sluice_cells.compiler import CompilerError
from sluice_cells.double_backward import differentiable_once
from sluice_cells.engines.fast.kernel import Kernel
from sluice_cells.engines.fast.symbols import CannotTrace
from sluice_cells.engines.fast.trace import weights_of
from sluice_cells.packing import Packing
from sluice_cells.products import gradient_of_weight, linear

logger = logging.getLogger(__name__)

ONCE = "the fast engine differentiates once; set the stack's engine to 'reference'"
"""The message of the error when a gradient is differentiated again."""

_Settings = tuple[tuple[str, Any], ...]
_NUMBERS_AND_WORDS = (int, float, str)
_kernels: "WeakKeyDictionary[Cell, dict[tuple[_Settings, bool], Kernel | str]]" = WeakKeyDictionary()


def _kernel(cell: Cell, settings: _Settings, *, fused: bool = False) -> Kernel | str:
    """Return a cell's kernel, or the reason why it has none."""
    kernels, key = _kernels.setdefault(cell, {}), (settings, fused)
    if key not in kernels:
        kernels[key] = kernel = _compiled(cell, fused)
        if isinstance(kernel, str) and not fused:
            _warn_once(type(cell).__name__, kernel)
    return kernels[key]


def _settings(cell: Cell) -> _Settings:
    """Return the numbers and strings among a cell's attributes, on each of which its step may depend."""
    return tuple([each for each in vars(cell).items() if isinstance(each[1], _NUMBERS_AND_WORDS)])


def _compiled(cell: Cell, fused: bool) -> Kernel | str:
    try:
        return Kernel(cell, fused=fused)
    except CannotTrace as error:
        return f"its step cannot be compiled: {error}"
    except CompilerError as error:
        return str(error)


def _warn_once(cell: str, reason: str) -> None:
    if reason not in _warned:
        _warned.add(reason)
        logger.warning("%s runs without the fast engine: %s", cell, reason)


_warned: set[str] = set()

FUSED_ROWS = 6
"""From this number of sequences per thread on, the fused kernel is the faster one, as it reads matrices rarely."""


def obstacle(cell: Cell, inputs: Tensor) -> str | None:
    """Return why the fast engine cannot run a cell on these inputs; None if it can. Compiles the cell if necessary."""
    if inputs.device.type != "cpu":
        return f"it runs on a CPU, not on {inputs.device.type}"
    if inputs.dtype != torch.float32:
        return f"it computes in float32, not {str(inputs.dtype).removeprefix('torch.')}"
    if torch.jit.is_tracing() or torch.compiler.is_compiling():
        return "torch records its steps to run them elsewhere"
    kernel = _kernel(cell, _settings(cell))
    return kernel if isinstance(kernel, str) else None


def run_fast(
    cell: Cell, inputs: Tensor, packing: Packing, state: State, reverse: bool, want_state: bool
) -> tuple[Tensor, State]:
    """Run a cell over time; see `sluice_cells.engines.Engine`. It can be differentiated once."""
    threads = torch.get_num_threads()
    kernel = _chosen(cell, packing, threads)
    given = _plain(inputs if kernel.fused else cell.project(inputs, linear))
    weights = vars(weights_of(cell, kernel.fused))
    tensors = [_plain(weights[name]) for name in kernel.names]
    states = [_plain(part) for part in state]
    run = (kernel, packing, threads, reverse)
    if torch.is_grad_enabled() and any(each.requires_grad for each in (given, *states, *tensors)):
        output, *final = _OverTime.apply(run, given, *states, *tensors)
    else:
        output, *final = _forward(run, given, states, tensors, {})
    return output if kernel.fused else cell.read_out(output, linear), tuple(final)


def _plain(tensor: Tensor) -> Tensor:
    """Return a tensor as contiguous float32; checking first is quicker than calling torch for nothing."""
    if tensor.dtype is torch.float32 and tensor.is_contiguous():
        return tensor
    return tensor.float().contiguous()


def _chosen(cell: Cell, packing: Packing, threads: int) -> Kernel:
    """Return the kernel to run a cell with: the fused one if it is faster."""
    settings = _settings(cell)
    kernel = _kernel(cell, settings)
    assert isinstance(kernel, Kernel)  # choose_engine has asked for obstacles
    if not kernel.small or packing.batch < FUSED_ROWS * threads or torch.is_autocast_enabled("cpu"):
        return kernel
    fused = _kernel(cell, settings, fused=True)
    return fused if isinstance(fused, Kernel) else kernel


def _forward(
    run: tuple[Kernel, Packing, int, bool],
    given: Tensor,
    states: list[Tensor],
    tensors: list[Tensor],
    keep: dict[Any, Tensor],
) -> list[Tensor]:
    """Return output rows and final states; fill `keep`, if it is not empty, for the backward pass."""
    kernel, packing, threads, reverse = run
    output = given.new_empty(packing.rows, kernel.step.output.width)
    final = [torch.empty_like(part) for part in states]
    arrays: dict[Any, Tensor] = {("given", 0): given, ("output", 0): output, **keep}
    arrays |= {("initial", place): part for place, part in enumerate(states)}
    arrays |= {("final", place): part for place, part in enumerate(final)}
    arrays |= {("weight", name): tensor for name, tensor in zip(kernel.names, tensors, strict=True)}
    kernel.call(kernel.forward, arrays, packing, threads, reverse)
    return [output, *final]


class _OverTime(torch.autograd.Function):
    """Run all steps of one cell in one direction, with back-propagation through time."""

    @staticmethod
    def forward(
        ctx: Any, run: tuple[Kernel, Packing, int, bool], given: Tensor, *rest: Tensor
    ) -> tuple[Tensor, ...]:
        kernel, packing, _, _ = run
        count = kernel.states
        keep: dict[Any, Tensor] = {
            ("kept", place): given.new_empty(packing.rows, node.width)
            for place, node in kernel.kept_apart.items()
        }
        record = keep["record", 0] = given.new_empty(packing.rows, kernel.record)
        firsts = dict(enumerate(rest[:count]))
        for place in kernel.first_kept:
            firsts[place] = keep["first", place] = given.new_empty(packing.batch, kernel.step.states[place])
        results = _forward(run, given, list(rest[:count]), list(rest[count:]), keep)
        ctx.run = run
        ctx.set_materialize_grads(False)  # seldom does anything follow from the final states
        kept = [
            keep.get(("kept", place), given if node.operation == "given" else results[0])
            for place, node in enumerate(kernel.kept)
        ]
        ctx.save_for_backward(*rest[count:], *kept, record, *(firsts[place] for place in kernel.first_states))
        return tuple(results)

    @staticmethod
    @differentiable_once(ONCE)
    def backward(ctx: Any, d_output: Tensor | None, *d_final: Tensor | None) -> tuple[Tensor | None, ...]:
        kernel, packing, threads, reverse = ctx.run
        saved = ctx.saved_tensors
        weights = dict(zip(kernel.names, saved, strict=False))
        kept = saved[len(kernel.names) :][: len(kernel.kept)]
        record, *first = saved[len(kernel.names) + len(kept) :]
        states = 2 + len(d_final)
        wanted = dict(zip(kernel.names, ctx.needs_input_grad[states:], strict=True))
        initial = [
            record.new_empty(packing.batch, width) if needed else None
            for width, needed in zip(kernel.step.states, ctx.needs_input_grad[2:states], strict=False)
        ]
        if d_output is None:
            d_output = record.new_zeros(packing.rows, kernel.step.output.width)
        rows = {
            key: record.new_empty(packing.rows, width)
            for key, width in kernel.row_gradients.items()
            if not kernel.fused or ctx.needs_input_grad[1]  # then nothing else is made of it
        }
        gradients = {name: torch.empty_like(weights[name]) for name in kernel.gradients if wanted[name]}
        arrays: dict[Any, Tensor] = {
            ("output_gradient", 0): d_output.contiguous(),
            ("record", 0): record,
            **rows,
        }
        arrays |= {("kept", place): part for place, part in enumerate(kept)}
        arrays |= {("first", place): part for place, part in zip(kernel.first_states, first, strict=True)}
        arrays |= {
            ("initial", place): part.contiguous() for place, part in enumerate(d_final) if part is not None
        }
        arrays |= {("final", place): part for place, part in enumerate(initial) if part is not None}
        arrays |= {("weight", name): weight for name, weight in weights.items()}
        arrays |= {("gradient", name): gradient for name, gradient in gradients.items()}
        kernel.call(kernel.backward, arrays, packing, threads, reverse)
        for name, key, place in kernel.products:
            if wanted[name]:
                part = gradient_of_weight(arrays[key], kept[place])
                gradients[name] = gradients[name] + part if name in gradients else part
        return (
            None,
            rows.get(("given_gradient", 0)),
            *initial,
            *(gradients.get(name) for name in kernel.names),
        )
