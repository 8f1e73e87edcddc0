"""Write a recurrent cell of your own, check it, and use it by name.

python examples/own_cell.py
python examples/own_cell.py --engines        # compiles it too, and compares: a few seconds more
"""

import argparse
from types import SimpleNamespace

import torch
from torch import Tensor, nn
from torch.nn.functional import linear

from sluice_cells import Cell, Stack, State, check_cell, register


class MinimalGatedUnit(Cell):
    """f = sigmoid(W x + R h + b), h' = (1 - f) h + f tanh(W x + U (f h) + b) (Zhou et al. 2016)."""

    def __init__(self, input_size: int, hidden_size: int) -> None:
        """Make the weights; those of the input are the base class's."""
        super().__init__(input_size, hidden_size, gates=2)
        self.recurrent_weight = nn.Parameter(torch.empty(hidden_size, hidden_size))
        self.recurrent_candidate = nn.Parameter(torch.empty(hidden_size, hidden_size))
        self.reset_parameters()

    def step(self, projected: Tensor, state: State, weights: SimpleNamespace) -> tuple[Tensor, State]:
        """Take one step; `projected` is W x, computed for all steps at once."""
        (hidden,) = state
        forget_x, new_x = (projected + weights.bias).chunk(2, -1)
        forget = torch.sigmoid(forget_x + linear(hidden, weights.recurrent_weight))
        new = torch.tanh(new_x + linear(forget * hidden, weights.recurrent_candidate))
        hidden = hidden + forget * (new - hidden)
        return hidden, (hidden,)


def main(arguments: list[str] | None = None) -> None:
    """Check the cell, then run two layers of it in both directions."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--engines", action="store_true", help="compare the engines that can run it, too")
    options = parser.parse_args(arguments)

    agreed = check_cell(MinimalGatedUnit, engines=None if options.engines else [])
    print("checked", *(f"and agrees on the {name} engine" for name in agreed))
    register("mgu", MinimalGatedUnit)
    engine = "auto" if options.engines else "reference"
    stack = Stack("mgu", input_size=8, hidden_size=16, layers=2, bidirectional=True, engine=engine)
    outputs, _ = stack(torch.randn(3, 20, 8), torch.tensor([20, 7, 0]))
    print("outputs", list(outputs.shape), "past a length", float(outputs[1, 7:].detach().abs().max()))


if __name__ == "__main__":
    main()
