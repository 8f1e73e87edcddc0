"""Long short-term memory."""

from types import SimpleNamespace

import torch
from torch import Tensor, nn
from torch.nn import functional

from sluice_cells.cell import Cell, State


class LSTM(Cell):
    """Long short-term memory (Hochreiter and Schmidhuber 1997) with a forget gate (Gers et al. 2000).

    i, f, o = sigmoid(W x + R h + b), g = tanh(W x + R h + b), each with its own weights
    c' = f c + i g
    h' = o tanh(c')

    The gates are in torch's order: i, f, g, o.
    """

    forget_gate = 1

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__(input_size, hidden_size, gates=4, state_sizes=(hidden_size, hidden_size))
        self.recurrent_weight = nn.Parameter(torch.empty(4 * hidden_size, hidden_size))
        self.reset_parameters()

    def step(self, projected: Tensor, state: State, weights: SimpleNamespace) -> tuple[Tensor, State]:
        """Compute one time step; the state is h and c `[batch, hidden]`."""
        hidden, memory = state
        gates = projected + functional.linear(hidden, weights.recurrent_weight) + weights.bias
        i, f, g, o = gates.chunk(4, -1)
        memory = torch.sigmoid(f) * memory + torch.sigmoid(i) * torch.tanh(g)
        hidden = torch.sigmoid(o) * torch.tanh(memory)
        return hidden, (hidden, memory)
