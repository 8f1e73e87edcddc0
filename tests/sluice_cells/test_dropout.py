"""Dropout drops what it is told to, the same with the same seed, and nothing in use."""

import pytest
import torch

from sluice_cells.dropout import dropout


@pytest.mark.parametrize("share", [0.05, 0.3, 0.5, 0.9])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_the_share_is_dropped_and_the_rest_scaled(share: float, dtype: torch.dtype) -> None:
    torch.manual_seed(1)
    values = torch.ones(1000, 401, dtype=dtype)
    dropped = dropout(values, share)
    assert dropped.dtype == dtype
    kept = dropped[dropped != 0]
    assert 1 - len(kept) / values.numel() == pytest.approx(share, abs=0.003)  # four deviations and more
    torch.testing.assert_close(kept, torch.full_like(kept, 1 / (1 - share)))


def test_neighbours_rows_and_columns_are_dropped_independently() -> None:
    torch.manual_seed(2)
    kept = (dropout(torch.ones(512, 512), 0.5) != 0).double() - 0.5
    for rows, columns in [(0, 1), (0, 2), (0, 3), (0, 4), (1, 0), (1, 1)]:
        products = kept[rows:, columns:] * kept[: 512 - rows, : 512 - columns]
        assert float(products.mean()) == pytest.approx(0, abs=0.0025)  # five deviations
    assert float(kept.mean(0).abs().max()) < 0.12 and float(kept.mean(1).abs().max()) < 0.12


def test_the_gradient_passes_where_values_do() -> None:
    values = torch.randn(7, 5, requires_grad=True)
    dropped = dropout(values, 0.4)
    dropped.sum().backward()
    assert values.grad is not None
    assert torch.equal(values.grad == 0, dropped == 0)


def test_the_seed_decides() -> None:
    def draw(seed: int) -> torch.Tensor:
        torch.manual_seed(seed)
        return torch.stack([dropout(torch.ones(33, 3), 0.3) for _ in range(2)])

    assert torch.equal(draw(3), draw(3))
    first, second = draw(3)
    assert not torch.equal(first, second) and not torch.equal(draw(3), draw(4))


@pytest.mark.parametrize("shape", [(), (0,), (3, 0, 2), (1,), (2, 3, 5)])
def test_any_shape(shape: tuple[int, ...]) -> None:
    assert dropout(torch.ones(shape), 0.5).shape == shape


def test_nothing_is_dropped_in_use_or_with_no_share() -> None:
    values = torch.randn(4, 4)
    assert dropout(values, 0.5, training=False) is values
    assert dropout(values, 0.0) is values
    assert int((dropout(torch.ones(10000), 0.9999999) != 0).sum()) <= 2
