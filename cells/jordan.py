"""The network that remembers what it said."""

from types import SimpleNamespace
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from cells.cell import Cell, State


class Jordan(Cell):
    """h = tanh(W x + U y + b), y' = f(V h + c), f being the identity or softmax (Jordan 1986).

    The memory is the network's own last output. For a tagger whose outputs are the labels' probabilities that
    is the label just given (Mesnil et al. 2013).
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        *,
        output_size: int | None = None,
        output: Literal["linear", "softmax"] = "linear",
    ) -> None:
        """Make the cell; `output_size` is `hidden_size` if not given.

        Raises:
            ValueError: `output` is neither "linear" nor "softmax".
        """
        if output not in ("linear", "softmax"):
            raise ValueError(f"a Jordan cell's output is linear or softmax, not {output!r}")
        size = hidden_size if output_size is None else output_size
        super().__init__(input_size, hidden_size, state_sizes=(size,), output_size=size)
        self.output = output
        self.feedback_weight = nn.Parameter(torch.empty(hidden_size, size))
        self.output_weight = nn.Parameter(torch.empty(size, hidden_size))
        self.output_bias = nn.Parameter(torch.empty(size))
        self.reset_parameters()

    def step(self, projected: Tensor, state: State, weights: SimpleNamespace) -> tuple[Tensor, State]:
        """State: the last output y `[batch, output]`."""
        (output,) = state
        heard = functional.linear(output, weights.feedback_weight)
        hidden = torch.tanh(projected + heard + weights.bias)
        output = functional.linear(hidden, weights.output_weight, weights.output_bias)
        if self.output == "softmax":
            output = torch.softmax(output, -1)
        return output, (output,)
