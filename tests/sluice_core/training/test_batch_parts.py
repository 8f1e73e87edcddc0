"""Parts of a batch computed by threads: the same sums as one after another, whatever the number of threads."""

from functools import partial

import pytest
import torch
from torch import Tensor, nn

from sluice_cells.dropout import dropout
from sluice_core.training.batch_parts import Figures, add_parts


def losses(model: nn.Linear, rows: Tensor) -> Figures:
    values = dropout(model(rows), 0.5)
    return values.square().sum(), torch.tensor(float(len(rows)))


def computed(threads: int) -> tuple[Tensor, Tensor, Tensor]:
    torch.manual_seed(1)
    model, rows = nn.Linear(40, 30), torch.randn(12, 40)
    parts = [partial(losses, model, part) for part in rows.chunk(3)]
    loss, number = add_parts(parts, model.parameters(), threads)
    (2 * loss).backward()
    assert model.weight.grad is not None
    return loss.detach(), number, model.weight.grad


def test_sums_do_not_depend_on_threads() -> None:
    alone, together = computed(1), computed(3)
    assert alone[1] == together[1] == 12
    assert torch.equal(alone[0], together[0])
    assert torch.equal(alone[2], together[2])


def test_the_gradient_is_scaled_by_what_follows() -> None:
    torch.manual_seed(2)
    model, rows = nn.Linear(4, 3), torch.randn(6, 4)

    def part(rows: Tensor) -> Figures:
        return (model(rows).square().sum(),)

    (3 * add_parts([partial(part, rows[:2]), partial(part, rows[2:])], model.parameters())[0]).backward()
    expected = torch.autograd.grad(3 * model(rows).square().sum(), list(model.parameters()))
    torch.testing.assert_close([p.grad for p in model.parameters()], list(expected))


def test_parts_drop_different_values() -> None:
    seen = []

    def part(weight: Tensor) -> Figures:
        values = dropout(weight * torch.ones(1000), 0.5)
        seen.append(values.detach())
        return (values.sum(),)

    weight = torch.ones(1, requires_grad=True)
    add_parts([partial(part, weight), partial(part, weight)], [weight])
    assert not torch.equal(*seen)


def test_autocast_counts_in_threads_too() -> None:
    types = []
    weight = torch.ones(3, 3, requires_grad=True)

    def part() -> Figures:
        product = torch.ones(3, 3) @ weight
        types.append(product.dtype)
        return (product.float().sum(),)

    with torch.autocast("cpu", torch.bfloat16):
        add_parts([part, part], [weight])
    assert types == [torch.bfloat16] * 2


def test_a_parameter_that_nothing_uses_has_no_gradient() -> None:
    used, unused = (torch.ones(1, requires_grad=True) for _ in range(2))
    (total,) = add_parts([lambda: (used.sum(),)] * 2, [used, unused])
    total.backward()
    assert used.grad == 2
    assert unused.grad is None


def test_what_a_part_raises_is_raised() -> None:
    def fails() -> Figures:
        raise ArithmeticError("in a part")

    weight = torch.ones(1, requires_grad=True)
    with pytest.raises(ArithmeticError, match="in a part"):
        add_parts([lambda: (weight.sum(),), fails], [weight])
