"""Run cells over time by compiled kernels, within autograd."""

import logging
from functools import partial
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional

from cells.cell import Cell, State
from cells.engines.fast.compiler import CompilerError
from cells.engines.fast.kernel import Kernel
from cells.engines.fast.symbols import CannotTrace
from cells.packing import Packing

logger = logging.getLogger(__name__)


_Settings = tuple[tuple[str, Any], ...]
_kernels: "WeakKeyDictionary[Cell, dict[_Settings, Kernel | str]]" = WeakKeyDictionary()


def _kernel(cell: Cell) -> Kernel | str:
    """A cell's kernel, or why it has none."""
    kernels, settings = _kernels.setdefault(cell, {}), _settings(cell)
    if settings not in kernels:
        kernels[settings] = kernel = _compiled(cell)
        if isinstance(kernel, str):
            _warn_once(type(cell).__name__, kernel)
    return kernels[settings]


def _settings(cell: Cell) -> _Settings:
    """Numbers and words that a cell has about itself, whether it trains among them: the step may go by each."""
    return tuple((name, value) for name, value in vars(cell).items() if isinstance(value, int | float | str))


def _compiled(cell: Cell) -> Kernel | str:
    with torch.no_grad():
        projected = cell.project(cell.input_weight.new_zeros(1, cell.input_size)).shape[1]
    try:
        return Kernel(cell, projected)
    except CannotTrace as error:
        return f"its step cannot be compiled: {error}"
    except CompilerError as error:
        return str(error)


def _warn_once(cell: str, reason: str) -> None:
    if reason not in _warned:
        _warned.add(reason)
        logger.warning("%s runs without the fast engine: %s", cell, reason)


_warned: set[str] = set()


def obstacle(cell: Cell, inputs: Tensor) -> str | None:
    """Why the fast engine cannot run a cell on these inputs; None if it can. Compiles the cell if need be."""
    if inputs.device.type != "cpu":
        return f"it runs on a CPU, not on {inputs.device.type}"
    if inputs.dtype != torch.float32:
        return f"it computes in float32, not {str(inputs.dtype).removeprefix('torch.')}"
    kernel = _kernel(cell)
    return kernel if isinstance(kernel, str) else None


def run_fast(
    cell: Cell, inputs: Tensor, packing: Packing, state: State, reverse: bool, want_state: bool
) -> tuple[Tensor, State]:
    """Run a cell over time; see `cells.engines.Engine`. Differentiable once."""
    kernel = _kernel(cell)
    assert isinstance(kernel, Kernel)  # choose_engine has asked for obstacles
    linear = partial(_linear, kernel)
    projected = cell.project(inputs, linear).float().contiguous()
    weights = vars(cell.weights())
    tensors = [weights[name].float().contiguous() for name in kernel.names]
    states = [part.float().contiguous() for part in state]
    threads = torch.get_num_threads()
    run = (kernel, packing, threads, reverse)
    if torch.is_grad_enabled() and any(each.requires_grad for each in (projected, *states, *tensors)):
        output, *final = _OverTime.apply(run, projected, *states, *tensors)
    else:
        output, *final = _forward(run, projected, states, tensors, {})
    return cell.read_out(output, linear), tuple(final)


ALIGNED = 8
"""BLAS is slow to make a result whose width is not a multiple of this: our own product takes two thirds of its time."""


class _Product(torch.autograd.Function):
    """`functional.linear` without a bias, in which neither result nor gradient suffers from its width."""

    @staticmethod
    def forward(ctx: Any, kernel: Kernel, rows: Tensor, weight: Tensor) -> Tensor:
        ctx.kernel = kernel
        ctx.save_for_backward(rows, weight)
        if weight.shape[0] % ALIGNED:
            return kernel.rows_times(rows, weight, torch.get_num_threads())
        return rows @ weight.t()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        rows, weight = ctx.saved_tensors
        gradient = gradient.contiguous()
        below = None
        if ctx.needs_input_grad[1]:
            if weight.shape[1] % ALIGNED:
                below = ctx.kernel.rows_times(gradient, weight, torch.get_num_threads(), transposed=True)
            else:
                below = gradient @ weight
        return None, below, gradient.t() @ rows


