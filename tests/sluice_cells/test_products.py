"""Products of matrices by the fastest library: the same numbers by each, and a choice that stays what it was."""

import json
import logging
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from sluice_cells import Stack, compiler
from sluice_cells.products import MODES, Linear, fixed_in, gradient_of_weight, linear, measuring
from sluice_cells.products import candidates as libraries
from sluice_cells.products import choices as choosing
from sluice_cells.products.candidates import BELOW, FORWARD, WEIGHT
from sluice_cells.products.choices import Choices, active
from sluice_cells.products.measuring import ClockError, Kind, Measured, kind_of, measure
from sluice_cells.products.table import ProductTable

FORCED = [
    "torch",
    pytest.param(
        "onednn", marks=pytest.mark.skipif(libraries._onednn() is None, reason="no oneDNN in torch")
    ),
    pytest.param("own", marks=pytest.mark.skipif(libraries._own() is None, reason="no C++ compiler")),
]
KIND = Kind(FORWARD, 16, 8, 4, 1)
RUN = """
import logging, torch
logging.basicConfig(level=logging.DEBUG, format="%(message)s")
from sluice_cells.products import linear
print(torch.get_num_threads(), linear(torch.ones(512, 128), torch.ones(128, 128)).sum().item())
"""


@pytest.fixture
def fresh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A cache of this test's own, nothing remembered or chosen, and every product large."""
    monkeypatch.setenv("SLUICE_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("SLUICE_PRODUCTS", raising=False)
    monkeypatch.setattr("sluice_cells.products.dispatch.LARGE", 1)
    monkeypatch.setattr(choosing, "_active", [])
    remembered = (compiler.cache_directory, choosing._kept, choosing._warn_once)
    for each in remembered:
        each.cache_clear()
    yield tmp_path / "cache"
    for each in (*remembered, libraries._onednn, libraries._own):
        each.cache_clear()


@pytest.fixture
def force(fresh: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Let a mode count for this test."""
    return lambda mode: monkeypatch.setattr(choosing, "_active", [Choices(mode)])


def tables(cache: Path) -> list[Path]:
    return sorted(cache.glob("products-*.json"))


@pytest.mark.parametrize("mode", FORCED)
@pytest.mark.parametrize(
    "shape", [(7, 5, 3), (1, 33, 65), (130, 150, 127), (64, 64, 64), (0, 4, 3), (9, 1, 1)]
)
@pytest.mark.parametrize("wanted", [(1, 1, 1), (1, 0, 0), (0, 1, 0), (0, 0, 1), (0, 0, 0)])
def test_every_library_computes_what_torch_does(
    force: Callable[[str], None], mode: str, shape: tuple[int, int, int], wanted: tuple[int, int, int]
) -> None:
    force(mode)
    torch.manual_seed(0)
    count, inputs, outputs = shape
    given = [torch.randn(count, inputs), torch.randn(outputs, inputs), torch.randn(outputs)]
    weighed = torch.randn(count, outputs)
    results = []
    for compute in (linear, functional.linear):
        leaves = [each.clone().requires_grad_(bool(want)) for each, want in zip(given, wanted, strict=True)]
        result = compute(*leaves)
        if any(wanted):
            (result * weighed).sum().backward()
        results.append([result, *(each.grad for each in leaves)])
    for mine, theirs in zip(*results, strict=True):
        assert (mine is None) == (theirs is None)
        torch.testing.assert_close(mine, theirs, rtol=1e-4, atol=1e-4)
    assert active().made or mode == "torch" or count == 0


@pytest.mark.parametrize("mode", FORCED)
def test_rows_of_any_dimensions_and_layout_are_taken(force: Callable[[str], None], mode: str) -> None:
    force(mode)
    torch.manual_seed(0)
    layer, plain = Linear(6, 5), nn.Linear(6, 5)
    plain.load_state_dict(layer.state_dict())
    every = [
        torch.randn(2, 3, 4, 6),
        torch.randn(6),
        torch.randn(6, 7).t(),
        torch.randn(4, 3, 6).transpose(0, 1),
        torch.randn(9, 12)[:, ::2],
        torch.randn(1, 6).expand(8, 6),
    ]
    for rows in every:
        layer.zero_grad()
        plain.zero_grad()
        mine, theirs = rows.clone().requires_grad_(), rows.clone().requires_grad_()
        layer(mine).sum().backward()  # a gradient whose rows are one and the same memory
        plain(theirs).sum().backward()
        torch.testing.assert_close(layer(rows), plain(rows))
        torch.testing.assert_close(mine.grad, theirs.grad)
        torch.testing.assert_close(layer.weight.grad, plain.weight.grad)
        torch.testing.assert_close(layer.bias.grad, plain.bias.grad)


@pytest.mark.parametrize("mode", FORCED)
def test_gradients_can_be_differentiated_again(force: Callable[[str], None], mode: str) -> None:
    force(mode)
    torch.manual_seed(0)
    rows, weight = torch.randn(9, 6, requires_grad=True), torch.randn(5, 6, requires_grad=True)
    found = []
    for compute in (linear, functional.linear):
        result = compute(rows, weight).tanh().sum()
        (first,) = torch.autograd.grad(result, rows, create_graph=True)
        found.append(torch.autograd.grad(first.square().sum(), (rows, weight)))
    for mine, theirs in zip(*found, strict=True):
        torch.testing.assert_close(mine, theirs)


@pytest.mark.parametrize("mode", FORCED)
def test_the_gradient_of_a_weight_is_contiguous_and_right(force: Callable[[str], None], mode: str) -> None:
    force(mode)
    torch.manual_seed(0)
    for count, inputs, outputs in ((50, 13, 21), (1, 64, 64), (0, 3, 4)):
        gradient, rows = torch.randn(count, outputs), torch.randn(count, inputs)
        found = gradient_of_weight(gradient, rows)
        assert found.is_contiguous()
        torch.testing.assert_close(found, gradient.t() @ rows, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("mode", FORCED)
@pytest.mark.parametrize("threads", [1, 2])
def test_a_library_computes_the_same_bits_each_time(
    force: Callable[[str], None], mode: str, threads: int
) -> None:
    force(mode)
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        rows, weight = torch.randn(333, 100), torch.randn(77, 100)
        once, again = (linear(rows, weight) for _ in range(2))
        assert torch.equal(once, again)
        first, second = (gradient_of_weight(once, rows) for _ in range(2))
        assert torch.equal(first, second)
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("mode", FORCED)
@pytest.mark.parametrize("cell", ["lstm", "jordan", "projected_lstm"])
def test_a_padded_sequence_gives_what_it_gives_alone(
    force: Callable[[str], None], mode: str, cell: str
) -> None:
    force(mode)
    torch.manual_seed(0)
    stack = Stack(cell, 33, 20, layers=2, bidirectional=True)
    inputs, lengths = torch.randn(5, 70, 33), [70, 41, 17, 1, 0]
    together = stack.outputs(inputs, torch.tensor(lengths))
    for each, length in enumerate(lengths):
        alone = stack.outputs(inputs[each : each + 1, :length])
        torch.testing.assert_close(together[each : each + 1, :length], alone, rtol=1e-4, atol=1e-5)
        assert not together[each, length:].any()


def test_what_only_torch_can_do_is_left_to_torch(
    force: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    force("own")

    def fail(product: str) -> None:
        raise AssertionError(f"{product} was not left to torch")

    monkeypatch.setattr(choosing, "candidates", fail)
    rows, weight = torch.randn(9, 6), torch.randn(5, 6)
    linear(rows.double(), weight.double())
    linear(rows.to("meta"), weight.to("meta"))
    linear(rows.bfloat16(), weight.bfloat16())
    with torch.autocast("cpu", torch.bfloat16):
        assert linear(rows, weight).dtype == torch.bfloat16
    torch.testing.assert_close(
        torch.func.vmap(lambda row: linear(row[None], weight))(rows)[:, 0], rows @ weight.t()
    )
    traced = torch.jit.trace(lambda rows: linear(rows, weight), rows, check_trace=False)
    torch.testing.assert_close(traced(rows), rows @ weight.t())
    monkeypatch.setattr("sluice_cells.products.dispatch.LARGE", rows.shape[0] * weight.numel() + 1)
    linear(rows, weight)
    gradient_of_weight(torch.randn(9, 5), rows)


def test_left_to_torch_every_bit_is_torchs(force: Callable[[str], None]) -> None:
    force("torch")
    rows, weight, bias = torch.randn(333, 100), torch.randn(77, 100), torch.randn(77)
    assert torch.equal(linear(rows, weight, bias), functional.linear(rows, weight, bias))
    assert not active().made


class Speeds:
    """Candidates whose rounds take given seconds, by a clock that only they move."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, **seconds: list[float]) -> None:
        self.now = 0.0
        monkeypatch.setattr(measuring, "ROUNDS", len(seconds["torch"]))
        monkeypatch.setattr(measuring.time, "perf_counter", lambda: self.now)
        found = {name.replace("_", "-"): self.candidate(times) for name, times in seconds.items()}
        monkeypatch.setattr(measuring, "candidates", lambda product: found)

    def candidate(self, times: list[float]) -> Callable[..., Tensor]:
        left = iter([100.0, *times])  # the first warms up, and may take long

        def compute(*given: Tensor | None) -> Tensor:
            self.now += min(next(left), 9.0)
            return torch.empty(0)

        return compute


@pytest.mark.parametrize(
    ("other", "taken"),
    [
        ([0.9] * 5, "other"),
        ([0.97] * 5, "torch"),  # not by the margin
        ([1.5] * 5, "torch"),
        ([0.5, 1.0, 1.0, 1.0, 1.0], "torch"),  # a single fast round is chance
        ([0.9, 0.9, 3.0, 0.9, 3.0], "other"),  # and so are interruptions
    ],
)
def test_another_library_is_taken_if_it_is_clearly_faster(
    monkeypatch: pytest.MonkeyPatch, other: list[float], taken: str
) -> None:
    Speeds(monkeypatch, torch=[1.0] * 5, other=other)
    found = measure(KIND)
    assert found.taken == taken
    assert found.gflops.keys() == {"torch", "other"}


def test_measuring_leaves_the_random_numbers_as_they_are(fresh: Path) -> None:
    torch.manual_seed(3)
    wanted = torch.rand(4)
    torch.manual_seed(3)
    assert all(speed > 0 for speed in measure(kind_of(FORWARD, 64, 64, 64)).gflops.values())
    assert torch.equal(torch.rand(4), wanted)


@pytest.mark.parametrize("seconds", [0.0, -1.0, float("nan"), 3600.0, 1e-15])
def test_a_clock_that_cannot_be_right_leaves_products_to_torch_and_it_is_said_once(
    fresh: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, seconds: float
) -> None:
    now = [0.0]

    def clock() -> float:
        now[0] += seconds
        return now[0]

    monkeypatch.setattr(measuring.time, "perf_counter", clock)
    with pytest.raises(ClockError):
        measure(KIND)
    rows, weight = torch.randn(40, 6), torch.randn(5, 6, requires_grad=True)
    linear(rows, weight).sum().backward()
    linear(rows[:3], weight).sum().backward()
    assert {name for name, _ in active().made.values()} == {"torch"} and len(active().made) == 6
    assert len([each for each in caplog.records if "clock" in each.getMessage()]) == 1
    assert not tables(fresh)  # where the clock is right again, it is measured


def test_a_choice_is_kept_for_later_processes(
    fresh: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(choosing, "measure", lambda kind: Measured("torch-transposed", {"torch": 1.0}))
    kind = kind_of(WEIGHT, 100, 9, 7)
    with caplog.at_level(logging.DEBUG):
        assert Choices("auto").of(kind)[0] == "torch-transposed"
    (file,) = tables(fresh)
    assert f"{kind}: torch-transposed" in caplog.text and str(file) in caplog.text
    tree = json.loads(file.read_text())
    assert tree["products"] == {str(kind): {"taken": "torch-transposed", "gflops": {"torch": 1.0}}}
    monkeypatch.setattr(choosing, "measure", pytest.fail)
    choosing._kept.cache_clear()
    name, compute = Choices("auto").of(kind)
    assert name == "torch-transposed"
    gradient, rows = torch.randn(100, 7), torch.randn(100, 9)
    torch.testing.assert_close(compute(gradient, rows, None), gradient.t() @ rows)


@pytest.mark.parametrize("content", ["", "{", "[]", '{"products": 3}', "\0", '{"machine": 1, "torch": 2}'])
def test_a_damaged_table_is_remarked_on_and_written_anew(
    fresh: Path, caplog: pytest.LogCaptureFixture, content: str
) -> None:
    kind = kind_of(FORWARD, 8, 4, 4)
    Choices("auto").of(kind)
    (file,) = tables(fresh)
    file.write_text(content)
    choosing._kept.cache_clear()
    Choices("auto").of(kind)
    assert str(file) in caplog.text and "damaged" in caplog.text
    assert str(kind) in json.loads(file.read_text())["products"]


def test_processes_that_choose_at_once_agree(tmp_path: Path) -> None:
    first, second = ProductTable(tmp_path / "table.json"), ProductTable(tmp_path / "table.json")
    assert first.add("a", {"taken": "own", "gflops": {}})["taken"] == "own"
    assert second.add("a", {"taken": "torch", "gflops": {}})["taken"] == "own"
    second.add("b", {"taken": "torch", "gflops": {}})
    assert ProductTable(tmp_path / "table.json").products.keys() == {"a", "b"}
    assert [path.name for path in tmp_path.iterdir()] == ["table.json"]


@pytest.mark.skipif(not hasattr(os, "getuid"), reason="no owners of files here")
def test_a_table_that_others_could_write_is_not_trusted(fresh: Path) -> None:
    fresh.mkdir(mode=0o777)
    fresh.chmod(0o777)
    assert choosing._kept().path.parent != fresh


def test_a_table_that_cannot_be_written_is_said_and_nothing_fails(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("")
    table = ProductTable(tmp_path / "file" / "table.json")
    assert table.add("a", {"taken": "own", "gflops": {}})["taken"] == "own"
    assert "cannot write" in caplog.text


def broken_onednn() -> Callable[..., Tensor]:
    return lambda rows, weight, *rest: torch.zeros(rows.shape[0], weight.shape[0])


def missing_onednn() -> Callable[..., Tensor]:
    raise AttributeError("'_OpNamespace' 'mkldnn' object has no attribute '_linear_pointwise'")


@pytest.mark.parametrize("replaced", [broken_onednn, missing_onednn])
def test_without_onednn_or_with_a_wrong_one_torch_computes(
    fresh: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, replaced: Callable
) -> None:
    monkeypatch.setattr(libraries, "_onednn_linear", replaced)
    libraries._onednn.cache_clear()
    monkeypatch.setenv("SLUICE_PRODUCTS", "onednn")
    rows, weight = torch.randn(40, 6), torch.randn(5, 6, requires_grad=True)
    with caplog.at_level(logging.INFO):
        for count in (40, 3):
            torch.testing.assert_close(linear(rows[:count], weight), functional.linear(rows[:count], weight))
    assert {name for name, _ in active().made.values()} == {"torch"}
    said = [each.getMessage() for each in caplog.records]
    assert sum("do without oneDNN" in each for each in said) == 1
    assert sum("onednn is not available here, and torch takes its place" in each for each in said) == 1


def test_a_torch_without_onednn_is_measured_without(fresh: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: False)
    libraries._onednn.cache_clear()
    for product in (FORWARD, BELOW, WEIGHT):
        assert "onednn" not in measure(kind_of(product, 16, 8, 4)).gflops


def test_without_a_compiler_and_with_one_thread_by_the_environment_all_works(tmp_path: Path) -> None:
    environment = {**os.environ, "SLUICE_CACHE": str(tmp_path), "OMP_NUM_THREADS": "1"}
    environment |= {"CXX": "", "PATH": "", "SLUICE_PRODUCTS": ""}
    done = subprocess.run([sys.executable, "-c", RUN], env=environment, capture_output=True, text=True)
    assert done.stdout.split() == ["1", str(float(512 * 128 * 128))], done.stderr
    assert "do without our own: no C++ compiler was found" in done.stderr
    (file,) = tables(tmp_path)
    assert [name.endswith("threads 1") for name in json.loads(file.read_text())["products"]] == [True]


def test_a_wrong_mode_is_said_and_auto_is_taken(
    fresh: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("SLUICE_PRODUCTS", "blas")
    assert active().mode == "auto"
    assert "SLUICE_PRODUCTS=blas: there are auto, torch, onednn, own; auto is taken" in caplog.text


@pytest.mark.parametrize("mode", MODES)
def test_the_environment_sets_the_mode(fresh: Path, monkeypatch: pytest.MonkeyPatch, mode: str) -> None:
    monkeypatch.setenv("SLUICE_PRODUCTS", mode)
    assert active().mode == mode


def test_a_trainings_choices_stay_whatever_is_measured_later(
    fresh: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind, other, file = kind_of(WEIGHT, 100, 9, 7), kind_of(WEIGHT, 100, 9, 8), tmp_path / "products.json"
    monkeypatch.setattr(choosing, "measure", lambda kind: Measured("torch-transposed", {}))
    with fixed_in(file) as fixed:
        assert active() is fixed and fixed.of(kind)[0] == "torch-transposed"
    assert active() is not fixed
    (kept,) = tables(fresh)
    kept.unlink()
    choosing._kept.cache_clear()
    monkeypatch.setattr(choosing, "measure", lambda kind: Measured("torch", {}))
    assert Choices("auto").of(kind)[0] == "torch"
    with fixed_in(file) as fixed:
        assert fixed.of(kind)[0] == "torch-transposed" and fixed.of(other)[0] == "torch"
    assert json.loads(file.read_text())["products"].keys() == {str(kind), str(other)}


def test_a_training_begins_with_what_this_machine_has_measured(
    fresh: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind = kind_of(WEIGHT, 100, 9, 7)
    monkeypatch.setattr(choosing, "measure", lambda kind: Measured("torch-transposed", {}))
    Choices("auto").of(kind)
    monkeypatch.setattr(choosing, "measure", pytest.fail)
    with fixed_in(tmp_path / "products.json") as fixed:
        assert fixed.of(kind)[0] == "torch-transposed"


def test_a_training_goes_on_in_the_mode_that_it_began_with(
    fresh: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("SLUICE_PRODUCTS", "torch")
    with fixed_in(tmp_path / "products.json") as fixed:
        assert fixed.mode == "torch"
    monkeypatch.delenv("SLUICE_PRODUCTS")
    with caplog.at_level(logging.INFO), fixed_in(tmp_path / "products.json") as fixed:
        assert fixed.mode == "torch"
    assert "torch, as" in caplog.text


def test_choices_of_another_machine_are_not_taken_silently(
    fresh: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    kind, file = kind_of(WEIGHT, 100, 9, 7), tmp_path / "products.json"
    monkeypatch.setattr(choosing, "measure", lambda kind: Measured("torch-transposed", {}))
    with fixed_in(file) as fixed:
        fixed.of(kind)
    file.write_text(file.read_text().replace(compiler.processor_name(), "Another Processor"))
    for table in tables(fresh):
        table.unlink()
    choosing._kept.cache_clear()
    monkeypatch.setattr(choosing, "measure", lambda kind: Measured("torch", {}))
    with fixed_in(file) as fixed:
        assert fixed.of(kind)[0] == "torch"
    assert "measured on another machine (Another Processor, torch" in caplog.text
    assert json.loads(file.read_text())["machine"] == compiler.processor_name()
