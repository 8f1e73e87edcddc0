"""Check that a cell keeps its contract, and that every engine computes the same of it."""

import copy
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.autograd.gradcheck import GradcheckError, gradcheck, gradgradcheck

from sluice_cells.cell import Cell
from sluice_cells.engines import ENGINES, choose_engine
from sluice_cells.random_trial import RandomTrial, Results, draw_trial, results, run_cell
from sluice_cells.registry import make_cell

EXACT = 1e-9
"""Allowed difference, relative to the largest value, between float64 sums in different orders."""
CLOSE = 1e-5
"""Allowed difference, relative to the largest value, between an engine in float32 and the reference in float64."""

SMALL = 0.1
"""A gradient smaller than this share of the largest one is compared relative to that share instead of its own size,
because a sum whose terms cancel is small by chance while its rounding error is not."""


class CellError(AssertionError):
    """A cell breaks its contract, or an engine does not agree with the reference."""


def check_cell(
    cell: str | type[Cell] | Cell,
    *,
    input_size: int = 3,
    hidden_sizes: Sequence[int] = (4, 1, 17, 40),
    engines: Sequence[str] | None = None,
    device: str = "cpu",
    seed: int = 0,
    **options: Any,
) -> tuple[str, ...]:
    """Check a cell as the library checks its own; a test of a new cell needs no more than this call.

    The checks are:

    - sizes and weights are as declared, and `reset_parameters` initializes every parameter;
    - first and second gradients agree with finite differences (float64);
    - sequences of different lengths that run together, forward and reverse, from states other than zero, give the same
      as each does alone, and zeros past its length;
    - a sequence fed in chunks gives the same as the whole;
    - every engine that can run the cell agrees with the reference in outputs, final states and all gradients (float32,
      within 1e-5 of the largest value, with 1 and 2 threads).

    >>> check_cell("elman", hidden_sizes=[4], engines=["native"])
    ('native',)

    Args:
        cell: a name, a class, or an instance, which is not changed.
        input_size: features of an input step, for a name or class.
        hidden_sizes: units to try, for a name or class; gradients are checked with the first alone.
        engines: which to compare with the reference; all that can run the cell if not given.
        device: where to run.
        seed: determines all random numbers; the random state of torch is left as it was.
        options: passed on to the cell's class.

    Returns:
        The engines that were compared with the reference. An engine that cannot run the cell is skipped unless it was
        asked for, so a test that relies on an engine checks that it is among them.

    Raises:
        CellError: a check fails; the message names the cell, the check and the largest difference.
        ValueError: an engine that was asked for cannot run the cell.
    """
    with torch.random.fork_rng(devices=[] if device == "cpu" else None):
        torch.manual_seed(seed)
        if isinstance(cell, Cell):
            cells = [copy.deepcopy(cell)]
        else:
            cells = [make_cell(cell, input_size, size, **options) for size in hidden_sizes]
        for each in cells:
            _check_reset(each)
            each.to(device=device, dtype=torch.float64)
            _check_sizes(each)
            disturb(each)
        _check_chunks(draw_trial(cells[0], [6, 2, 0, 5]))
        for reverse in (False, True):
            _check_sequences_alone(draw_trial(cells[0], [4, 1, 0, 3], reverse=reverse))
        _check_gradients(draw_trial(cells[0], [3, 2]))
        names = tuple(name for name in ENGINES if name != "reference") if engines is None else tuple(engines)
        return tuple(name for name in names if _check_engine(cells, name, asked_for=engines is not None))


def compare_engine(trial: RandomTrial, engine: str, *, want_state: bool = True, threads: int = 1) -> None:
    """Compare a trial run on an engine in float32, with this many threads, with the reference in float64.

    Outputs, final states (if wanted) and gradients may differ by 1e-5 of the largest value. Where a cell amplifies
    rounding errors beyond that, as a normalization over two units does, 10 times the error of the reference itself in
    float32 is allowed.

    Raises:
        CellError: they differ by more.
        ValueError: the engine cannot run the cell.
    """
    with _threads(threads):
        found = results(trial, engine, want_state=want_state)
    with _threads(1):
        expected = results(trial.to(torch.float64), want_state=want_state)
        allowed = CLOSE
        if largest_difference(expected, found)[0] > CLOSE:
            rounding, _ = largest_difference(expected, results(trial, want_state=want_state))
            allowed = max(CLOSE, 10 * rounding)
    _expect_equal(trial.cell, f"the {engine} engine agrees with the reference", expected, found, allowed)


