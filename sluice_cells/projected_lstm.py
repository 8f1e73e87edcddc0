"""LSTM with a projection that makes its recurrence narrower."""

from types import SimpleNamespace

import torch
from torch import Tensor, nn
from torch.nn import functional

from sluice_cells.cell import Cell, State


class ProjectedLSTM(Cell):
    """LSTM whose output and recurrence are a projection of its hidden units (Sak et al. 2014).

    (i, f, g, o) = W x + R r + b
    c' = sigmoid(f) c + sigmoid(i) tanh(g)
    r' = P (sigmoid(o) tanh(c'))
    """

    forget_gate = 1

    def __init__(self, input_size: int, hidden_size: int, *, projection_size: int | None = None) -> None:
        """Create the cell; `projection_size` is half of `hidden_size` if not given."""
        size = max(1, hidden_size // 2) if projection_size is None else projection_size
        super().__init__(input_size, hidden_size, gates=4, state_sizes=(size, hidden_size), output_size=size)
        self.recurrent_weight = nn.Parameter(torch.empty(4 * hidden_size, size))
        self.projection_weight = nn.Parameter(torch.empty(size, hidden_size))
        self.reset_parameters()

    def step(self, projected: Tensor, state: State, weights: SimpleNamespace) -> tuple[Tensor, State]:
        """Compute one time step; the state is r `[batch, projection]` and c `[batch, hidden]`."""
        hidden, memory = state
        gates = projected + functional.linear(hidden, weights.recurrent_weight) + weights.bias
        i, f, g, o = gates.chunk(4, -1)
        memory = torch.sigmoid(f) * memory + torch.sigmoid(i) * torch.tanh(g)
        hidden = functional.linear(torch.sigmoid(o) * torch.tanh(memory), weights.projection_weight)
        return hidden, (hidden, memory)
