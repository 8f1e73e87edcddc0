"""Every engine gives what the reference gives, and says what it cannot run."""

import logging
from collections.abc import Iterator
from types import SimpleNamespace
from unittest.mock import patch

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional

from sluice_cells import CELLS, Cell, Stack, State, make_cell
from sluice_cells.cell import Linear
from sluice_cells.check import compare_engine, disturb
from sluice_cells.elman import Elman
from sluice_cells.engines import choose_engine, fast
from sluice_cells.engines.fast.kernel import Kernel
from sluice_cells.packing import Packing
from sluice_cells.random_trial import draw_trial, results
from tests.sluice_cells.variants import ENGINES_OF_VARIANTS, VARIANTS, fused_kernels, needs_compiler

SIZES = st.sampled_from([1, 7, 8, 15, 16, 17, 31, 33, 64, 65]) | st.integers(1, 70)
LENGTHS = st.lists(st.integers(0, 14), min_size=1, max_size=9).filter(any)


def make(variant: str, hidden_size: int, input_size: int = 3) -> Cell:
    """A float32 cell, none of its parameters where they start, of enough units.

    A Clockwork RNN needs a unit for each module. A layer normalized over one or two units is a step function,
    whose gradients are nothing but rounding; and it is compiled for each size, so it is tried with few.
    """
    name, options = VARIANTS[variant]
    if name == "layer_norm_lstm":
        hidden_size = next(size for size in (3, 16, 33, 70) if size >= hidden_size)
    if name == "clockwork":
        hidden_size = max(hidden_size, 4)
    cell = make_cell(name, input_size, hidden_size, **options)
    disturb(cell)
    return cell


@pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN")
@pytest.mark.parametrize(("engine", "variant"), ENGINES_OF_VARIANTS)
@settings(max_examples=12, deadline=None, derandomize=True, database=None)
@given(
    hidden_size=SIZES,
    input_size=st.integers(1, 5),
    lengths=LENGTHS,
    reverse=st.booleans(),
    want_state=st.booleans(),
    threads=st.sampled_from([1, 2]),
    fused=st.booleans(),
    seed=st.integers(0, 2**16),
)
@example(1, 3, [7, 0, 3, 12, 1], False, True, 1, False, 0)
@example(1, 3, [4, 0, 6, 2, 6, 5, 1], True, False, 2, True, 1)
@example(16, 3, [5, 5, 5], True, True, 2, True, 2)
@example(16, 3, [9], False, False, 2, False, 3)
def test_outputs_states_and_gradients_are_those_of_the_reference(
    engine: str,
    variant: str,
    hidden_size: int,
    input_size: int,
    lengths: list[int],
    reverse: bool,
    want_state: bool,
    threads: int,
    fused: bool,
    seed: int,
) -> None:
    torch.manual_seed(seed)
    cell = make(variant, hidden_size, input_size)
    if engine == "native" and variant.startswith("projected") and cell.output_size >= hidden_size:
        return  # torch knows no projection as wide as the hidden units
    trial = draw_trial(cell, lengths, reverse=reverse)
    with fused_kernels(fused):
        compare_engine(trial, engine, want_state=want_state, threads=threads)


@pytest.fixture(params=[False, True], ids=["plain", "fused"])
def either_kernel(request: pytest.FixtureRequest) -> Iterator[None]:
    """Both kinds of the fast engine's kernels."""
    with fused_kernels(request.param):
        yield


@pytest.mark.usefixtures("either_kernel")
@pytest.mark.parametrize(("engine", "variant"), ENGINES_OF_VARIANTS)
def test_without_gradients_the_numbers_are_the_same(engine: str, variant: str) -> None:
    torch.manual_seed(0)
    stack = Stack(VARIANTS[variant][0], 3, 16, bidirectional=True, engine=engine, **VARIANTS[variant][1])
    inputs, lengths = torch.randn(5, 11, 3), torch.tensor([11, 4, 0, 7, 1])
    outputs, states = stack(inputs, lengths)
    with torch.inference_mode():
        again, ends = stack(inputs, lengths)
        torch.testing.assert_close(stack.outputs(inputs, lengths), again)
    torch.testing.assert_close(again, outputs)
    torch.testing.assert_close(ends, states)


@needs_compiler
@pytest.mark.usefixtures("either_kernel")
@pytest.mark.parametrize("variant", VARIANTS)
def test_more_threads_than_sequences_and_long_sequences(variant: str) -> None:
    torch.manual_seed(0)
    cell = make(variant, 33)
    for threads, lengths in (
        (2, [40]),
        (4, [60, 59, 3]),
        (3, [25] * 7),
        (1, [210] * 5),
    ):  # 1050: sums are put away
        compare_engine(draw_trial(cell, lengths), "fast", threads=threads)


