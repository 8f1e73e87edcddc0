"""LSTM with layer normalization inside the step."""

from types import SimpleNamespace

import torch
from torch import Tensor, nn
from torch.nn import functional

from sluice_cells.cell import Cell, Linear, State


class LayerNormLSTM(Cell):
    """LSTM whose sums are normalized over the units of each step (Ba et al. 2016, equations 20 to 22).

    (i, f, g, o) = N(W x; s_x) + N(R h; s_h) + b
    c' = sigmoid(f) c + sigmoid(i) tanh(g)
    h' = sigmoid(o) tanh(N(c'; s_c) + b_c)

    N(v; s) is s (v - mean v) / sqrt(var v + 1e-5). The memory of the next step is c' itself, not its normalization.
    """

    forget_gate = 1

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__(input_size, hidden_size, gates=4, state_sizes=(hidden_size, hidden_size))
        self.recurrent_weight = nn.Parameter(torch.empty(4 * hidden_size, hidden_size))
        self.input_scale = nn.Parameter(torch.empty(4 * hidden_size))
        self.recurrent_scale = nn.Parameter(torch.empty(4 * hidden_size))
        self.memory_scale = nn.Parameter(torch.empty(hidden_size))
        self.memory_bias = nn.Parameter(torch.empty(hidden_size))
        self.reset_parameters()

    def project(self, inputs: Tensor, linear: Linear = functional.linear) -> Tensor:
        """Compute the normalized W x, with the bias."""
        summed = linear(inputs, self.input_weight)
        return functional.layer_norm(summed, summed.shape[-1:], self.input_scale, self.bias)

    def step(self, projected: Tensor, state: State, weights: SimpleNamespace) -> tuple[Tensor, State]:
        """Compute one time step; the state is h and c `[batch, hidden]`."""
        hidden, memory = state
        summed = functional.linear(hidden, weights.recurrent_weight)
        gates = projected + functional.layer_norm(summed, summed.shape[-1:], weights.recurrent_scale)
        i, f, g, o = gates.chunk(4, -1)
        memory = torch.sigmoid(f) * memory + torch.sigmoid(i) * torch.tanh(g)
        shown = functional.layer_norm(memory, memory.shape[-1:], weights.memory_scale, weights.memory_bias)
        hidden = torch.sigmoid(o) * torch.tanh(shown)
        return hidden, (hidden, memory)