def largest_difference(expected: Results, found: Results) -> tuple[float, str]:
    """Return the largest difference, relative to the largest value expected, and the name of the tensor that has it."""
    worst, where = 0.0, ""
    for kind in (False, True):  # outputs and states; gradients
        tensors = {
            name: each for name, each in expected.items() if ("gradient" in name) == kind and each.numel()
        }
        least = SMALL * max((float(each.abs().max()) for each in tensors.values()), default=0.0)
        for name, right in tensors.items():
            size = max(float(right.abs().max()), least)
            difference = float((found[name] - right).abs().max())
            relative = difference / size if size else difference
            relative = math.inf if math.isnan(relative) else relative
            if relative > worst:
                worst, where = relative, name
    return worst, where


def _expect_equal(cell: Cell, check: str, expected: Results, found: Results, allowed: float) -> None:
    worst, where = largest_difference(expected, found)
    if worst > allowed:
        size = f"is {worst:.1e} of the largest value; at most {allowed:.0e} is allowed"
        _fail(cell, check, f"the largest difference, of {where}, {size}")


def disturb(cell: Cell) -> None:
    """Change every parameter a little, so that one that is initialized to 0 or 1 cannot hide a mistake."""
    for parameter in cell.parameters():
        parameter.data += 0.3 / parameter.shape[-1] ** 0.5 * torch.randn_like(parameter)


