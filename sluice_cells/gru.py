"""Gated recurrent units, with the reset gate applied before or after the recurrent product."""

from types import SimpleNamespace

import torch
from torch import Tensor, nn
from torch.nn import functional

from sluice_cells.cell import Cell, State


class GRU(Cell):
    """Gated recurrent unit with the reset gate applied after the recurrent product, as in cuDNN and torch.

    r, z = sigmoid(W x + R h + b)
    n = tanh(W x + b + r (R h + b_h))
    h' = (1 - z) n + z h

    The gates are in torch's order: r, z, n.
    """

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__(input_size, hidden_size, gates=3)
        self.recurrent_weight = nn.Parameter(torch.empty(3 * hidden_size, hidden_size))
        self.recurrent_bias = nn.Parameter(torch.empty(hidden_size))
        self.reset_parameters()

    def step(self, projected: Tensor, state: State, weights: SimpleNamespace) -> tuple[Tensor, State]:
        """Compute one time step; the state is h `[batch, hidden]`."""
        (hidden,) = state
        reset_x, update_x, new_x = (projected + weights.bias).chunk(3, -1)
        reset_h, update_h, new_h = functional.linear(hidden, weights.recurrent_weight).chunk(3, -1)
        reset = torch.sigmoid(reset_x + reset_h)
        update = torch.sigmoid(update_x + update_h)
        new = torch.tanh(new_x + reset * (new_h + weights.recurrent_bias))
        hidden = new + update * (hidden - new)
        return hidden, (hidden,)


class GRUResetBefore(Cell):
    """Gated recurrent unit as first published, with the reset gate applied before the product (Cho et al. 2014).

    r, z = sigmoid(W x + R h + b)
    n = tanh(W x + U (r h) + b)
    h' = (1 - z) n + z h
    """

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__(input_size, hidden_size, gates=3)
        self.recurrent_weight = nn.Parameter(torch.empty(2 * hidden_size, hidden_size))
        self.recurrent_candidate = nn.Parameter(torch.empty(hidden_size, hidden_size))
        self.reset_parameters()

    def step(self, projected: Tensor, state: State, weights: SimpleNamespace) -> tuple[Tensor, State]:
        """Compute one time step; the state is h `[batch, hidden]`."""
        (hidden,) = state
        reset_x, update_x, new_x = (projected + weights.bias).chunk(3, -1)
        reset_h, update_h = functional.linear(hidden, weights.recurrent_weight).chunk(2, -1)
        reset = torch.sigmoid(reset_x + reset_h)
        update = torch.sigmoid(update_x + update_h)
        new = torch.tanh(new_x + functional.linear(reset * hidden, weights.recurrent_candidate))
        hidden = new + update * (hidden - new)
        return hidden, (hidden,)
