"""Layers of recurrent cells over time, in one direction or both, exact with padding."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

CELLS: dict[str, Callable[..., nn.RNNBase]] = {"lstm": nn.LSTM, "gru": nn.GRU, "elman": nn.RNN}


class Stack(nn.Module):
    """Recurrent layers over padded sequences of different lengths.

    Each direction of a layer is a forward pass of torch's own kernel; the backward direction reads every
    sequence reversed within its own length (Graves and Schmidhuber 2005). So no state ever passes through
    padding, which is exact without packing: on a CPU, torch's packed kernels cost several times the padded.
    """

    def __init__(
        self,
        cell: str,
        input_size: int,
        hidden_size: int,
        *,
        layers: int = 1,
        bidirectional: bool = False,
        dropout: float = 0.0,
        layer_norm: bool = False,
    ) -> None:
        """Build a stack.

        Args:
            cell: a name in `CELLS`.
            input_size: features of each input step.
            hidden_size: units of each direction; the output has `hidden_size * directions` features.
            layers: how many layers, each fed by the one below.
            bidirectional: read each sequence both ways and join the two outputs.
            dropout: share of a layer's outputs dropped, after every layer but the last.
            layer_norm: normalize each layer's output (Ba et al. 2016).

        Raises:
            ValueError: the cell's name is unknown.
        """
        super().__init__()
        if cell not in CELLS:
            raise ValueError(f"unknown cell {cell!r}; there are {', '.join(CELLS)}")
        directions = 2 if bidirectional else 1
        self.output_size = hidden_size * directions
        sizes = [input_size] + [self.output_size] * (layers - 1)
        self.forwards = nn.ModuleList(CELLS[cell](size, hidden_size, batch_first=True) for size in sizes)
        self.backwards = nn.ModuleList(
            CELLS[cell](size, hidden_size, batch_first=True) for size in sizes if bidirectional
        )
        self.norms = nn.ModuleList(nn.LayerNorm(self.output_size) for _ in sizes if layer_norm)
        self.dropout = nn.Dropout(dropout)
        for rnn in [*self.forwards, *self.backwards]:
            _initialize(rnn)

    def forward(self, inputs: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Run all layers.

        Args:
            inputs: `[batch, time, features]`; what stands past a length is never read.
            lengths: `[batch]` int64 steps of each sequence; the whole of `time` if not given.

        Returns:
            `[batch, time, output_size]`, zero past each length.
        """
        if inputs.dim() != 3:
            raise ValueError(f"inputs must be [batch, time, features], not {list(inputs.shape)}")
        steps = torch.arange(inputs.shape[1], device=inputs.device)
        if lengths is None:
            lengths = torch.full((inputs.shape[0],), inputs.shape[1], device=inputs.device)
        valid = steps < lengths[:, None]  # [batch, time]
        inside = valid[:, :, None].to(inputs.dtype)
        reversal = torch.where(valid, lengths[:, None] - 1 - steps, steps)  # [batch, time], its own inverse
        outputs = inputs
        for layer, forwards in enumerate(self.forwards):
            if layer:
                outputs = self.dropout(outputs)
            outputs = self._layer(layer, forwards, outputs, reversal)
            if self.norms:
                outputs = self.norms[layer](outputs)
            outputs = outputs * inside
        return outputs

    def _layer(self, layer: int, forwards: nn.Module, inputs: Tensor, reversal: Tensor) -> Tensor:
        outputs = forwards(inputs)[0]
        if not self.backwards:
            return outputs
        backwards = self.backwards[layer](_reorder(inputs, reversal))[0]
        return torch.cat([outputs, _reorder(backwards, reversal)], dim=2)


def _reorder(sequences: Tensor, order: Tensor) -> Tensor:
    """Rows of `[batch, time, features]` in the order `[batch, time]`; whole rows are copied, both ways."""
    batch, time, features = sequences.shape
    rows = order + torch.arange(batch, device=order.device)[:, None] * time
    return (
        sequences.reshape(batch * time, features).index_select(0, rows.flatten()).view(batch, time, features)
    )


def _initialize(rnn: nn.Module) -> None:
    """Orthogonal recurrence (Saxe et al. 2014), Glorot input, forget gate open (Jozefowicz et al. 2015)."""
    for name, parameter in rnn.named_parameters():
        if name.startswith("weight_hh"):
            for gate in parameter.data.chunk(parameter.shape[0] // parameter.shape[1]):
                nn.init.orthogonal_(gate)
        elif name.startswith("weight_ih"):
            nn.init.xavier_uniform_(parameter)
        else:
            nn.init.zeros_(parameter)
            if isinstance(rnn, nn.LSTM) and name.startswith("bias_ih"):
                hidden = rnn.hidden_size
                parameter.data[hidden : 2 * hidden] = 1.0
