"""The memory recipe: its problems, the gradients it measures, its results that last, and its report."""

import json
import math
from pathlib import Path

import pytest
import torch
from torch import Generator

from recipes.memory.climbing import climb, falling
from recipes.memory.generation import generate, sum_of_sines
from recipes.memory.gradients import backward_norms, explode, scaled_elman
from recipes.memory.jobs import jobs_of
from recipes.memory.networks import Network, widest
from recipes.memory.problems import Adding, Copying
from recipes.memory.report import best_climb, best_generation, climb_table, median_error, reach
from recipes.memory.run import HERE, main
from recipes.memory.settings import (
    ClimbSettings,
    CopySettings,
    GenerationSettings,
    GradientSettings,
    MemorySettings,
    ReachSettings,
)
from sluice_cells import CELLS
from tests.pages import check_self_contained

SOME = ["elman", "jordan", "lstm", "gru", "clockwork", "scrn", "projected_lstm", "layer_norm_lstm"]


def seeded(seed: int = 0) -> Generator:
    return Generator().manual_seed(seed)


@pytest.mark.parametrize("lag", [3, 10, 37])
def test_adding_marks_two_numbers_early_and_asks_for_them_at_the_end(lag: int) -> None:
    batch = Adding().batch(1500, lag, seeded())
    seen = set()
    for inputs, length, place, target in zip(
        batch.inputs.tolist(),
        batch.lengths.tolist(),
        batch.places[:, 0].tolist(),
        batch.targets[:, 0].tolist(),
        strict=True,
    ):
        marks = [mark for _, mark in inputs[:length]]
        marked = [step for step, mark in enumerate(marks) if mark == 1]
        assert [step for step, mark in enumerate(marks) if mark == -1] == [0, length - 1]
        assert len(marked) == 2 and marks.count(0) == length - 4
        assert marked[0] <= 10 and min(marked) >= 1 and max(marked) < lag
        assert place == length - 1 and place - max(marked) >= lag and 2 * lag <= length <= 2.2 * lag
        assert target == pytest.approx(0.5 + (inputs[marked[0]][0] + inputs[marked[1]][0]) / 4)
        assert all(-1 <= number <= 1 for number, _ in inputs)
        seen |= {max(marked), length}
    assert {lag - 1, 2 * lag} <= seen, "the shortest lag and the shortest sequence do occur"


def test_adding_error_is_one_for_the_mean_and_zero_for_the_truth() -> None:
    problem = Adding()
    batch = problem.batch(500, 20, seeded())
    mean = batch.targets.mean().expand(500, 1, 1)
    assert problem.error(mean, batch) == pytest.approx(1.0, abs=1e-5)
    assert problem.error(batch.targets[:, :, None], batch) == 0
    assert problem.error(mean + 0.1, batch) > 1.1
    assert float(batch.targets.var()) == pytest.approx(
        2 / 3 / 16, rel=0.15
    )  # two numbers even in [-1, 1], / 4


def test_copying_is_answered_by_the_input_a_lag_before() -> None:
    problem = Copying(symbols=4, letters=5)
    batch = problem.batch(200, 9, seeded())
    assert batch.inputs.shape == (200, 13, 6) and batch.lengths.tolist() == [13] * 200
    assert batch.inputs[:, :4].sum(2).eq(1).all() and not batch.inputs[:, 4:9].any()
    assert batch.inputs[:, 9, 5].eq(1).all() and batch.inputs[:, :, 5].sum() == 200
    echo = batch.inputs.roll(9, dims=1)[:, :, :5]  # an answerer that remembers exactly `lag` steps
    assert problem.error(batch.answers(echo), batch) == 0
    late = batch.inputs.roll(10, dims=1)[:, :, :5]
    assert problem.error(batch.answers(late), batch) > 0.5
    guess = torch.zeros(200, 13, 5)
    assert problem.error(batch.answers(guess), batch) == pytest.approx(0.8, abs=0.06)
    assert float(problem.loss(batch.answers(guess), batch)) == pytest.approx(math.log(5))


def test_a_seed_decides_the_sequences() -> None:
    for problem in (Adding(), Copying(3, 4)):
        one, same, other = (problem.batch(5, 6, seeded(seed)) for seed in (1, 1, 2))
        assert torch.equal(one.inputs, same.inputs) and torch.equal(one.targets, same.targets)
        assert not torch.equal(one.inputs, other.inputs)


def test_networks_are_as_wide_as_their_parameters_allow() -> None:
    torch.manual_seed(0)
    network = widest("elman", 1, 1, 500)
    assert network.cell.hidden_size == 20
    assert network.parameter_count == 20 * 20 + 20 + 20 + 20 + 1 <= 500 < 21 * 21 + 3 * 21 + 1
    assert widest("lstm", 1, 1, 500).parameter_count == 4 * (10 * 10 + 10 + 10) + 10 + 1
    periods = [1, 2, 4]
    heard = 2 * 2 * (3 + 2 + 1)  # two units a module; each hears its own and the slower modules
    assert Network("clockwork", 1, 6, 1, periods=periods).parameter_count == heard + 6 + 6 + 6 + 1
    with pytest.raises(ValueError, match="lstm has at least 14 parameters, more than 10"):
        widest("lstm", 1, 1, 10)


