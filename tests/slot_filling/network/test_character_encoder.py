"""Words by their characters: padding says nothing, and sums of a table are what convolutions are."""

import pytest
import torch
from torch import Tensor

from slot_filling.network.character_encoder import CharacterCNN, CharacterLSTM


@pytest.mark.parametrize("kind", [CharacterCNN, CharacterLSTM])
def test_spelling_is_read_whatever_is_beside_it(kind: type) -> None:
    torch.manual_seed(0)
    made = CharacterCNN(9, 4, 3, (3, 5)) if kind is CharacterCNN else CharacterLSTM(9, 4, 3)
    short, long = torch.tensor([[2, 3]]), torch.tensor([[0] * 6, [2, 3, 0, 0, 0, 0], [4, 5, 6, 7, 8, 2]])
    read = made(long)
    torch.testing.assert_close(read[1:2], made(short))
    assert read.shape == (3, made.size) and not read[0].any(), "what has no characters says nothing"


def random_words(count: int, longest: int, alphabet: int) -> Tensor:
    """Return words of few letters, so that in one word the same comes again; the first is empty."""
    characters = torch.randint(1, alphabet, (count, longest))
    lengths = torch.randint(1, longest + 1, (count,))
    lengths[0] = 0
    return characters * (torch.arange(longest) < lengths[:, None])


@pytest.mark.parametrize("widths", [(1,), (3, 5), (9,)])
@pytest.mark.parametrize("longest", [1, 2, 12])
def test_sums_of_a_table_give_what_convolutions_give(widths: tuple[int, ...], longest: int) -> None:
    torch.manual_seed(longest)
    made = CharacterCNN(4, 5, 7, widths).double()
    words = random_words(40, longest, 4)
    weights = torch.randn(40, made.size, dtype=torch.float64)
    found = {}
    for way in (made._by_sums, made._by_products):
        made.zero_grad()
        answers = way(words)
        (answers * weights).sum().backward()
        found[way.__name__] = answers.detach(), *(parameter.grad.clone() for parameter in made.parameters())
    for sums, products in zip(*found.values(), strict=True):
        torch.testing.assert_close(sums, products, rtol=1e-12, atol=1e-12)


def test_gradients_by_sums_are_those_of_differences() -> None:
    torch.manual_seed(1)
    made = CharacterCNN(6, 3, 4, (3,)).double()
    words = random_words(8, 5, 6)
    names = [name for name, _ in made.named_parameters()]

    def answer(*values: Tensor) -> Tensor:
        return torch.func.functional_call(made, dict(zip(names, values, strict=True)), (words,))

    assert torch.autograd.gradcheck(answer, tuple(made.parameters()))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_read_by_products(dtype: torch.dtype) -> None:
    made = CharacterCNN(6, 3, 4, (3,)).to(dtype)
    assert made(random_words(8, 5, 6)).dtype == dtype


def test_under_autocast_it_is_read_by_products() -> None:
    made = CharacterCNN(6, 3, 4, (3,))
    with torch.autocast("cpu", torch.bfloat16):
        answers = made(random_words(8, 5, 6))
    answers.float().sum().backward()
    assert all(parameter.grad is not None for parameter in made.parameters())
