"""Layers of recurrent cells over time, in one direction or both, unaffected by padding."""

from collections.abc import Callable, Iterable
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from sluice_cells.cell import Cell, State
from sluice_cells.dropout import dropout as drop
from sluice_cells.engines import choose_engine
from sluice_cells.packing import Lengths, Packing, as_lengths, packing_of
from sluice_cells.registry import make_cell


class Stack(nn.Module):
    """Recurrent layers over sequences of different lengths.

    Inside, a batch is packed into rows without padding (`Packing`), so that each sequence's outputs, states and
    gradients are the same as if it ran alone, and no time is spent on padding. The backward direction of a layer reads
    every sequence from its own end (Schuster and Paliwal 1997; Graves and Schmidhuber 2005).

    >>> stack = Stack("gru", input_size=3, hidden_size=5, bidirectional=True)
    >>> outputs, state = stack(torch.zeros(2, 7, 3), torch.tensor([7, 4]))
    >>> outputs.shape
    torch.Size([2, 7, 10])
    """

    def __init__(
        self,
        cell: str | type[Cell],
        input_size: int,
        hidden_size: int,
        *,
        layers: int = 1,
        bidirectional: bool = False,
        dropout: float = 0.0,
        variational: bool = False,
        residual: bool = False,
        layer_norm: bool = False,
        engine: str = "auto",
        **options: Any,
    ) -> None:
        """Build a stack.

        Args:
            cell: a name in `CELLS`, or your own class.
            input_size: features of each input step.
            hidden_size: units of each direction.
            layers: how many layers, each fed by the one below.
            bidirectional: read each sequence both ways and join the two outputs.
            dropout: share of a layer's outputs dropped, after every layer but the last.
            variational: drop the same features at all steps of a sequence (Gal and Ghahramani 2016).
            residual: add each layer's input to its output, if their sizes are equal.
            layer_norm: normalize each layer's output (Ba et al. 2016).
            engine: "auto", or a name in `sluice_cells.engines.ENGINES`; the attribute may be changed later.
            options: passed on to the cell, such as `periods` of a Clockwork RNN.

        Raises:
            ValueError: the cell's name is unknown, or a setting makes no sense.
        """
        super().__init__()
        if layers < 1 or not 0 <= dropout < 1:
            raise ValueError(
                f"a stack has at least 1 layer, not {layers}, and dropout in [0, 1), not {dropout}"
            )
        self.engine = engine
        self.residual, self.variational, self.drop_share = residual, variational, dropout
        self.input_size = input_size
        self.layers = nn.ModuleList()
        for _ in range(layers):
            directions = 2 if bidirectional else 1
            cells = [make_cell(cell, input_size, hidden_size, **options) for _ in range(directions)]
            self.layers.append(nn.ModuleList(cells))
            input_size = sum(each.output_size for each in cells)
        self.output_size = input_size
        self.norms = nn.ModuleList(nn.LayerNorm(input_size) for _ in range(layers) if layer_norm)

    @property
    def cells(self) -> list[list[Cell]]:
        """Return the cells of each layer: the forward one and, in a bidirectional stack, the backward one."""
        return [list(cast("Iterable[Cell]", layer)) for layer in self.layers]

    def forward(
        self,
        inputs: Tensor | PackedSequence,
        lengths: Lengths | None = None,
        state: list[State] | None = None,
    ) -> tuple[Any, list[State]]:
        """Run all layers.

        Args:
            inputs: `[batch, time, input_size]`, never read past a length; or a `PackedSequence`, which has its
                own lengths.
            lengths: `[batch]` steps of each sequence, whole numbers from 0 to `time`; all of `time` if not given.
            state: the initial state of each cell, as returned by an earlier call: for every layer the forward and
                then the backward cell's tensors `[batch, size]`. Zeros if not given.

        Returns:
            `[batch, time, output_size]`, zero past each length (or a `PackedSequence`, if one was given), and
            the state of every cell after each sequence's last step; a sequence of length 0 keeps its initial state.
            A NaN in one sequence does not affect the others.

        Raises:
            ValueError: shapes, lengths or states are wrong; the message says which.
        """
        if torch.compiler.is_dynamo_compiling():
            return _as_it_is(self.forward, inputs, lengths, state)
        if isinstance(inputs, PackedSequence):
            if inputs.data.shape[1:] != (self.input_size,):
                raise ValueError(
                    f"packed rows must be [rows, {self.input_size}], not {list(inputs.data.shape)}"
                )
            packing = packing_of(inputs)
            rows, final = self._run(inputs.data, packing, state, True)
            return inputs._replace(data=rows), final
        packing = self._packing(inputs, lengths)
        rows, final = self._run(packing.pack(inputs), packing, state, True)
        return packing.unpack(rows, inputs.shape[1]), final

    def outputs(self, inputs: Tensor, lengths: Lengths | None = None) -> Tensor:
        """Run all layers and return the outputs alone, so that an engine need not compute the final states."""
        if torch.compiler.is_dynamo_compiling():
            return _as_it_is(self.outputs, inputs, lengths)
        packing = self._packing(inputs, lengths)
        return packing.unpack(self._run(packing.pack(inputs), packing, None, False)[0], inputs.shape[1])

    def _packing(self, inputs: Tensor, lengths: Lengths | None) -> Packing:
        if inputs.dim() != 3 or inputs.shape[2] != self.input_size:
            raise ValueError(f"inputs must be [batch, time, {self.input_size}], not {list(inputs.shape)}")
        batch, time = inputs.shape[:2]
        if lengths is None:
            return Packing.whole(batch, time)
        lengths = as_lengths(lengths)
        if lengths.shape != (batch,) or lengths.is_floating_point() or lengths.dtype == torch.bool:
            raise ValueError(
                f"lengths must be {batch} whole numbers, not {lengths.dtype} {list(lengths.shape)}"
            )
        if batch and not 0 <= int(lengths.min()) <= int(lengths.max()) <= time:
            raise ValueError(
                f"lengths must lie in 0 to {time}, the steps of the batch, not {lengths.tolist()}"
            )
        return Packing.of(lengths)

    def _run(
        self, rows: Tensor, packing: Packing, state: list[State] | None, want_state: bool
    ) -> tuple[Tensor, list[State]]:
        """Run all layers over packed rows `[rows, input_size]`."""
        if not rows.is_floating_point():
            raise ValueError(f"inputs must be floating-point numbers, not {rows.dtype}")
        if self.engine in ("auto", "fast") and not rows.is_cuda and torch.is_autocast_enabled("cpu"):
            rows = rows.float()  # autocast is for products; a state that every step adds to stays in float32
        layers = self.cells
        states = iter(self._initial([cell for cells in layers for cell in cells], rows, packing, state))
        final: list[State] = []
        for number, cells in enumerate(layers):
            below = self._drop(rows, packing) if number else rows
            outputs = []
            for direction, cell in enumerate(cells):
                engine = choose_engine(self.engine, cell, below)
                output, end = engine(cell, below, packing, next(states), direction == 1, want_state)
                outputs.append(output)
                if want_state and end is not None:
                    final.append(packing.unsort(end))
            rows = torch.cat(outputs, 1) if len(outputs) > 1 else outputs[0]
            if self.norms:
                rows = self.norms[number](rows)
            if self.residual and rows.shape == below.shape:
                rows = rows + below
        return rows, final

    def _initial(
        self, cells: list[Cell], rows: Tensor, packing: Packing, state: list[State] | None
    ) -> list[State]:
        """Return each cell's initial state, longest sequence first."""
        if state is None:
            return [cell.initial_state(packing.batch, rows) for cell in cells]
        expected = [[(packing.batch, size) for size in cell.state_sizes] for cell in cells]
        given = [[tuple(part.shape) for part in parts] for parts in state]
        if given != expected:
            raise ValueError(f"the state must have the shapes {expected}, not {given}")
        return [packing.sort(parts) for parts in state]

    def _drop(self, rows: Tensor, packing: Packing) -> Tensor:
        if not self.variational or not self.training or not self.drop_share:
            return drop(rows, self.drop_share, self.training)
        mask = drop(rows.new_ones(packing.batch, rows.shape[1]), self.drop_share)
        return rows * mask[packing.row_sequences.to(rows.device)]


@torch._disable_dynamo
def _as_it_is(run: Callable[..., Any], *given: Any) -> Any:
    """Run a stack uncompiled inside a model that `torch.compile` compiles, because its engines are compiled already."""
    return run(*given)
