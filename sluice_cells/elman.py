"""The simple recurrent network."""

from types import SimpleNamespace

import torch
from torch import Tensor, nn
from torch.nn import functional

from sluice_cells.cell import Cell, State


class Elman(Cell):
    """h' = tanh(W x + R h + b) (Elman 1990, "Finding structure in time")."""

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__(input_size, hidden_size)
        self.recurrent_weight = nn.Parameter(torch.empty(hidden_size, hidden_size))
        self.reset_parameters()

    def step(self, projected: Tensor, state: State, weights: SimpleNamespace) -> tuple[Tensor, State]:
        """Compute one time step; the state is h `[batch, hidden]`."""
        (hidden,) = state
        heard = functional.linear(hidden, weights.recurrent_weight)
        hidden = torch.tanh(projected + heard + weights.bias)
        return hidden, (hidden,)
