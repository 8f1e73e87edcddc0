"""Convert torch's recurrent modules into stacks, and stacks into torch's recurrent modules."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from sluice_cells.cell import Cell
from sluice_cells.elman import Elman
from sluice_cells.engines.native import NATIVE, load_torch_weights, torch_weights
from sluice_cells.gru import GRU
from sluice_cells.lstm import LSTM
from sluice_cells.projected_lstm import ProjectedLSTM
from sluice_cells.stack import Stack


def from_torch(module: nn.RNNBase) -> Stack:
    """Return a stack that computes the same as a recurrent module of torch.

    Layers, directions, projection, dropout, type, device and training mode are kept. The two biases of torch become
    one, their sum (except for the new gate of the GRU); a module without bias gets biases of zero.

    >>> len(from_torch(torch.nn.LSTM(3, 5, num_layers=2)).layers)
    2

    Args:
        module: an `nn.LSTM`, an `nn.GRU`, or an `nn.RNN` with tanh. Whatever its `batch_first` is, the
            stack's batches are `[batch, time, features]`.

    Raises:
        ValueError: no cell computes what the module does.
    """
    cell, options = _cell_of(module)
    stack = Stack(
        cell,
        module.input_size,
        module.hidden_size,
        layers=module.num_layers,
        bidirectional=module.bidirectional,
        dropout=module.dropout,
        **options,
    )
    first = module.all_weights[0][0]
    stack.to(device=first.device, dtype=first.dtype).train(module.training)
    for each, parameters in zip(_cells(stack), module.all_weights, strict=True):
        weights: list[Tensor] = list(parameters)
        if not module.bias:
            none = torch.zeros_like(each.bias)
            weights = [*weights[:2], none, none, *weights[2:]]
        load_torch_weights(each, weights)
    return stack


def to_torch(stack: Stack) -> nn.RNNBase:
    """Return a recurrent module of torch that computes the same as a stack, `batch_first`, with copies of its weights.

    Raises:
        ValueError: no module of torch computes the same; the message says why.
    """
    cells = _cells(stack)
    reason = _without_counterpart(stack, cells)
    if reason:
        raise ValueError(f"torch has no module for this stack: {reason}")
    options: dict[str, Any] = {}
    if isinstance(cells[0], ProjectedLSTM):
        options["proj_size"] = cells[0].output_size
    make: Callable[..., nn.RNNBase] = NATIVE[type(cells[0])]
    module = make(
        stack.input_size,
        cells[0].hidden_size,
        num_layers=len(stack.layers),
        bidirectional=len(cells) > len(stack.layers),
        dropout=stack.drop_share if len(stack.layers) > 1 else 0.0,
        batch_first=True,
        **options,
    )
    module.to(device=cells[0].bias.device, dtype=cells[0].bias.dtype).train(stack.training)
    with torch.no_grad():
        for cell, weights in zip(cells, module.all_weights, strict=True):
            for theirs, ours in zip(weights, torch_weights(cell), strict=True):
                theirs.copy_(ours)
    return module


def _without_counterpart(stack: Stack, cells: list[Cell]) -> str | None:
    """Return why no module of torch computes the same as a stack; None if one does."""
    kinds = {type(cell) for cell in cells}
    if len(kinds) > 1 or not kinds <= NATIVE.keys():
        names = ", ".join(sorted(kind.__name__ for kind in kinds))
        return f"its cells are {names}; torch has {', '.join(kind.__name__ for kind in NATIVE)}"
    if stack.residual:
        return "it has residual connections"
    if stack.norms:
        return "it has layer normalization"
    if stack.variational and stack.drop_share:
        return "it has variational dropout"
    if isinstance(cells[0], ProjectedLSTM) and cells[0].output_size >= cells[0].hidden_size:
        return "its projection is not narrower than its hidden units"
    return None


def _cells(stack: Stack) -> list[Cell]:
    """Return all cells in torch's order: layer by layer, the forward one first."""
    return [cell for cell in stack.modules() if isinstance(cell, Cell)]


def _cell_of(module: nn.Module) -> tuple[type[Cell], dict[str, Any]]:
    """Return the class of the cell that computes the same as a module, and its options."""
    if isinstance(module, nn.LSTM):
        return (ProjectedLSTM, {"projection_size": module.proj_size}) if module.proj_size else (LSTM, {})
    if isinstance(module, nn.GRU):
        return GRU, {}
    if isinstance(module, nn.RNN):
        if module.nonlinearity != "tanh":
            raise ValueError(
                f"no cell has the nonlinearity {module.nonlinearity} of this nn.RNN, but only tanh"
            )
        return Elman, {}
    raise ValueError(f"{type(module).__name__} is none of nn.LSTM, nn.GRU and nn.RNN")
