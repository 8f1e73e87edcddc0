"""Benchmarks run, and work out their figures as they say; how large these are is not looked at."""

import sys
from collections.abc import Iterator
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import pytest
import torch
from torch.nn.utils.rnn import pad_sequence

from asr.acoustic.features import Features
from asr.acoustic.network import AcousticModel
from asr.config import RecognizerConfig
from asr.training.dataset import UtteranceBatch
from asr.training.task import training_losses
from benchmarks import cells, products, training
from benchmarks.common import describe_processor
from benchmarks.peers.recognizer import PeerModel
from sluice.recipes import find_recipe
from sluice_cells.engines.native import torch_weights
from sluice_cells.products.candidates import WEIGHT, candidates
from tests.sluice_cells.variants import needs_compiler


@pytest.fixture(scope="module")
def recipe() -> RecognizerConfig:
    return RecognizerConfig.read(find_recipe(training.RECIPE))


def test_the_training_benchmark_does_all_that_its_recipe_asks_for(
    recipe: RecognizerConfig, tmp_path: Path
) -> None:
    rows, _ = training.rows_of_files(9)
    ours, peer = training.OurStages(recipe, rows, tmp_path), training.PeerStages(recipe, rows, packed=True)
    exchanged = []
    inner = ours.dataset._exchange

    def exchange(item, samples, generator):
        exchanged.append(inner(item, samples, generator))
        return exchanged[-1]

    ours.dataset._exchange = exchange
    before = [side.state_dict()["norm.weight"].clone() for side in (ours.model, peer.peer.model)]
    runs = [training.take_turns([ours, peer], training.batches_of(recipe, rows))]
    for seconds in runs[0]:
        assert tuple(seconds) == training.STAGES and all(value > 0 for value in seconds.values())
    assert any(each is not None and set(each[1]) <= set(training.LETTERS) for each in exchanged)
    after = [side.state_dict()["norm.weight"] for side in (ours.model, peer.peer.model)]
    assert not any(torch.equal(*pair) for pair in zip(before, after, strict=True))
    ratio = training.seconds_of(runs[0][1]) / training.seconds_of(runs[0][0])
    assert f"{ratio:.2f} times as fast as torch, packed" in training.times_as_fast(
        ["a", "torch, packed"], runs
    )


def test_without_augmentation_the_peer_trains_the_same_model_on_the_same_features(
    recipe: RecognizerConfig,
) -> None:
    torch.manual_seed(0)
    waves = [0.1 * torch.randn(count) for count in (16000, 9000, 12345)]
    targets = [torch.randint(1, training.TOKENS, (count,)) for count in (9, 3, 5)]
    peer = training.PeerStages(recipe, [], packed=True).peer
    model = AcousticModel(recipe.model, recipe.features.mels, training.TOKENS)
    copy_weights(model, peer.model)
    theirs, their_frames = peer.data(waves, augment=False)
    lengths = torch.tensor([len(wave) for wave in waves])
    ours, frames = Features(recipe.features)(pad_sequence(waves, batch_first=True), lengths)
    torch.testing.assert_close(theirs, ours, rtol=0, atol=2e-4)
    assert torch.equal(their_frames, frames)
    log_probs, steps = model.eval()(ours, frames)
    batch = UtteranceBatch(
        *([0, 1, 2], ours, frames, pad_sequence(targets, batch_first=True), torch.tensor([9, 3, 5]), [])
    )
    loss, _ = training_losses(log_probs, steps, batch)
    their_loss = peer.loss(*peer.model.eval()(ours, frames), targets)
    torch.testing.assert_close(their_loss, loss, rtol=1e-5, atol=0)
    loss.backward()
    their_loss.backward()
    for name in ("convolutions.0.weight", "convolutions.1.bias"):  # whose gradients depend on all the rest
        torch.testing.assert_close(
            peer.model.get_parameter(name).grad,
            model.get_parameter(f"subsampling.{name}").grad,
            rtol=1e-4,
            atol=1e-4,
        )


def copy_weights(model: AcousticModel, peer: PeerModel) -> None:
    """Give the peer's model the weights of ours."""
    pairs = {"convolutions": model.subsampling.convolutions, "norm": model.norm, "output": model.output}
    for name, module in {**pairs, "norms": model.stack.norms}.items():
        peer.get_submodule(name).load_state_dict(module.state_dict())
    cells = [cell for layer in model.stack.cells for cell in layer]
    theirs = [weights for layer in peer.layers for weights in layer.all_weights]
    with torch.no_grad():
        for cell, weights in zip(cells, theirs, strict=True):
            for to, source in zip(weights, torch_weights(cell), strict=True):
                to.copy_(source)


