"""The Jordan network, whose recurrence reads its own last output."""

from types import SimpleNamespace
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from sluice_cells.cell import Cell, Linear, State


class Jordan(Cell):
    """h' = tanh(W x + U y + b) with the last output y = f(V h + c), f being the identity or softmax (Jordan 1986).

    The recurrence reads the network's last output, which for a tagger are the probabilities of the previous label
    (Mesnil et al. 2013). The state is h, from which y follows, so that the outputs of all steps are computed at once.
    With linear outputs the loop needs one product instead of two: U y = (U V) h + U c. A loop that computes the
    read-out anyway has y of the previous step, and does not need U V.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        *,
        output_size: int | None = None,
        output: Literal["linear", "softmax"] = "linear",
    ) -> None:
        """Create the cell; `output_size` is `hidden_size` if not given.

        Raises:
            ValueError: `output` is neither "linear" nor "softmax".
        """
        if output not in ("linear", "softmax"):
            raise ValueError(f"a Jordan cell's output is linear or softmax, not {output!r}")
        size = hidden_size if output_size is None else output_size
        super().__init__(input_size, hidden_size, output_size=size)
        self.output = output
        # U V has hidden * hidden weights, U and V each hidden * output.
        self.joined = output == "linear" and 2 * size >= hidden_size
        self.feedback_weight = nn.Parameter(torch.empty(hidden_size, size))
        self.output_weight = nn.Parameter(torch.empty(size, hidden_size))
        self.output_bias = nn.Parameter(torch.empty(size))
        self.reset_parameters()

    def weights(self) -> SimpleNamespace:
        """Return the parameters; with linear outputs U V and b + U c take the place of U, V and b."""
        weights = super().weights()
        if self.joined:
            weights.loop_weight = self.feedback_weight @ self.output_weight
            weights.loop_bias = torch.addmv(self.bias, self.feedback_weight, self.output_bias)
        return weights

    def weights_in_loop(self) -> SimpleNamespace:
        """Return the parameters, with U and V as two matrices."""
        return super().weights()

    def step(self, projected: Tensor, state: State, weights: SimpleNamespace) -> tuple[Tensor, State]:
        """Compute one time step; the state is h `[batch, hidden]`, at first 0, so that y = f(c)."""
        (hidden,) = state
        if hasattr(weights, "loop_weight"):
            heard, bias = functional.linear(hidden, weights.loop_weight), weights.loop_bias
        else:
            output = functional.linear(hidden, weights.output_weight, weights.output_bias)
            if self.output == "softmax":
                output = torch.softmax(output, -1)
            heard, bias = functional.linear(output, weights.feedback_weight), weights.bias
        hidden = torch.tanh(projected + heard + bias)
        return hidden, (hidden,)

    def read_out(self, outputs: Tensor, linear: Linear = functional.linear) -> Tensor:
        """Compute the outputs y `[rows, output]` from h."""
        outputs = linear(outputs, self.output_weight, self.output_bias)
        return torch.softmax(outputs, -1) if self.output == "softmax" else outputs
