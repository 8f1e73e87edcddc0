"""A stack among torch's own tools: what they do to a module, or make of one, they do to a stack."""

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call

from sluice_cells import Stack
from tests.sluice_cells.variants import needs_compiler

LENGTHS = torch.tensor([7, 4, 2])
BATCH, TIME, INPUT, HIDDEN = 3, 7, 12, 16

some_cells = pytest.mark.parametrize("cell", ["lstm", "gru_reset_before", "jordan", "clockwork"])
pytestmark = [
    needs_compiler,  # all is about the fast engine's kernels, which torch does not know
    pytest.mark.filterwarnings("ignore:.*jit.* is deprecated:DeprecationWarning"),
]


def draw_inputs() -> Tensor:
    return torch.randn(BATCH, TIME, INPUT, generator=torch.Generator().manual_seed(1))


def make(cell: str, engine: str = "auto", **settings: bool) -> Stack:
    torch.manual_seed(0)
    return Stack(cell, INPUT, HIDDEN, engine=engine, **settings)


def gradients(stack: nn.Module) -> dict[str, Tensor]:
    return {
        name: parameter.grad for name, parameter in stack.named_parameters() if parameter.grad is not None
    }


@pytest.mark.parametrize("size", [16, 17])  # 17 leaves the input's product to a function of our own
@pytest.mark.parametrize("batch", [3, 32])  # of 32 a fused kernel takes care
@some_cells
def test_a_gradient_of_the_fast_engines_gradient_is_refused(cell: str, size: int, batch: int) -> None:
    stack = Stack(cell, INPUT, size, engine="fast")
    inputs = torch.randn(batch, TIME, INPUT, requires_grad=True)
    loss = stack(inputs)[0].square().sum()
    (plain,) = torch.autograd.grad(loss, inputs, retain_graph=True)
    (gradient,) = torch.autograd.grad(loss, inputs, create_graph=True)
    assert torch.equal(gradient, plain)
    with pytest.raises(RuntimeError, match="the fast engine differentiates once; set the stack's engine to"):
        (loss + gradient.square().sum()).backward()  # else the penalty would be left out, and nothing said


@some_cells
def test_functions_of_torch_func_differentiate_as_often_as_they_like(cell: str) -> None:
    stack, inputs = make(cell), draw_inputs()

    def loss(given: Tensor) -> Tensor:
        return stack(given, LENGTHS)[0].square().sum()

    _, found = torch.func.jvp(torch.func.grad(loss), (inputs,), (inputs,))
    stack.engine = "reference"
    _, expected = torch.autograd.functional.hvp(loss, inputs, inputs)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


@some_cells
def test_gradients_of_each_sequence_add_up_to_the_batchs(cell: str) -> None:
    stack, inputs = make(cell), draw_inputs()
    parameters = {name: each.detach() for name, each in stack.named_parameters()}

    def loss(parameters: dict[str, Tensor], sequence: Tensor) -> Tensor:
        return functional_call(stack, parameters, (sequence[None],))[0].square().sum()

    each = torch.func.vmap(torch.func.grad(loss), (None, 0))(parameters, inputs)
    stack(inputs)[0].square().sum().backward()
    for name, gradient in gradients(stack).items():
        assert each[name].shape == (BATCH, *gradient.shape)
        torch.testing.assert_close(each[name].sum(0), gradient, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("engine", ["fast", "native", "reference"])
def test_weights_may_be_given_from_outside(engine: str) -> None:
    stack, inputs = make("lstm", engine), draw_inputs()
    doubled = {name: 2 * each.detach() for name, each in stack.named_parameters()}
    found, _ = functional_call(stack, doubled, (inputs, LENGTHS))
    with torch.no_grad():
        for parameter in stack.parameters():
            parameter *= 2
    torch.testing.assert_close(found, stack(inputs, LENGTHS)[0])


@pytest.mark.parametrize("engine", ["auto", "reference"])
@pytest.mark.parametrize("name", ["input_weight", "recurrent_weight"])
@pytest.mark.parametrize("cell", ["lstm", "gru_reset_before", "clockwork"])
def test_weights_may_be_parametrized(cell: str, name: str, engine: str) -> None:
    stack, plain, inputs = make(cell, engine), make(cell, engine), draw_inputs()
    nn.utils.parametrizations.weight_norm(next(iter(stack.layers[0])), name)
    found, expected = stack(inputs, LENGTHS)[0], plain(inputs, LENGTHS)[0]
    torch.testing.assert_close(found, expected)
    found.square().sum().backward()
    expected.square().sum().backward()
    size, direction = (gradients(stack)[f"layers.0.0.parametrizations.{name}.original{n}"] for n in range(2))
    weight = plain.get_parameter(f"layers.0.0.{name}")
    along = (weight.grad * weight).sum(1, keepdim=True) / weight.norm(dim=1, keepdim=True)
    torch.testing.assert_close(size, along, rtol=1e-4, atol=1e-5)  # Salimans and Kingma (2016), equation 3
    assert direction.isfinite().all() and direction.abs().sum() > 0


class Outputs(nn.Module):
    """A model with a stack in it."""

    def __init__(self, stack: Stack) -> None:
        super().__init__()
        self.stack = stack

    def forward(self, inputs: Tensor) -> Tensor:
        return self.stack(inputs * 2)[0].tanh()


@some_cells
def test_a_compiled_model_trains(cell: str) -> None:
    model, inputs = Outputs(make(cell, bidirectional=True)), draw_inputs()
    found = torch.compile(model, backend="eager")(inputs)
    found.square().sum().backward()
    compiled = gradients(model)
    model.zero_grad()
    expected = model(inputs)
    expected.square().sum().backward()
    assert torch.equal(found, expected)
    for name, gradient in gradients(model).items():
        assert torch.equal(compiled[name], gradient)
    alone = torch.compile(model.stack.outputs, backend="eager")(inputs, LENGTHS)
    assert torch.equal(alone, model.stack.outputs(inputs, LENGTHS))


@pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning")  # what is recorded is for one shape
@pytest.mark.parametrize(
    ("cell", "time"),  # 7: the batch is known from elsewhere, whatever the cell
    [("lstm", 7), ("lstm", 11), ("gru_reset_before", 11), ("jordan", 11), ("clockwork", 11)],
)
def test_a_model_can_be_exported_and_traced(cell: str, time: int) -> None:
    model = Outputs(make(cell, bidirectional=True)).eval()
    example, inputs = torch.randn(2, BATCH, time, INPUT)
    model(torch.randn(BATCH, 7, INPUT))
    exported = torch.export.export(model, (example,), strict=False).module()
    traced = torch.jit.trace(model, (example,))
    expected = model(inputs)
    for made in (exported, traced):
        torch.testing.assert_close(made(inputs), expected)


@pytest.fixture
def default_device() -> Iterator[None]:
    """Tensors are made where there is no memory for them, unless it is said where."""
    torch.set_default_device("meta")
    yield
    torch.set_default_device(None)


@pytest.mark.parametrize("engine", ["fast", "native", "reference"])
def test_the_default_device_is_not_asked(engine: str, default_device: None) -> None:
    with torch.device("cpu"):
        stack = make("lstm", engine, bidirectional=True)
        inputs = torch.randn(6, 19, INPUT, generator=torch.Generator("cpu").manual_seed(0))
        lengths = torch.arange(1, 7)
    for given in (None, lengths, [1, 2, 3, 4, 5, 6]):
        outputs, _ = stack(inputs, given)
        assert outputs.device.type == "cpu" and outputs.isfinite().all()
