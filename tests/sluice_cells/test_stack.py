"""Stack: exact with padding, in both directions, whatever stands past a length."""

import itertools
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

from sluice_cells import CELLS, Cell, Stack, make_cell
from sluice_cells.cell import State
from sluice_cells.check import disturb
from tests.sluice_cells.variants import needs_compiler

LENGTHS = torch.tensor([7, 3, 0, 1, 5])
BATCH, TIME, INPUT, HIDDEN = 5, 9, 6, 5
PAST = torch.arange(TIME) >= LENGTHS[:, None]  # [batch, time]

every_cell = pytest.mark.parametrize("cell", CELLS)


def make(cell: str, **settings: Any) -> Stack:
    """Two layers, both ways, normalized, in float64, none of the parameters where they start."""
    torch.manual_seed(0)
    settings = {"layers": 2, "bidirectional": True, "layer_norm": True, **settings}
    stack = Stack(cell, INPUT, HIDDEN, **settings).double()
    for each in cells_of(stack):
        disturb(each)
    return stack


def cells_of(stack: Stack) -> list[Cell]:
    return [cell for cell in stack.modules() if isinstance(cell, Cell)]


def draw_inputs() -> Tensor:
    return torch.randn(BATCH, TIME, INPUT, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def draw_state(stack: Stack) -> list[State]:
    """Where each cell starts; clocks at whole steps."""
    state = []
    for cell in cells_of(stack):
        before = torch.randn(BATCH, 2, cell.input_size, dtype=torch.float64)
        lone = Stack(type(cell), cell.input_size, HIDDEN).double()
        state += lone(before, torch.tensor([0, 1, 2, 1, 2]))[1]
    return [tuple(part.detach().requires_grad_() for part in parts) for parts in state]


def run(
    stack: Stack, inputs: Tensor, lengths: Tensor, state: list[State], weights: Tensor
) -> dict[str, Tensor]:
    """Outputs, final states, and the gradients of a loss that all of them enter."""
    inputs = inputs.clone().requires_grad_()
    outputs, final = stack(inputs, lengths, state)
    ends = [part for parts in final for part in parts]
    loss = (outputs * weights).sum() + sum(part.square().sum() for part in ends)
    names = ["inputs", *(f"state {n}" for n, _ in enumerate(ends)), *dict(stack.named_parameters())]
    leaves = [inputs, *(part for parts in state for part in parts), *stack.parameters()]
    gradients = torch.autograd.grad(loss, leaves, allow_unused=True, materialize_grads=True)
    results = {"outputs": outputs, **{f"final {number}": part for number, part in enumerate(ends)}}
    return results | {f"gradient of {name}": each for name, each in zip(names, gradients, strict=True)}


@every_cell
@pytest.mark.parametrize("residual", [False, True])
def test_padded_batch_equals_each_sequence_alone(cell: str, residual: bool) -> None:
    stack, inputs = make(cell, residual=residual), draw_inputs()
    state = draw_state(stack)
    weights = torch.randn(BATCH, TIME, stack.output_size, dtype=torch.float64)
    inputs[PAST] = float("nan")
    together = run(stack, inputs, LENGTHS, state, weights)
    alone: list[dict[str, Tensor]] = []
    for row, length in enumerate(LENGTHS.tolist()):
        own = slice(row, row + 1)
        its_state = [tuple(part[own] for part in parts) for parts in state]
        alone.append(run(stack, inputs[own, :length], LENGTHS[own], its_state, weights[own, :length]))
    for name, found in together.items():
        parts = [each[name] for each in alone]
        if name.removeprefix("gradient of ") in dict(stack.named_parameters()):
            torch.testing.assert_close(torch.stack(parts).sum(0), found, msg=name)
            continue
        for row, part in enumerate(parts):
            where = (row, slice(part.shape[1])) if name in ("outputs", "gradient of inputs") else row
            torch.testing.assert_close(part[0], found[where], msg=name)
    assert not together["outputs"][PAST].any()
    assert not together["gradient of inputs"][PAST].any()


@every_cell
def test_what_stands_past_a_length_is_never_read(cell: str) -> None:
    stack, inputs = make(cell), draw_inputs()
    clean = stack(inputs, LENGTHS)
    for garbage in (1e6, float("inf"), float("nan")):
        dirty = inputs.clone()
        dirty[PAST] = garbage
        outputs, state = stack(dirty, LENGTHS)
        assert torch.equal(outputs, clean[0])
        assert all(torch.equal(*pair) for pair in zip(sum(state, ()), sum(clean[1], ()), strict=True))
        assert torch.equal(stack.outputs(dirty, LENGTHS), stack.outputs(inputs, LENGTHS))


@every_cell
def test_what_is_not_a_number_stays_in_its_sequence(cell: str) -> None:
    stack, inputs = make(cell), draw_inputs()
    clean, _ = stack(inputs, LENGTHS)
    inputs[1, 1] = float("nan")
    outputs, state = stack(inputs, LENGTHS)
    others = torch.tensor([0, 2, 3, 4])
    torch.testing.assert_close(outputs[others], clean[others])
    assert all(part[others].isfinite().all() for parts in state for part in parts)
    assert outputs[1, :3].isnan().any()


@every_cell
def test_a_sequence_of_length_zero_keeps_its_state(cell: str) -> None:
    stack = make(cell)
    state = draw_state(stack)
    _, final = stack(draw_inputs(), LENGTHS, state)
    for start, end in zip(state, final, strict=True):
        for before, after in zip(start, end, strict=True):
            assert torch.equal(after[2], before[2])


@every_cell
def test_a_stream_in_chunks_equals_the_whole(cell: str) -> None:
    stack, inputs = make(cell, bidirectional=False), draw_inputs()
    whole, final = stack(inputs, LENGTHS)
    state, chunks, start = None, [], 0
    for steps in (1, 4, 2, 2):
        chunk, state = stack(inputs[:, start : start + steps], (LENGTHS - start).clamp(0, steps), state)
        chunks.append(chunk)
        start += steps
    torch.testing.assert_close(torch.cat(chunks, 1), whole)
    torch.testing.assert_close(state, final)


@every_cell
def test_first_and_last_states_are_differentiable(cell: str) -> None:
    stack = make(cell)
    state = draw_state(stack)
    _, final = stack(draw_inputs(), LENGTHS, state)
    reached = torch.autograd.grad(sum(parts[0].sum() for parts in final), [parts[0] for parts in state])
    assert all((gradient[1] != 0).any() for gradient in reached)


@pytest.mark.parametrize("sequence", range(3))
def test_a_state_goes_in_and_comes_out_in_the_callers_order(sequence: int) -> None:
    stack = make("gru", layers=1, bidirectional=False)
    state = [(torch.zeros(BATCH, HIDDEN, dtype=torch.float64),)]
    state[0][0][sequence] = 1.0
    lengths = torch.tensor([2, 3, 4, 5, 6])
    plain, plain_end = stack(draw_inputs(), lengths)
    moved, moved_end = stack(draw_inputs(), lengths, state)
    for before, after in ((plain, moved), (plain_end[0][0], moved_end[0][0])):
        changed = (before != after).flatten(1).any(1)
        assert changed.nonzero().flatten().tolist() == [sequence]


def pack(inputs: Tensor, lengths: Tensor) -> PackedSequence:
    return pack_padded_sequence(inputs, lengths, batch_first=True, enforce_sorted=False)


@pytest.mark.parametrize("ordered", [False, True])
@every_cell
def test_packed_sequences_go_in_and_come_out(cell: str, ordered: bool) -> None:
    lengths = torch.tensor([7, 3, 1, 5])
    if ordered:
        lengths = lengths.sort(descending=True).values
    stack, inputs = make(cell), draw_inputs()[:4]
    state = [tuple(part[:4] for part in parts) for parts in draw_state(stack)]
    expected, expected_end = stack(inputs[:, :7], lengths, state)
    packed = pack_padded_sequence(inputs, lengths, batch_first=True, enforce_sorted=ordered)
    outputs, end = stack(packed, state=state)
    assert isinstance(outputs, PackedSequence)
    padded, its_lengths = pad_packed_sequence(outputs, batch_first=True)
    assert torch.equal(its_lengths, lengths)
    torch.testing.assert_close(padded, expected)
    torch.testing.assert_close(end, expected_end)


@pytest.mark.parametrize(("cell", "peer"), [("lstm", nn.LSTM), ("gru", nn.GRU), ("elman", nn.RNN)])
@pytest.mark.parametrize("engine", ["reference", "native", pytest.param("fast", marks=needs_compiler)])
def test_two_layers_both_ways_equal_torchs(cell: str, peer: type[nn.RNNBase], engine: str) -> None:
    dtype = torch.float32 if engine == "fast" else torch.float64
    torch.manual_seed(0)
    stack = Stack(cell, INPUT, HIDDEN, layers=2, bidirectional=True, engine=engine).to(dtype)
    theirs = peer(INPUT, HIDDEN, num_layers=2, bidirectional=True, batch_first=True).to(dtype)
    copy_weights(stack, theirs)
    inputs, lengths = draw_inputs()[:4].to(dtype), torch.tensor([7, 3, 1, 5])
    state = [tuple(part[:4].to(dtype) for part in parts) for parts in draw_state(stack.double())]
    stack.to(dtype)
    hidden = tuple(
        torch.stack(parts) for parts in zip(*state, strict=True)
    )  # [layers * directions, batch, size]
    packed, end = theirs(pack(inputs, lengths), hidden if cell == "lstm" else hidden[0])
    expected, _ = pad_packed_sequence(packed, batch_first=True)
    outputs, final = stack(inputs[:, :7], lengths, state)
    torch.testing.assert_close(outputs, expected, rtol=1e-6, atol=1e-6)
    ends = tuple(torch.stack(parts) for parts in zip(*final, strict=True))
    torch.testing.assert_close(ends, end if cell == "lstm" else (end,), rtol=1e-6, atol=1e-6)


def copy_weights(stack: Stack, theirs: nn.RNNBase) -> None:
    """Torch's weights, one by one, into ours; both its biases are at work."""
    names = [f"l{layer}{way}" for layer in range(2) for way in ("", "_reverse")]
    for cell, name in zip(cells_of(stack), names, strict=True):
        bias, second = theirs.get_parameter(f"bias_ih_{name}"), theirs.get_parameter(f"bias_hh_{name}")
        cell.input_weight.data = theirs.get_parameter(f"weight_ih_{name}").data
        cell.get_parameter("recurrent_weight").data = theirs.get_parameter(f"weight_hh_{name}").data
        cell.bias.data = bias.data + second.data
        if isinstance(theirs, nn.GRU):
            cell.bias.data[2 * HIDDEN :] = bias.data[2 * HIDDEN :]
            cell.get_parameter("recurrent_bias").data = second.data[2 * HIDDEN :]


def test_dropout_is_between_layers_in_training_only() -> None:
    stack, inputs = make("lstm", dropout=0.5, layer_norm=False), draw_inputs()
    assert not torch.equal(stack.outputs(inputs, LENGTHS), stack.outputs(inputs, LENGTHS))
    stack.eval()
    calm = stack.outputs(inputs, LENGTHS)
    assert torch.equal(calm, stack.outputs(inputs, LENGTHS))
    torch.testing.assert_close(calm, make("lstm", layer_norm=False).outputs(inputs, LENGTHS))
    single = make("lstm", layers=1, dropout=0.5)
    assert torch.equal(single.outputs(inputs), single.outputs(inputs))


class Echo(Cell):
    """Its output is its input, which shows what a layer was fed."""

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__(input_size, hidden_size)
        nn.init.eye_(self.input_weight)
        nn.init.zeros_(self.bias)

    def step(self, projected: Tensor, state: State, weights: Any) -> tuple[Tensor, State]:
        return projected, state


@pytest.mark.parametrize("variational", [False, True])
def test_a_variational_mask_is_the_same_at_every_step_of_a_sequence(variational: bool) -> None:
    torch.manual_seed(0)
    stack = Stack(Echo, 40, 40, layers=2, dropout=0.25, variational=variational, engine="reference")
    lengths = torch.tensor([6, 2, 6])
    outputs = stack.outputs(torch.ones(3, 6, 40), lengths)
    assert outputs[0].unique().tolist() == pytest.approx([0, 1 / 0.75])
    same = [
        bool((outputs[row, :length] == outputs[row, 0]).all()) for row, length in enumerate(lengths.tolist())
    ]
    assert same == [variational] * 3
    assert not torch.equal(outputs[0, 0], outputs[2, 0])  # each sequence has its own
    kept = (outputs[0, 0] != 0).float().mean().item()
    assert 0.5 < kept < 0.95


def test_a_residual_layer_adds_its_input_where_sizes_agree() -> None:
    torch.manual_seed(0)
    inputs = torch.randn(2, 4, 3)
    plain = Stack(Echo, 3, 3, layers=3, engine="reference")
    assert torch.allclose(plain.outputs(inputs), inputs)
    doubled = Stack(Echo, 3, 3, layers=3, residual=True, engine="reference")
    assert torch.allclose(doubled.outputs(inputs), 8 * inputs)
    widening = Stack(Echo, 3, 5, layers=2, residual=True, engine="reference")  # the first layer adds nothing
    assert torch.allclose(widening.outputs(inputs)[..., :3], 2 * inputs)


def test_layer_normalization_is_of_each_layers_output() -> None:
    stack = make("gru", layers=1)
    stack.norms[0].weight.data.fill_(1.0)
    outputs = stack.outputs(draw_inputs(), LENGTHS)[~PAST]
    torch.testing.assert_close(outputs.mean(-1), torch.zeros(len(outputs), dtype=torch.float64))
    torch.testing.assert_close(
        outputs.var(-1, correction=0), torch.ones(len(outputs)).double(), rtol=1e-2, atol=1e-2
    )


@pytest.mark.parametrize(
    ("lengths", "message"),
    [
        (
            torch.tensor([7, 3, 10, 1, 5]),
            r"lengths must lie in 0 to 9, the steps of the batch, not \[7, 3, 10, 1, 5\]",
        ),
        (torch.tensor([7, -1, 0, 1, 5]), r"lengths must lie in 0 to 9.*not \[7, -1, 0, 1, 5\]"),
        (torch.tensor([7, 3, 1]), r"lengths must be 5 whole numbers, not torch.int64 \[3\]"),
        (torch.tensor([[7, 3, 0, 1, 5]]), r"lengths must be 5 whole numbers, not torch.int64 \[1, 5\]"),
        (torch.tensor([7.0, 3, 0, 1, 5]), r"lengths must be 5 whole numbers, not torch.float32 \[5\]"),
        pytest.param(
            torch.tensor([True] * 5),
            r"lengths must be 5 whole numbers, not torch.bool \[5\]",
        ),
    ],
)
def test_wrong_lengths_are_named(lengths: Tensor, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make("lstm")(draw_inputs(), lengths)
    with pytest.raises(ValueError, match=message):
        make("lstm").outputs(draw_inputs(), lengths)


@pytest.mark.parametrize("shape", [(3, 6), (5, 9, 7), (2, 5, 9, 6)])
def test_inputs_of_a_wrong_shape_are_named(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"inputs must be \[batch, time, 6\], not \[" + str(shape[0])):
        make("lstm")(torch.zeros(shape, dtype=torch.float64))


def test_inputs_that_are_whole_numbers_are_named() -> None:
    stack = Stack("lstm", INPUT, HIDDEN)
    words = torch.zeros(2, 3, INPUT, dtype=torch.int64)
    with pytest.raises(ValueError, match=r"floating-point numbers, not torch\.int64"):
        stack(words)
    with pytest.raises(ValueError, match=r"floating-point numbers, not torch\.int64"):
        stack(pack_padded_sequence(words, torch.tensor([3, 2]), batch_first=True))


def test_packed_inputs_of_a_wrong_width_are_named() -> None:
    with pytest.raises(ValueError, match="7"):
        make("lstm", engine="reference")(
            pack(torch.zeros(2, 3, 7, dtype=torch.float64), torch.tensor([3, 2]))
        )


def test_a_state_of_a_wrong_shape_is_named() -> None:
    stack = make("lstm", layers=1, bidirectional=False)
    zeros = torch.zeros(BATCH, HIDDEN, dtype=torch.float64)
    for state in ([(zeros,)], [(zeros, zeros[:4])], [(zeros, zeros)] * 2, [(zeros, zeros[:, :3])]):
        with pytest.raises(
            ValueError, match=r"the state must have the shapes \[\[\(5, 5\), \(5, 5\)\]\], not "
        ):
            stack(draw_inputs(), state=state)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"cell": "lstn"}, "unknown cell 'lstn'; there are elman, jordan, lstm, peephole_lstm"),
        ({"cell": "lstm", "periods": (1, 2)}, "LSTM does not take these options: .*periods"),
        ({"cell": "lstm", "layers": 0}, "at least 1 layer, not 0"),
        ({"cell": "lstm", "dropout": 1.0}, r"dropout in \[0, 1\), not 1.0"),
        ({"cell": "lstm", "hidden_size": 0}, "at least 1, not 0"),
    ],
)
def test_settings_that_make_no_sense_are_named(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Stack(**{"input_size": INPUT, "hidden_size": HIDDEN, **settings})


def test_sizes_of_layers_directions_and_outputs() -> None:
    for layers, bidirectional in itertools.product((1, 3), (False, True)):
        stack = Stack("scrn", INPUT, 8, layers=layers, bidirectional=bidirectional, context_size=2)
        width = 10 * (1 + bidirectional)
        assert stack.output_size == width
        assert [cell.input_size for cell in cells_of(stack)][:: 1 + bidirectional] == [INPUT] + [width] * (
            layers - 1
        )
        outputs, state = stack(torch.zeros(2, 3, INPUT))
        assert outputs.shape == (2, 3, width)
        assert [[tuple(part.shape) for part in parts] for parts in state] == [[(2, 8), (2, 2)]] * len(
            cells_of(stack)
        )


def test_a_batch_without_a_single_step_has_gradients_of_zero() -> None:
    stack = make("lstm", layer_norm=False)
    stack.outputs(draw_inputs(), torch.zeros(BATCH, dtype=torch.int64)).sum().backward()


def test_weights_survive_saving_and_loading() -> None:
    stack, other = make("clockwork"), make("clockwork")
    for parameter in other.parameters():
        parameter.data.zero_()
    other.load_state_dict(stack.state_dict())
    assert torch.equal(stack.outputs(draw_inputs()), other.outputs(draw_inputs()))
    assert set(dict(stack.state_dict())) == {name for name, _ in stack.named_parameters()}


def test_a_class_of_ones_own_goes_where_a_name_goes() -> None:
    assert isinstance(make_cell(Echo, 3, 4), Echo)
    assert Stack(Echo, 3, 3, engine="reference").outputs(torch.ones(1, 2, 3)).eq(1).all()
