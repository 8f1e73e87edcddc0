"""LSTM whose gates read the memory cell (peephole connections)."""

from types import SimpleNamespace

import torch
from torch import Tensor, nn
from torch.nn import functional

from sluice_cells.cell import Cell, State


class PeepholeLSTM(Cell):
    """LSTM with diagonal connections from the memory to the gates (Gers and Schmidhuber 2000; Graves 2013).

    i = sigmoid(W x + R h + p_i c + b), f = sigmoid(W x + R h + p_f c + b), g = tanh(W x + R h + b)
    c' = f c + i g
    o = sigmoid(W x + R h + p_o c' + b)
    h' = o tanh(c')

    The input and forget gates read the old memory, the output gate the new one.
    """

    forget_gate = 1

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__(input_size, hidden_size, gates=4, state_sizes=(hidden_size, hidden_size))
        self.recurrent_weight = nn.Parameter(torch.empty(4 * hidden_size, hidden_size))
        self.input_peephole = nn.Parameter(torch.empty(hidden_size))
        self.forget_peephole = nn.Parameter(torch.empty(hidden_size))
        self.output_peephole = nn.Parameter(torch.empty(hidden_size))
        self.reset_parameters()

    def step(self, projected: Tensor, state: State, weights: SimpleNamespace) -> tuple[Tensor, State]:
        """Compute one time step; the state is h and c `[batch, hidden]`."""
        hidden, memory = state
        gates = projected + functional.linear(hidden, weights.recurrent_weight) + weights.bias
        i, f, g, o = gates.chunk(4, -1)
        i = torch.sigmoid(i + weights.input_peephole * memory)
        f = torch.sigmoid(f + weights.forget_peephole * memory)
        memory = f * memory + i * torch.tanh(g)
        hidden = torch.sigmoid(o + weights.output_peephole * memory) * torch.tanh(memory)
        return hidden, (hidden, memory)
