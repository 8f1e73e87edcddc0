"""The engine that uses torch's own kernels, for the cells that torch has: oneDNN on a CPU, cuDNN on CUDA."""

from collections.abc import Callable
from typing import Any, cast

import torch
from torch import Tensor, nn

from sluice_cells.cell import Cell, State
from sluice_cells.elman import Elman
from sluice_cells.gru import GRU
from sluice_cells.lstm import LSTM
from sluice_cells.packing import Packing
from sluice_cells.projected_lstm import ProjectedLSTM

NATIVE: dict[type[Cell], type[nn.RNNBase]] = {
    LSTM: nn.LSTM,
    ProjectedLSTM: nn.LSTM,
    GRU: nn.GRU,
    Elman: nn.RNN,
}


def native_obstacle(cell: Cell) -> str | None:
    """Return why torch cannot run a cell; None if it can."""
    if type(cell) not in NATIVE:
        return "torch has no kernel for it"
    if isinstance(cell, ProjectedLSTM) and cell.output_size >= cell.hidden_size:
        return "torch projects to fewer features only"
    return None


def torch_weights(cell: Cell) -> list[Tensor]:
    """Return a cell's weights in the order and form of torch: W, R, their two biases, and a projection.

    The cell's bias is the first of the two biases; the second is zero, except for the GRU's new gate.
    """
    second = torch.zeros_like(cell.bias)
    if isinstance(cell, GRU):
        second = torch.cat([second[: 2 * cell.hidden_size], cell.recurrent_bias])
    recurrent = cast("Tensor", cell.recurrent_weight)
    projection = [cell.projection_weight] if isinstance(cell, ProjectedLSTM) else []
    return [cell.input_weight, recurrent, cell.bias, second, *projection]


def load_torch_weights(cell: Cell, weights: list[Tensor]) -> None:
    """Copy weights in torch's order and form into a cell."""
    bias, second = weights[2].detach(), weights[3].detach()
    if isinstance(cell, GRU):
        new = second[2 * cell.hidden_size :]
        cell.recurrent_bias.data.copy_(new)
        bias = bias + torch.cat([second[: 2 * cell.hidden_size], torch.zeros_like(new)])
    else:
        bias = bias + second
    cell.input_weight.data.copy_(weights[0])
    cast("Tensor", cell.recurrent_weight).data.copy_(weights[1])
    cell.bias.data.copy_(bias)
    if isinstance(cell, ProjectedLSTM):
        cell.projection_weight.data.copy_(weights[4])


_KERNELS: dict[type[nn.RNNBase], Callable[..., Any]] = {
    nn.LSTM: torch.lstm,
    nn.GRU: torch.gru,
    nn.RNN: torch.rnn_tanh,
}


def run_native(
    cell: Cell, inputs: Tensor, packing: Packing, state: State, reverse: bool, want_state: bool
) -> tuple[Tensor, State | None]:
    """Run a cell over time with torch's kernel; see `sluice_cells.engines.Engine`."""
    kernel = _KERNELS[NATIVE[type(cell)]]
    weights = torch_weights(cell)
    # Torch's kernels read forward only, so a backward pass reads each sequence reversed within its length.
    rows = packing.reverse(inputs) if reverse else inputs
    ends: State | None
    if packing.ragged and (inputs.is_cuda or want_state):
        outputs, ends = _run_packed(kernel, rows, packing, state, weights)
    else:
        # On a CPU torch's packed kernel takes several times the padded one's time. Padding stands at the end,
        # where it is read too late to matter; only the final state is then not that of each sequence's end.
        padded = packing.pad(rows)
        outputs, *final = kernel(padded, _hidden(state), weights, True, 1, 0.0, False, False, False)
        outputs = packing.take(outputs)
        ends = None if packing.ragged else tuple(part[0] for part in final)
    return (packing.reverse(outputs) if reverse else outputs), ends


def _hidden(state: State) -> Any:
    """Return a state in the form of torch's kernels: `[1, batch, size]`, a pair for the LSTM."""
    parts = tuple(part[None].contiguous() for part in state)
    return parts if len(parts) > 1 else parts[0]


def _run_packed(
    kernel: Callable[..., Any], rows: Tensor, packing: Packing, state: State, weights: list[Tensor]
) -> tuple[Tensor, State]:
    """Run sequences of different lengths as packed rows, with the final state of each."""
    alive = int(packing.batch_sizes[0])  # those of length 0 stand last
    hidden = _hidden(tuple(part[:alive] for part in state))
    outputs, *final = kernel(rows, packing.batch_sizes, hidden, weights, True, 1, 0.0, False, False)
    ends = tuple(torch.cat([new[0], old[alive:]]) for new, old in zip(final, state, strict=True))
    return outputs, ends
