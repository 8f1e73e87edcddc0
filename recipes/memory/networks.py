"""A recurrent layer and a linear readout, as wide as a number of parameters allows."""

from typing import Any

from torch import Tensor, nn

from sluice_cells import Stack
from sluice_cells.clockwork import Clockwork


class Network(nn.Module):
    """One layer of a cell, read out at every step."""

    def __init__(
        self, cell: str, input_size: int, hidden_size: int, output_size: int, **options: Any
    ) -> None:
        super().__init__()
        self.stack = Stack(cell, input_size, hidden_size, **options)
        self.readout = nn.Linear(self.stack.output_size, output_size)

    @property
    def cell(self) -> Any:
        """The recurrent cell itself."""
        return self.stack.get_submodule("layers.0.0")

    def forward(self, inputs: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Read inputs `[batch, time, input_size]`, and return outputs `[batch, time, output_size]`."""
        return self.readout(self.stack.outputs(inputs, lengths))

    @property
    def parameter_count(self) -> int:
        """The number of parameters that have an effect, without the weights that a Clockwork module ignores."""
        silent = int((self.cell.get_buffer("heard") == 0).sum()) if isinstance(self.cell, Clockwork) else 0
        return sum(parameter.numel() for parameter in self.parameters()) - silent


def widest(cell: str, input_size: int, output_size: int, parameters: int, **options: Any) -> Network:
    """Return the widest network of a cell with at most so many parameters, drawn by torch's global seed.

    Raises:
        ValueError: even the narrowest network has more parameters.
    """
    hidden = max(1, len(options.get("periods", [])))
    best: Network | None = None
    while (
        network := Network(cell, input_size, hidden, output_size, **options)
    ).parameter_count <= parameters:
        best, hidden = network, hidden + 1
    if best is None:
        raise ValueError(f"{cell} has at least {network.parameter_count} parameters, more than {parameters}")
    return best