@contextmanager
def _threads(count: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _fail(cell: Cell, check: str, what: str) -> None:
    raise CellError(f"{type(cell).__name__}({cell.extra_repr()}): {check}: {what}")


def _check_reset(cell: Cell) -> None:
    for parameter in cell.parameters():
        parameter.data.fill_(math.nan)
    cell.reset_parameters()
    for name, parameter in cell.named_parameters():
        if not parameter.isfinite().all():
            _fail(cell, "reset_parameters draws every parameter", f"{name} is not finite after it")


def _check_sizes(cell: Cell) -> None:
    check, batch = "sizes are as declared", 4
    inputs = next(cell.parameters()).new_ones(batch, cell.input_size)
    for name, weight in vars(cell.weights()).items():
        if not isinstance(weight, Tensor) or weight.dim() not in (1, 2):
            form = list(weight.shape) if isinstance(weight, Tensor) else type(weight).__name__
            _fail(cell, check, f"weight {name} is no vector and no matrix, but {form}")
    projected = cell.project(inputs)
    if projected.dim() != 2 or projected.shape[0] != batch:
        _fail(cell, check, f"project gives {list(projected.shape)} for {batch} rows, not [{batch}, features]")
    state = cell.initial_state(batch, inputs)
    output, new = cell.step(projected, state, cell.weights())
    declared = [(f"state_sizes[{number}]", size) for number, size in enumerate(cell.state_sizes)]
    for source, parts in (("initial_state", state), ("step", new)):
        if len(parts) != len(declared):
            _fail(cell, check, f"{source} gives a state of {len(parts)} tensors, state_sizes {len(declared)}")
        for part, (name, size) in zip(parts, declared, strict=True):
            _check_tensor(cell, check, f"{source}'s state", part, name, (batch, size), inputs.dtype)
    output = cell.read_out(output)
    _check_tensor(cell, check, "the output", output, "output_size", (batch, cell.output_size), inputs.dtype)


def _check_tensor(
    cell: Cell, check: str, what: str, tensor: Tensor, name: str, shape: tuple[int, int], dtype: torch.dtype
) -> None:
    if tensor.shape != shape:
        _fail(cell, check, f"{what} is {list(tensor.shape)}, but {name} says {list(shape)}")
    if tensor.dtype != dtype:
        _fail(cell, check, f"{what} is {tensor.dtype} for inputs in {dtype}")
    if not tensor.isfinite().all():
        _fail(cell, check, f"{what} is not finite after one step")


def _check_sequences_alone(trial: RandomTrial) -> None:
    direction = "in reverse" if trial.reverse else "forward"
    check = f"a sequence in a batch equals the sequence alone ({direction})"
    together = results(trial)
    each = [results(trial.select(sequence)) for sequence in range(len(trial.lengths))]
    parameters = {f"the gradient of {name}" for name, _ in trial.cell.named_parameters()}
    alone = {}
    for name in together:
        parts = [one[name] for one in each]
        alone[name] = torch.stack(parts).sum(0) if name in parameters else torch.cat(parts)
    _expect_equal(trial.cell, check, alone, together, EXACT)
    outputs = together["the outputs"]
    past = torch.arange(outputs.shape[1]) >= trial.lengths[:, None]
    if outputs[past.to(outputs.device)].any():
        _fail(trial.cell, check, "the outputs past a length are not zero")


def _check_chunks(trial: RandomTrial, chunk: int = 2) -> None:
    with torch.no_grad():
        whole, final = run_cell(trial.cell, trial.inputs, trial.lengths, trial.state, False)
        outputs, state = [], trial.state
        for start in range(0, trial.inputs.shape[1], chunk):
            part = trial.inputs[:, start : start + chunk]
            lengths = (trial.lengths - start).clamp(0, part.shape[1])
            output, state = run_cell(trial.cell, part, lengths, state, False)
            outputs.append(output)
    expected = {"the outputs": whole, **{f"final state {n}": part for n, part in enumerate(final)}}
    found = {
        "the outputs": torch.cat(outputs, 1),
        **{f"final state {n}": part for n, part in enumerate(state)},
    }
    _expect_equal(trial.cell, "a sequence fed in chunks equals the whole", expected, found, EXACT)


def _check_gradients(trial: RandomTrial) -> None:
    cell = trial.cell
    inputs = trial.inputs.nan_to_num().requires_grad_()
    state = tuple(part.detach().requires_grad_() for part in trial.state)
    outputs, _ = run_cell(cell, inputs, trial.lengths, state, False)
    reached = torch.autograd.grad(outputs.sum(), state, allow_unused=True)
    # A part that moves no output smoothly, such as a clock, has no gradient to check.
    smooth = [part for part, gradient in zip(state, reached, strict=True) if gradient is not None]
    parameters = dict(cell.named_parameters())
    leaves = (inputs, *smooth, *parameters.values())

    def function(*_: Tensor) -> tuple[Tensor, ...]:  # of the leaves, which torch changes in place
        outputs, final = run_cell(cell, inputs, trial.lengths, state, False)
        return outputs, *final

    names = ["inputs", *(f"initial state {number}" for number in range(len(smooth))), *parameters]
    for check, run in (("gradients", gradcheck), ("gradients of gradients", gradgradcheck)):
        try:
            run(function, leaves, fast_mode=True)
        except (GradcheckError, RuntimeError) as error:
            _fail(cell, f"{check} equal finite differences (inputs are {', '.join(names)})", str(error))


def _check_engine(cells: list[Cell], name: str, *, asked_for: bool) -> bool:
    """Compare an engine with the reference, and return whether it could run any of the cells."""
    ran = False
    for cell in cells:
        narrow = copy.deepcopy(cell).float()
        try:
            choose_engine(name, narrow, next(narrow.parameters()).new_zeros(1, cell.input_size))
        except ValueError:
            if asked_for:
                raise
            continue
        # The last is enough for the fast engine's fused kernel.
        for number, lengths in enumerate(([7, 0, 3, 12, 1], [9], [5, 5, 5], [3], [4, 0, 6, 2, 6, 5, 1])):
            for reverse in (False, True):
                trial = draw_trial(narrow, lengths, reverse=reverse)
                compare_engine(trial, name, want_state=(number + reverse) % 2 == 0, threads=1 + number % 2)
        ran = True
    return ran