def _linear(kernel: Kernel, rows: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """`functional.linear`, at full speed for every width."""
    if torch.is_autocast_enabled("cpu"):
        return functional.linear(rows, weight, bias)
    if any(size % ALIGNED for size in weight.shape):
        product = _Product.apply(kernel, rows.contiguous(), weight.contiguous())
    else:
        product = rows @ weight.t()
    # BLAS given a bias writes it to every row first, which takes as long as the product of a small matrix.
    return product if bias is None else product.add_(bias)


def _forward(
    run: tuple[Kernel, Packing, int, bool],
    projected: Tensor,
    states: list[Tensor],
    tensors: list[Tensor],
    keep: dict[Any, Tensor],
) -> list[Tensor]:
    """Output rows and final states; fills `keep`, if it is not empty, for the backward pass."""
    kernel, packing, threads, reverse = run
    output = projected.new_empty(packing.rows, kernel.step.output.width)
    final = [torch.empty_like(part) for part in states]
    arrays: dict[Any, Tensor] = {("projected", 0): projected, ("output", 0): output, **keep}
    arrays |= {("initial", place): part for place, part in enumerate(states)}
    arrays |= {("final", place): part for place, part in enumerate(final)}
    arrays |= kernel.packed(kernel.forward, dict(zip(kernel.names, tensors, strict=True)))
    kernel.call(kernel.forward, arrays, packing, threads, reverse)
    return [output, *final]


class _OverTime(torch.autograd.Function):
    """All steps of one cell in one direction, with back-propagation through time."""

    @staticmethod
    def forward(
        ctx: Any, run: tuple[Kernel, Packing, int, bool], projected: Tensor, *rest: Tensor
    ) -> tuple[Tensor, ...]:
        kernel, packing, _, _ = run
        count = len(kernel.step.states)
        keep: dict[Any, Tensor] = {
            ("kept", place): projected.new_empty(packing.rows, node.width)
            for place, node in kernel.kept_apart.items()
        }
        results = _forward(run, projected, list(rest[:count]), list(rest[count:]), keep)
        ctx.run = run
        kept = [
            keep.get(("kept", place), results[0] if node is kernel.step.output else projected)
            for place, node in enumerate(kernel.kept)
        ]
        ctx.save_for_backward(*rest[count:], *kept)
        return tuple(results)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_output: Tensor, *d_final: Tensor) -> tuple[Tensor | None, ...]:
        kernel, packing, threads, reverse = ctx.run
        weights = dict(zip(kernel.names, ctx.saved_tensors, strict=False))
        kept = ctx.saved_tensors[len(kernel.names) :]
        final = [part.contiguous() for part in d_final]
        initial = [torch.empty_like(part) for part in final]
        # Gradients of the projected input and of products, row by row; often one and the same.
        widths: dict[Any, int] = {
            key: node.width
            for key, (_, _, node) in zip(kernel.product_arrays, kernel.gradient.products, strict=True)
            if node.operation != "output_gradient"
        }
        if kernel.gradient.projected is not None:
            widths["projected_gradient", 0] = kernel.step.projected
        rows = {key: d_output.new_empty(packing.rows, width) for key, width in widths.items()}
        totals = {
            name: torch.zeros(threads, node.width, dtype=torch.float64)
            for name, node in kernel.gradient.vectors.items()
        }
        rows["output_gradient", 0] = d_output.contiguous()
        arrays: dict[Any, Tensor] = {**rows}
        arrays |= {("kept", place): part for place, part in enumerate(kept)}
        arrays |= {("initial", place): part for place, part in enumerate(final)}
        arrays |= {("final", place): part for place, part in enumerate(initial)}
        arrays |= {("total", name): total for name, total in totals.items()}
        arrays |= kernel.packed(kernel.backward, weights)
        kernel.call(kernel.backward, arrays, packing, threads, reverse)
        gradients = {name: total.sum(0).float() for name, total in totals.items()}
        place_of = {id(node): place for place, node in enumerate(kernel.kept)}
        for key, (name, source, _) in zip(kernel.product_arrays, kernel.gradient.products, strict=True):
            part = rows[key].t() @ kept[place_of[id(source)]]
            gradients[name] = gradients[name] + part if name in gradients else part
        return (
            None,
            rows.get(("projected_gradient", 0)),
            *initial,
            *(gradients.get(name) for name in kernel.names),
        )