@pytest.fixture
def threads() -> Iterator[None]:
    """The benchmark of cells leaves torch with the threads of its last figure."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@needs_compiler
def test_the_cells_benchmark_shows_the_middle_of_its_passes(threads: None) -> None:
    plan = replace(cells.QUICK, shapes=(cells.Shape(5, 2, 8), cells.Shape(5, 1, 8)), passes=3, rounds=1)
    found = cells.measure(plan, ["gru", "elman"], quiet=True)
    assert len(found) == 2 * (4 + 2)  # a batch of one is never ragged
    for each in found:
        assert each.ratio == pytest.approx(each.seconds / each.peer_seconds)
        assert each.passes == tuple(sorted(each.passes)) and each.ratio == each.passes[1]
    table = cells.table(found)
    assert table.count("gru / nn.GRU") == table.count("elman / nn.RNN") == 2
    assert "half of them lie" in cells.between_passes(found)


def test_a_ratio_beyond_its_limit_is_marked() -> None:
    shape, task = cells.WHOLE.shapes[0], cells.WORKLOADS[0]
    within = cells.CellRatio("lstm", "nn.LSTM", "fast", shape, 1, task, 1.1, 1.0, 9, True)
    assert within.text() == "1.10 ≤1.10"
    assert replace(within, seconds=1.2).text() == "1.20 ≤1.10 OVER"
    assert replace(within, seconds=0.8, undisturbed=False).text() == "~0.80 ≤1.10"
    assert replace(within, shape=cells.Shape(5, 2, 8)).text() == "1.10"


def test_the_processor_is_named_by_vendor_generation_and_vector_instructions(tmp_path: Path) -> None:
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text(
        "processor\t: 0\nvendor_id\t: AuthenticAMD\ncpu family\t: 26\nmodel\t\t: 2\nmodel name\t: AMD EPYC\n"
        "flags\t\t: fpu avx2 avx512f avx512_bf16\n\nprocessor\t: 1\nvendor_id\t: GenuineIntel\n"
    )
    assert describe_processor(cpuinfo) == "vendor AMD, family 26, model 2, avx2, avx512f, avx512_bf16"
    cpuinfo.write_text(
        "processor\t: 0\nFeatures\t: fp asimd sve\nCPU implementer\t: 0x41\nCPU part\t: 0xd40\n"
    )
    assert describe_processor(cpuinfo) == "vendor ARM, part 0xd40, asimd, sve"
    assert describe_processor(tmp_path / "none").startswith("vendor ")


def test_the_products_benchmark_names_each_library_and_what_would_be_taken(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(products, "SHAPES", [("small", 20, 16, 8, (WEIGHT,))])
    threads = torch.get_num_threads()
    try:
        products.main(["--threads", "1"])
    finally:
        torch.set_num_threads(threads)
    *_, header, _, row = capsys.readouterr().out.splitlines()
    libraries = [*candidates(WEIGHT)]
    cells_of = [[cell.strip() for cell in line.strip("|").split("|")] for line in (header, row)]
    assert cells_of[0] == ["product", "rows x inputs x outputs", *libraries, "taken"]
    assert cells_of[1][:2] == [f"small, {WEIGHT}", "32 x 16 x 8"]
    assert cells_of[1][-1] in libraries and all(cells_of[1])


@pytest.mark.parametrize(
    "name",
    ["cells", "decoding", "epoch", "heads", "long_form", "products", "server", "training", "word_times"],
)
def test_help_says_how_a_benchmark_is_started(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", [f"{name}.py", "--help"])
    with pytest.raises(SystemExit):
        import_module(f"benchmarks.{name}").main()
    assert capsys.readouterr().out.startswith(f"usage: python -m benchmarks.{name} ")


def test_the_benchmark_of_voices_counts_seconds_of_speech_and_of_processors() -> None:
    from benchmarks.voices import measure
    from tests.asr.synthesis.fake_engine import FakeEngine

    engine = FakeEngine(seconds=0.1)
    cpu, spoken = measure(engine, ["abc abc", "abc abc"])
    assert 0 <= cpu < 10
    assert 0.5 < spoken < 0.7
    assert [voice for _, voice, *_ in engine.said] == ["a", "a", "b"]
