"""The compiled convolutions give what torch's give, and torch's take their place where they cannot run."""

import logging

import pytest
import torch

from asr.acoustic import convolutions
from asr.acoustic.network import Subsampling
from sluice_cells.compiler import CompilerError, compiler

pytestmark = pytest.mark.skipif(compiler() is None, reason="needs a C++ compiler")


def subsampling(size: int, channels: int, factor: int) -> Subsampling:
    torch.manual_seed(channels)
    made = Subsampling(size, channels, factor)
    for convolution in made.convolutions:
        torch.nn.init.normal_(convolution.bias, std=0.3)
    return made


def ragged(lengths: list[int], size: int) -> tuple[torch.Tensor, torch.Tensor]:
    features = torch.randn(len(lengths), max(lengths), size)
    for row, length in zip(features, lengths, strict=True):
        row[length:] = 0
    return features, torch.tensor(lengths)


def gradients(made: Subsampling, output: torch.Tensor, weights: torch.Tensor) -> list[torch.Tensor]:
    made.zero_grad()
    (output * weights).sum().backward()
    return [parameter.grad for parameter in made.parameters()]


@pytest.mark.parametrize("channels", convolutions.CHANNELS)
@pytest.mark.parametrize("factor", [2, 4])
@pytest.mark.parametrize(
    ("size", "lengths"), [(80, [50, 49, 31, 7]), (13, [9, 4, 1]), (1, [2]), (41, [30, 0, 3])]
)
@pytest.mark.parametrize("threads", [1, 3])
def test_values_and_gradients_are_torchs(
    channels: int, factor: int, size: int, lengths: list[int], threads: int
) -> None:
    made, before = subsampling(size, channels, factor), torch.get_num_threads()
    features, counts = ragged(lengths, size)
    assert convolutions.compiled(features, made.convolutions[0])
    expected, expected_steps = made._by_torch(features, counts)
    weights = torch.randn_like(expected)
    wanted = gradients(made, expected, weights)
    try:
        torch.set_num_threads(threads)
        found, steps = made(features, counts)
        torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)
        assert steps.tolist() == expected_steps.tolist()
        for one, other in zip(gradients(made, found, weights), wanted, strict=True):
            torch.testing.assert_close(one, other, atol=1e-4, rtol=1e-4)
        again = gradients(made, made(features, counts)[0], weights)
        assert all(map(torch.equal, again, gradients(made, made(features, counts)[0], weights)))
    finally:
        torch.set_num_threads(before)


def test_what_is_no_number_stays_visible() -> None:
    made, (features, counts) = subsampling(20, 8, 4), ragged([12, 8], 20)
    with torch.no_grad():
        made.convolutions[1].bias[3] = torch.nan
    assert made(features, counts)[0].isnan().any()


@pytest.mark.parametrize("case", ["channels", "double", "gradient", "compiler"])
def test_where_they_cannot_run_torchs_take_their_place(
    case: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    made, (features, counts) = subsampling(20, 6 if case == "channels" else 8, 4), ragged([12, 8], 20)
    if case == "double":
        made, features = made.double(), features.double()
    if case == "gradient":
        features.requires_grad_()
    if case == "compiler":

        def failing(source: str) -> None:
            raise CompilerError("none")

        monkeypatch.setattr(convolutions, "load", failing)
        monkeypatch.setattr(convolutions, "_library", convolutions._library.__wrapped__)
    with caplog.at_level(logging.INFO, logger=convolutions.__name__):
        assert not convolutions.compiled(features, made.convolutions[0])
    assert ("convolutions are torch's: none" in caplog.text) == (case == "compiler")
    output, _ = made(features, counts)
    torch.testing.assert_close(output, made._by_torch(features, counts)[0])
    output.sum().backward()
    assert case != "gradient" or features.grad is not None