@pytest.mark.parametrize("cell", SOME)
def test_backward_norms_agree_with_running_on_from_each_state(cell: str) -> None:
    torch.manual_seed(3)
    network = Network(cell, 2, 6, 1, **({"periods": [1, 2, 4]} if cell == "clockwork" else {})).double()
    inputs, targets = torch.randn(4, 7, 2).double(), torch.randn(4).double()
    norms = backward_norms(network, inputs, targets)
    assert len(norms) == 7
    for back in range(1, 7):
        # The state after the first steps, cut off, is where the rest starts.
        _, states = network.stack(inputs[:, : 7 - back])
        start = [tuple(part.detach().requires_grad_() for part in parts) for parts in states]
        outputs, _ = network.stack(inputs[:, 7 - back :], state=start)
        loss = (network.readout(outputs[:, -1])[:, 0] - targets).square().sum()
        gradients = torch.autograd.grad(loss, start[0], allow_unused=True)
        square = sum(gradient.square().sum() for gradient in gradients if gradient is not None)
        assert norms[back] == pytest.approx(math.sqrt(square / 4), rel=1e-9)
    error = (network.readout(network.stack.outputs(inputs)[:, -1])[:, 0] - targets).detach()
    at_output = 2 * error[:, None] * network.readout.weight.detach()
    assert norms[0] == pytest.approx(float(at_output.square().sum(1).mean().sqrt()))


def test_backward_norms_of_elman_are_products_of_jacobians() -> None:
    torch.manual_seed(4)
    network = Network("elman", 2, 5, 1).double()
    network.cell.recurrent_weight.data.mul_(1.7)
    inputs, target = torch.randn(1, 6, 2).double(), torch.randn(1).double()
    hidden = network.stack.outputs(inputs)[0].detach()
    error = (network.readout(hidden[-1])[0] - target).item()
    gradient = 2 * error * network.readout.weight[0].detach()
    expected = [gradient.norm().item()]
    for step in range(5, 0, -1):  # d h(t) / d h(t-1) = diag(1 - h(t)^2) R
        gradient = gradient @ (torch.diag(1 - hidden[step] ** 2) @ network.cell.recurrent_weight.detach())
        expected.append(gradient.norm().item())
    assert backward_norms(network, inputs, target) == pytest.approx(expected, rel=1e-9)


def test_small_recurrent_weights_vanish_and_large_ones_explode() -> None:
    settings = GradientSettings(steps_back=40, parameters=1000, steps=1)
    shares = [reach(explode(scale, False, 1, settings)["norms"])[-1] for scale in (0.5, 1.0, 2.5)]
    assert shares[0] < 1e-9 < shares[1] < 1 and shares[2] > 10
    weight = scaled_elman(2.5, 1, settings).cell.recurrent_weight
    torch.testing.assert_close(weight @ weight.T, 6.25 * torch.eye(len(weight)))


def test_clipping_keeps_training_where_it_blows_up() -> None:
    settings = GradientSettings(steps_back=20, parameters=1000, lag=15, steps=40, learning_rate=0.1)
    free, clipped = (explode(3.0, clip, 1, settings) for clip in (False, True))
    assert free["gradient_norm"][0] == clipped["gradient_norm"][0] > settings.clip_norm
    assert max(clipped["loss"]) < 100 < max(free["loss"])
    assert clipped["clipped"] > 0.5 and free["clipped"] == 0


def test_the_target_is_a_sum_of_sines_of_mean_zero_and_power_one() -> None:
    settings = GenerationSettings(length=4000, sines=3, shortest_period=10, longest_period=100)
    wave = sum_of_sines(5, settings)
    assert float(wave.mean()) == pytest.approx(0, abs=1e-5) and float(wave.square().mean()) == pytest.approx(
        1
    )
    spectrum = torch.fft.rfft(wave * torch.hann_window(4000)).abs()
    peaks = (spectrum[1:-1] > spectrum[:-2]) & (spectrum[1:-1] > spectrum[2:]) & (spectrum[1:-1] > 200)
    periods = 4000 / (peaks.nonzero()[:, 0] + 1)
    assert len(periods) == 3 and all(9.5 < period < 105 for period in periods.tolist())
    assert not torch.equal(wave, sum_of_sines(6, settings))


def test_generating_lowers_the_error_and_reports_the_last_weights() -> None:
    settings = GenerationSettings(length=40, steps=60, parameters=200)
    made = generate("elman", {}, 0.01, 3, settings)
    output, target = torch.tensor(made["output"]), torch.tensor(made["target"])
    assert made["error"] == pytest.approx(float((output - target).square().mean()), rel=1e-5)
    assert len(made["curve"]) == 60 and made["error"] < 0.8 * made["curve"][0]
    assert made == generate("elman", {}, 0.01, 3, settings), "a seed decides all"