@pytest.mark.usefixtures("either_kernel")
@pytest.mark.parametrize(("engine", "variant"), ENGINES_OF_VARIANTS)
def test_what_is_not_a_number_stays_in_its_sequence(engine: str, variant: str) -> None:
    torch.manual_seed(0)
    cell = make(variant, 16)
    trial = draw_trial(cell, [6, 3, 5])
    clean = results(trial, engine)
    trial.inputs[1, 1] = float("nan")
    dirty = results(trial, engine)
    for name in ("the outputs", "final state 0", "the gradient of the inputs"):
        assert torch.equal(torch.nan_to_num(dirty[name][[0, 2]]), torch.nan_to_num(clean[name][[0, 2]])), name
    assert dirty["the outputs"][1, 1:3].isnan().any()


@needs_compiler
@pytest.mark.usefixtures("either_kernel")
@pytest.mark.parametrize("variant", VARIANTS)
def test_the_fast_engine_saturates_without_overflow(variant: str) -> None:
    torch.manual_seed(0)
    cell = make(variant, 16)
    trial = draw_trial(cell, [6, 3])
    trial.inputs *= 1e4
    expected, found = results(trial), results(trial, "fast")
    assert found["the outputs"].isfinite().all()
    torch.testing.assert_close(found["the outputs"], expected["the outputs"], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("cell", CELLS)
def test_the_automatic_engine_in_float64_and_bfloat16(cell: str) -> None:
    inputs, lengths = torch.randn(2, 6, 3, dtype=torch.float64), torch.tensor([6, 4])
    torch.manual_seed(0)
    stack = Stack(cell, 3, 8).double()
    exact = stack.outputs(inputs, lengths)
    stack.engine = "reference"
    torch.testing.assert_close(exact, stack.outputs(inputs, lengths))
    stack.engine = "auto"
    rough = stack.bfloat16().outputs(inputs.bfloat16(), lengths)
    assert rough.dtype == torch.bfloat16
    torch.testing.assert_close(rough.double(), exact, rtol=0.1, atol=0.05)
    rough.sum().backward()
    assert all(
        parameter.grad.isfinite().all() for parameter in stack.parameters() if parameter.grad is not None
    )


@pytest.mark.parametrize("cell", CELLS)
def test_float16_on_a_cpu_is_refused(cell: str) -> None:
    with pytest.raises(
        ValueError, match=r"half precision \(float16\) has no engine on a CPU; use float32 or bfloat"
    ):
        Stack(cell, 3, 8).half()(torch.zeros(1, 2, 3, dtype=torch.float16))


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16, torch.float16])
def test_the_fast_engine_says_that_it_computes_in_float32(dtype: torch.dtype) -> None:
    stack = Stack("scrn", 3, 8, engine="fast").to(dtype)
    with pytest.raises(
        ValueError, match=f"the fast engine cannot run SCRN here: .*float32, not {str(dtype)[6:]}"
    ):
        stack(torch.zeros(1, 2, 3, dtype=dtype))


def test_the_native_engine_says_what_torch_has_not() -> None:
    with pytest.raises(
        ValueError, match="the native engine cannot run Jordan here: torch has no kernel for it"
    ):
        Stack("jordan", 3, 8, engine="native")(torch.zeros(1, 2, 3))


def test_the_native_engine_refuses_a_projection_as_wide_as_the_hidden_units() -> None:
    with pytest.raises(ValueError, match="the native engine cannot run ProjectedLSTM here"):
        Stack("projected_lstm", 3, 8, projection_size=8, engine="native")(torch.zeros(1, 2, 3))


def test_an_unknown_engine_is_named() -> None:
    stack = Stack("lstm", 3, 8, engine="quick")
    with pytest.raises(ValueError, match="unknown engine 'quick'; there are auto, reference, native, fast"):
        stack(torch.zeros(1, 2, 3))


@needs_compiler
def test_the_automatic_engine_is_the_fast_one_and_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    class Named(CELLS["elman"]):  # type: ignore[misc]  # a class that no other test has run
        pass

    cell, inputs = Named(3, 8), torch.zeros(1, 3)
    with caplog.at_level(logging.INFO, "sluice_cells"):
        assert choose_engine("auto", cell, inputs) is fast.run_fast
        choose_engine("auto", cell, inputs)
    assert [record.message for record in caplog.records] == ["Named runs on the fast engine (cpu, float32)"]


