"""The structurally constrained recurrent network, which has slow context units."""

import math
from types import SimpleNamespace

import torch
from torch import Tensor, nn
from torch.nn import functional

from sluice_cells.cell import Cell, Linear, State


class SCRN(Cell):
    """Structurally constrained recurrent network (Mikolov et al. 2015, "Learning longer memory").

    s' = (1 - a) B x + a s
    h' = sigmoid(P s' + A x + R h + b)
    output: h' and s', concatenated

    The context units s change slowly; a is one fixed number, or a learned sigmoid for each unit.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        *,
        context_size: int | None = None,
        decay: float = 0.95,
        learn_decay: bool = False,
    ) -> None:
        """Create the cell.

        Args:
            input_size: features of one input step.
            hidden_size: fast units h.
            context_size: slow units s; a quarter of `hidden_size` if not given.
            decay: a, or its initial value if it is learned.
            learn_decay: learn a for each context unit.

        Raises:
            ValueError: `decay` is not between 0 and 1.
        """
        if not 0 < decay < 1:
            raise ValueError(f"SCRN's decay is between 0 and 1, not {decay}")
        size = max(1, hidden_size // 4) if context_size is None else context_size
        super().__init__(
            input_size, hidden_size, state_sizes=(hidden_size, size), output_size=hidden_size + size
        )
        self.context_input_weight = nn.Parameter(torch.empty(size, input_size))
        self.context_weight = nn.Parameter(torch.empty(hidden_size, size))
        self.recurrent_weight = nn.Parameter(torch.empty(hidden_size, hidden_size))
        self.decay = decay
        self.decay_logit = nn.Parameter(torch.empty(size)) if learn_decay else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Initialize the parameters randomly; a learned decay starts at `decay`."""
        super().reset_parameters()
        if self.decay_logit is not None:
            self.decay_logit.data.fill_(math.log(self.decay / (1 - self.decay)))

    def project(self, inputs: Tensor, linear: Linear = functional.linear) -> Tensor:
        """Compute A x and B x, concatenated."""
        return linear(inputs, torch.cat([self.input_weight, self.context_input_weight]))

    def weights(self) -> SimpleNamespace:
        """Add the decay a."""
        weights = super().weights()
        if self.decay_logit is None:
            weights.decay = self.bias.new_full((self.state_sizes[1],), self.decay)
        else:
            weights.decay = torch.sigmoid(self.decay_logit)
        return weights

    def step(self, projected: Tensor, state: State, weights: SimpleNamespace) -> tuple[Tensor, State]:
        """Compute one time step; the state is h `[batch, hidden]` and s `[batch, context]`."""
        hidden, context = state
        hidden_x, context_x = projected.split([hidden.shape[-1], context.shape[-1]], -1)
        context = context_x + weights.decay * (context - context_x)
        heard = functional.linear(context, weights.context_weight)
        heard = heard + functional.linear(hidden, weights.recurrent_weight)
        hidden = torch.sigmoid(hidden_x + heard + weights.bias)
        return torch.cat([hidden, context], -1), (hidden, context)