def test_the_rate_falls_from_its_start_to_nearly_nothing() -> None:
    rates = [falling(0.2, step, 50) for step in range(1, 51)]
    assert rates[0] == 0.2 and rates[25] == pytest.approx(0.1) and 0 < rates[-1] < 0.001
    assert rates == sorted(rates, reverse=True)


def test_a_climb_stops_at_the_first_lag_that_is_not_solved() -> None:
    easy = ClimbSettings(lags=[3, 4, 5], steps=6, check_every=4, parameters=100, dev_size=8, solved=100.0)
    climbed = climb("elman", {}, 0.01, 1, easy)
    assert climbed["solved"] == 5 and climbed["steps"] == [4, 4, 4]
    assert [(step, lag) for step, lag, _ in climbed["curve"]] == [(4, 3), (8, 4), (12, 5)]
    hard = easy.model_copy(update={"solved": 1e-9})
    gradients = ReachSettings(steps_back=11)
    climbed = climb("elman", {}, 0.01, 1, hard, gradients)
    assert climbed["solved"] == 0 and climbed["steps"] == [6]
    assert [(step, lag) for step, lag, _ in climbed["curve"]] == [(4, 3), (6, 3)]
    assert len(climbed["initial"]) == 11 and climbed["initial"] != climbed["trained"]


def test_elman_learns_to_copy_over_a_short_lag() -> None:
    settings = CopySettings(lags=[3], steps=150, check_every=25, parameters=1000, symbols=2, letters=3)
    assert climb("elman", {}, 0.01, 1, settings)["solved"] == 3


def test_of_equal_climbs_the_faster_is_best() -> None:
    climbs = [
        {"rate": 1, "solved": 5, "steps": [9, 50]},
        {"rate": 2, "solved": 5, "steps": [7, 50]},
        {"rate": 3, "solved": 0, "steps": [1]},
    ]
    assert best_climb(climbs)["rate"] == 2
    for one in climbs:
        one |= {"hidden_size": 4, "parameters": 44}
    table = climb_table("adding", {"adding": {"elman": climbs}}, ClimbSettings(lags=[5, 10, 20]))
    assert table.rows[0][-3:] == ["7", "no", ""]


def test_a_diverged_training_never_wins() -> None:
    settings = MemorySettings(generation=GenerationSettings(cells=["elman"], learning_rates=[1.0, 0.1]))
    kept = {"elman-1": [{"error": None}, {"error": None}], "elman-0.1": [{"error": 0.9}, {"error": 0.8}]}
    assert median_error(kept["elman-1"]) == math.inf
    assert best_generation("elman", {"generation": kept}, settings)[0] == 0.1


def test_the_recipe_asks_every_cell_everything() -> None:
    settings = MemorySettings.read(HERE / "memory.yaml")
    planned = jobs_of(settings)
    assert {e.name for e in planned if e.kind == "adding"} == {e.name for e in planned if e.kind == "copying"}
    assert {e.name for e in planned if e.kind == "adding"} == set(CELLS)
    steeper = MemorySettings.read(HERE / "memory.yaml", ["gradients.scales=[3.0]"])
    anew = {e.file_name for e in jobs_of(steeper)} - {e.file_name for e in planned}
    assert all(name.startswith("gradients-3-") for name in anew) and len(anew) == 2, "only what it touches"
    assert len({experiment.file_name for experiment in planned}) == len(planned)
    assert all("clockwork" not in e.name or e.arguments["options"]["periods"][-1] == 256 for e in planned)


@pytest.mark.slow
def test_a_tiny_run_prints_its_tables_and_leaves_a_report(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tiny = [
        "cells=[elman, lstm, clockwork]",
        "adding.steps=20",
        "adding.parameters=300",
        "copying.steps=20",
        "copying.parameters=300",
        "gradients.steps=10",
        "generation.steps=10",
        "processes=1",
    ]
    arguments = ["--quick", "--quiet", "--runs", str(tmp_path)]
    assert main([*arguments, *(word for setting in tiny for word in ("--set", setting))]) == 0
    printed = capsys.readouterr().out
    folder = tmp_path / "memory-quick"
    reader = check_self_contained((folder / "report.html").read_text(encoding="utf-8"))
    text = " ".join(reader.text)
    for heading in (
        "Adding two numbers",
        "Saying letters again",
        "The gradient on its way back",
        "Exploding, and clipping",
        "A sequence by heart",
    ):
        assert heading in text
    labels = [attributes.get("aria-label") or "" for attributes in reader.all("div")]
    assert sum("Dev error of lstm" in label for label in labels) == 2
    assert "Adding: longest lag solved" in printed and "by heart: error of clockwork / elman" in printed
    facts = json.loads((folder / "results.json").read_text(encoding="utf-8"))
    assert set(facts["results"]["adding"]) == {"elman", "lstm", "clockwork"}


def test_settings_that_cannot_be_are_refused(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    for setting, word in (
        ("cells=[elmann]", "elmann"),
        ("adding.lags=[20, 10]", "lags grow"),
        ("adding.lags=[2]", "at least 3"),
        ("copying.lags=[2]", "at least 3"),
        ("adding.speed=3", "speed"),
    ):
        assert main(["--set", setting, "--runs", str(tmp_path)]) == 1
        assert word in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