@needs_compiler
def test_a_step_that_cannot_be_compiled_runs_on_the_reference(caplog: pytest.LogCaptureFixture) -> None:
    class Sorting(CELLS["elman"]):  # type: ignore[misc]
        def step(self, projected, state, weights):  # type: ignore[no-untyped-def]
            hidden = torch.sort(torch.tanh(projected + state[0]), -1).values
            return hidden, (hidden,)

    stack = Stack(Sorting, 3, 8)
    with caplog.at_level(logging.INFO, "sluice_cells"):
        outputs = stack.outputs(torch.randn(2, 4, 3))
    assert outputs.isfinite().all()
    assert "Sorting runs without the fast engine: its step cannot be compiled: it calls sort" in caplog.text
    assert "Sorting runs on the reference engine" in caplog.text
    stack.engine = "fast"
    with pytest.raises(ValueError, match="the fast engine cannot run Sorting here"):
        stack.outputs(torch.randn(2, 4, 3))


def test_no_sequences_no_steps_and_no_lengths() -> None:
    for engine, cell in (("reference", "scrn"), ("native", "lstm"), ("fast", "scrn")):
        stack = Stack(cell, 3, 8, engine=engine)
        if engine == "fast" and fast.obstacle(stack.layers[0][0], torch.zeros(1, 3)):
            continue
        width = stack.output_size
        assert stack(torch.zeros(0, 4, 3))[0].shape == (0, 4, width)
        assert stack(torch.zeros(2, 0, 3))[0].shape == (2, 0, width)
        outputs, (state,) = stack(torch.zeros(2, 4, 3), torch.tensor([0, 0]))
        assert not outputs.any() and not any(part.any() for part in state)


def test_the_packing_is_torchs() -> None:
    lengths = torch.tensor([3, 5, 1, 5])
    theirs = torch.nn.utils.rnn.pack_padded_sequence(
        torch.zeros(4, 5, 1), lengths, batch_first=True, enforce_sorted=False
    )
    assert torch.equal(Packing.of(lengths).batch_sizes, theirs.batch_sizes)


class Zoneout(Elman):
    """Keeps a share of each unit, as zoneout does in the mean (Krueger et al. 2017); in training it keeps none."""

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__(input_size, hidden_size)
        self.share = 0.25

    def step(self, projected: Tensor, state: State, weights: SimpleNamespace) -> tuple[Tensor, State]:
        new, _ = super().step(projected, state, weights)
        hidden = new if self.training else self.share * state[0] + (1 - self.share) * new
        return hidden, (hidden,)


@needs_compiler
def test_what_a_step_takes_from_attributes_may_change() -> None:
    torch.manual_seed(0)
    stack, inputs = Stack(Zoneout, 3, 8), torch.randn(2, 6, 3)
    cell = stack.cells[0][0]
    for training, share in ((False, 0.25), (True, 0.25), (False, 0.25), (False, 0.5)):
        cell.share = share
        stack.train(training)
        stack.engine = "fast"
        outputs = stack.outputs(inputs)
        stack.engine = "reference"
        torch.testing.assert_close(outputs, stack.outputs(inputs))


def kernels_of(stack: Stack, batch: int) -> set[bool]:
    """Whether what ran a batch in both directions was fused."""
    with patch.object(Kernel, "call", autospec=True, side_effect=Kernel.call) as call:
        stack(torch.randn(batch, 3, 5, requires_grad=True))[0].sum().backward()
    return {each.args[0].fused for each in call.call_args_list}


@needs_compiler
@pytest.mark.parametrize("variant", VARIANTS)
def test_small_cells_with_enough_sequences_are_run_by_the_fused_kernel(variant: str) -> None:
    name, options = VARIANTS[variant]
    assert kernels_of(Stack(name, 5, 16, **options), batch=12) == {True}
    assert kernels_of(Stack(name, 5, 16, **options), batch=2) == {False}
    hidden = 240
    while sum(each.numel() for each in make_cell(name, 5, hidden, **options).parameters()) <= 60_000:
        hidden *= 2  # a narrow output makes small matrices
    assert kernels_of(Stack(name, 5, hidden, **options), batch=12) == {False}


@needs_compiler
@pytest.mark.usefixtures("either_kernel")
@pytest.mark.parametrize("variant", VARIANTS)
def test_a_kernel_asks_for_nothing_that_the_engine_has_not(variant: str) -> None:
    name, options = VARIANTS[variant]
    stack = Stack(name, 3, 8, engine="fast", **options)
    sizes = stack.cells[0][0].state_sizes
    state = [tuple(torch.randn(2, size, requires_grad=True) for size in sizes)]
    with patch.object(Kernel, "call", autospec=True, side_effect=Kernel.call) as call:
        outputs, ends = stack(torch.randn(2, 4, 3, requires_grad=True), state=state)
        sum(each.sum() for each in (outputs, *ends[0])).backward()
    assert call.call_count == 2
    for _, which, arrays, *_ in (each.args for each in call.call_args_list):
        # Of what is no parameter nobody wants a gradient.
        assert {key for key in which.arrays if key[0] != "gradient"} <= set(arrays)


