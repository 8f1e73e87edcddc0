"""The contract of a recurrent cell, which is one time step written in plain torch and nothing else."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

State = tuple[Tensor, ...]
Linear = Callable[..., Tensor]
"""`functional.linear`, or a function that computes the same."""


class Cell(nn.Module):
    """One step of a recurrent network; a `Stack` runs it over layers, directions and sequences of any lengths.

    A new cell derives from this class, makes its parameters in `__init__` and writes its equation in `step`.
    The input's part of the equation, `project`, is computed for all steps at once as one matrix product; what
    remains for `step` is the recurrence. What no later step needs may be left to `read_out`, which again runs once
    for all steps. The step is plain torch, over rows `[batch, size]`:

        class Elman(Cell):
            def __init__(self, input_size, hidden_size):
                super().__init__(input_size, hidden_size)
                self.recurrent_weight = nn.Parameter(torch.empty(hidden_size, hidden_size))
                self.reset_parameters()

            def step(self, projected, state, weights):
                (hidden,) = state
                heard = functional.linear(hidden, weights.recurrent_weight)
                hidden = torch.tanh(projected + heard + weights.bias)
                return hidden, (hidden,)

    The fast engine reads the step by calling it with symbols. It knows arithmetic, comparisons and logic,
    `torch.where`, `maximum`, `clamp`, `sigmoid`, `tanh`, `relu`, `silu`, `exp`, `sqrt`, `floor`, `remainder` and
    their like, `chunk`, `split`, `cat` and ranges (`gates[..., :size]`), `linear` with weights that the step is given,
    `softmax`, `layer_norm`, and `sum` and `mean` over the last dimension. A step that needs more runs on the reference
    engine. It reads `project` and `read_out` as well, since a small cell runs as a whole in its loop. Numbers that the
    step takes from attributes are compiled in. Make one that changes often a buffer, because the step is compiled
    anew for each of its values.
    """

    forget_gate: int | None = None  # which gate of `bias` starts at 1, if any

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        *,
        gates: int = 1,
        state_sizes: tuple[int, ...] | None = None,
        output_size: int | None = None,
    ) -> None:
        """Create the input weights.

        Args:
            input_size: features of one input step.
            hidden_size: units.
            gates: how many times `hidden_size` the projected input is wide.
            state_sizes: width of each tensor of the state; one of `hidden_size` if not given.
            output_size: width of the output; `hidden_size` if not given.

        Raises:
            ValueError: a size is not positive.
        """
        super().__init__()
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.state_sizes = (hidden_size,) if state_sizes is None else state_sizes
        self.output_size = hidden_size if output_size is None else output_size
        for size in (input_size, hidden_size, *self.state_sizes, self.output_size):
            if size < 1:
                raise ValueError(f"a cell's sizes must be at least 1, not {size}")
        self.input_weight = nn.Parameter(torch.empty(gates * hidden_size, input_size))
        self.bias = nn.Parameter(torch.empty(gates * hidden_size))

    def project(self, inputs: Tensor, linear: Linear = functional.linear) -> Tensor:
        """Compute the input's part of the equation for all steps at once: `[rows, input_size]` to `[rows, projected]`.

        The bias is not part of it, because the step adds it to a sum that it computes anyway. `linear` is the matrix
        product of the engine that runs the cell.
        """
        return linear(inputs, self.input_weight)

    def weights(self) -> SimpleNamespace:
        """Return what `step` reads besides input and state: the cell's parameters and buffers by name.

        It is called once for a whole pass. A cell whose step needs a function of its parameters (a masked matrix, a
        decay between 0 and 1) adds it here, so that it is not computed again at every step. Only vectors `[size]` and
        matrices `[out, in]` are allowed.
        """
        own: dict[str, Any] = {**self._parameters, **self._buffers}
        if "parametrizations" in self._modules:  # torch's own, such as `weight_norm`
            own |= {name: getattr(self, name) for name in cast("nn.ModuleDict", self.parametrizations)}
        return SimpleNamespace(**own)

    def weights_in_loop(self) -> SimpleNamespace:
        """Return `weights` for an engine that computes the read-out inside its loop.

        A cell overrides it if a product that it precomputes in `weights` saves nothing there.
        """
        return self.weights()

    def step(self, projected: Tensor, state: State, weights: SimpleNamespace) -> tuple[Tensor, State]:
        """Compute one time step.

        Args:
            projected: `[batch, projected]`, this step's rows of `project`.
            state: tensors `[batch, size]`, one for each of `state_sizes`.
            weights: what `weights()` returned.

        Returns:
            The output `[batch, output_size]` (or what `read_out` computes the output from), and the next state.
        """
        raise NotImplementedError(f"{type(self).__name__} has no step")

    def read_out(self, outputs: Tensor, linear: Linear = functional.linear) -> Tensor:
        """Compute the outputs `[rows, output_size]` of all steps from what `step` returned; by default the same."""
        return outputs

    def initial_state(self, batch: int, like: Tensor) -> State:
        """Return a state of zeros `[batch, size]`, of the type and on the device of `like`."""
        return tuple(like.new_zeros(batch, size) for size in self.state_sizes)

    def reset_parameters(self) -> None:
        """Initialize the parameters randomly.

        Recurrent matrices are orthogonal, gate by gate (Saxe et al. 2014), so that at first no direction of the
        state vanishes or explodes. Other matrices are initialized as by Glorot and Bengio (2010), with all gates as
        one matrix. Biases are 0, except that of the forget gate, which is 1 (Gers et al. 2000, Jozefowicz et al.
        2015). Scales of normalizations are 1.
        """
        for name, parameter in self.named_parameters():
            if parameter.dim() == 2:
                if name.startswith("recurrent"):
                    for gate in parameter.data.split(self.hidden_size):
                        nn.init.orthogonal_(gate)
                else:
                    nn.init.xavier_uniform_(parameter)
            else:
                nn.init.constant_(parameter, 1.0 if name.endswith("scale") else 0.0)
        if self.forget_gate is not None:
            self.bias.data.chunk(self.bias.shape[0] // self.hidden_size)[self.forget_gate].fill_(1.0)

    def extra_repr(self) -> str:
        """Return the sizes, for printing."""
        return f"{self.input_size}, {self.hidden_size}"
