"""The clockwork RNN, whose modules of units update at different rates."""

import math
from collections.abc import Sequence
from types import SimpleNamespace

import torch
from torch import Tensor, nn
from torch.nn import functional

from sluice_cells.cell import Cell, State


class Clockwork(Cell):
    """A simple recurrent network of modules with periods T_g; at step t = 0, 1, … only those with t mod T_g = 0 update.

    h'_g = tanh(W_g x + sum over modules k with T_k >= T_g of R_gk h_k + b_g)   if t mod T_g = 0, else h_g

    (Koutnik et al. 2014). A module reads itself and the slower ones, so the recurrent matrix is block triangular.
    Each sequence's clock starts at its own first step, which is its last one in the backward direction. The clock is
    part of the state, so it continues in a stream that is fed in chunks.
    """

    def __init__(self, input_size: int, hidden_size: int, *, periods: Sequence[int] = (1, 2, 4, 8)) -> None:
        """Create the cell; the units are divided among the modules as evenly as possible, fast modules first.

        Raises:
            ValueError: a period is not a positive whole number, or there are more modules than units.
        """
        super().__init__(input_size, hidden_size, state_sizes=(hidden_size, 1))
        if not periods or any(period != int(period) or period < 1 for period in periods):
            raise ValueError(f"clock periods are whole numbers of steps from 1 up, not {list(periods)}")
        if len(periods) > hidden_size:
            raise ValueError(f"{len(periods)} modules need at least as many units, not {hidden_size}")
        self.periods = tuple(sorted(int(period) for period in periods))
        modules = [unit * len(periods) // hidden_size for unit in range(hidden_size)]
        each = torch.tensor([self.periods[module] for module in modules])
        # Whole numbers stay exact when the cell is cast to half precision.
        self.register_buffer("unit_periods", each, persistent=False)
        # A float counts steps exactly up to 2^24; where the pattern repeats before, the clock starts again.
        self.register_buffer("cycle", torch.tensor([min(math.lcm(*self.periods), 2**24)]), persistent=False)
        self.register_buffer("heard", (each[:, None] <= each[None, :]).float(), persistent=False)
        self.recurrent_weight = nn.Parameter(torch.empty(hidden_size, hidden_size))
        self.reset_parameters()

    def weights(self) -> SimpleNamespace:
        """Add the masked recurrent matrix, and the periods as floats, which the clock is, too."""
        weights = super().weights()
        weights.unit_periods, weights.cycle = weights.unit_periods.float(), weights.cycle.float()
        weights.heard_weight = self.recurrent_weight * weights.heard
        return weights

    def initial_state(self, batch: int, like: Tensor) -> State:
        """Return zeros; beside a state in half precision the clock is in float32, since bfloat16 counts only to 256."""
        hidden, clock = super().initial_state(batch, like)
        return hidden, clock.to(torch.promote_types(clock.dtype, torch.float32))

    def step(self, projected: Tensor, state: State, weights: SimpleNamespace) -> tuple[Tensor, State]:
        """Compute one time step; the state is h `[batch, hidden]` and the clock `[batch, 1]`."""
        hidden, clock = state
        ticks = torch.remainder(clock, weights.unit_periods) == 0
        new = torch.tanh(projected + functional.linear(hidden, weights.heard_weight) + weights.bias)
        hidden = torch.where(ticks, new, hidden)
        return hidden, (hidden, torch.remainder(clock + 1, weights.cycle))