class OwnProjection(Elman):
    """Its input's part is nothing that symbols know."""

    def project(self, inputs: Tensor, linear: Linear = functional.linear) -> Tensor:
        return super().project(torch.cumsum(inputs, -1), linear)


class Renamed(Elman):
    """A weight's name means one thing in the step and another in the input's part."""

    def project(self, inputs: Tensor, linear: Linear = functional.linear) -> Tensor:
        return linear(inputs, self.input_weight) * self.bias

    def weights(self) -> SimpleNamespace:
        weights = super().weights()
        weights.bias = 2 * weights.bias
        return weights


@needs_compiler
@pytest.mark.parametrize("kind", [OwnProjection, Renamed])
def test_a_cell_whose_input_cannot_be_read_runs_without_the_fused_kernel(kind: type[Cell]) -> None:
    torch.manual_seed(0)
    assert kernels_of(Stack(kind, 5, 4, engine="fast"), batch=12) == {False}
    cell = kind(5, 4)
    disturb(cell)
    compare_engine(draw_trial(cell, [5] * 12), "fast")


class JoinedInput(Elman):
    """A product whose input is joined of another product and the old state."""

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__(input_size, hidden_size)
        self.joined_weight = torch.nn.Parameter(torch.randn(hidden_size, 2 * hidden_size) / 4)

    def step(self, projected: Tensor, state: State, weights: SimpleNamespace) -> tuple[Tensor, State]:
        (hidden,) = state
        heard = functional.linear(hidden, weights.recurrent_weight)
        joined = functional.linear(torch.cat([heard, hidden], -1), weights.joined_weight)
        hidden = torch.tanh(projected + joined + weights.bias)
        return hidden, (hidden,)


@needs_compiler
@pytest.mark.usefixtures("either_kernel")
@pytest.mark.parametrize("threads", [1, 2])
def test_a_joined_input_of_a_product_gives_its_matrix_the_right_gradient(threads: int) -> None:
    torch.manual_seed(0)
    compare_engine(draw_trial(JoinedInput(3, 8), [9, 7, 7, 1]), "fast", threads=threads)


@needs_compiler
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("width", [64, 63])
def test_our_own_products_for_gradients_of_small_matrices_are_right(width: int, threads: int) -> None:
    torch.manual_seed(0)
    cell = make_cell("lstm", width, 65)  # the input's columns fill panels, or nearly; its gates do not
    disturb(cell)
    with fused_kernels(False), patch("sluice_cells.products.dispatch.LARGE", 1):
        compare_engine(draw_trial(cell, [70, 9, 9]), "fast", threads=threads)


@needs_compiler
@pytest.mark.usefixtures("either_kernel")
@pytest.mark.parametrize("cell", ["lstm", "jordan", "clockwork"])
def test_what_needs_no_gradient_gets_none_and_the_rest_is_the_same(cell: str) -> None:
    torch.manual_seed(0)
    stack, inputs = Stack(cell, 3, 8, engine="fast"), torch.randn(7, 6, 3)
    names = [name for name, _ in stack.named_parameters()]
    wanted = torch.autograd.grad(stack(inputs.requires_grad_())[0].square().sum(), stack.parameters())
    for frozen in names:
        for name, parameter in stack.named_parameters():
            parameter.requires_grad_(name != frozen)
            parameter.grad = None
        stack(inputs.detach())[0].square().sum().backward()
        for (name, parameter), expected in zip(stack.named_parameters(), wanted, strict=True):
            if name == frozen:
                assert parameter.grad is None
            else:
                assert parameter.grad is not None
                torch.testing.assert_close(parameter.grad, expected)


@needs_compiler
@pytest.mark.usefixtures("either_kernel")
@pytest.mark.parametrize("variant", VARIANTS)
def test_of_the_final_states_alone_the_gradients_are_the_references(variant: str) -> None:
    torch.manual_seed(0)
    kind, options = VARIANTS[variant]
    stack, inputs = Stack(kind, 3, 8, engine="fast", **options), torch.randn(3, 6, 3, requires_grad=True)
    found = []
    for engine in ("fast", "reference"):
        stack.engine = engine
        first, *_ = stack(inputs, torch.tensor([6, 0, 4]))[1][0]
        leaves = [inputs, *stack.parameters()]
        found.append(
            torch.autograd.grad(first.square().sum(), leaves, allow_unused=True, materialize_grads=True)
        )
    torch.testing.assert_close(*found)
