"""Character encoders: the vector of a word from its characters, by convolution filters or by an LSTM."""

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from slot_filling.vocabulary import PADDING
from sluice_cells import Stack
from sluice_cells.double_backward import differentiable_once
from sluice_core.jit import compiled_sums


class CharacterCNN(nn.Module):
    """Encodes a word as the greatest response of filters of several widths (Kim et al. 2016, without highways)."""

    def __init__(self, characters: int, size: int, filters: int, widths: tuple[int, ...]) -> None:
        """Make filters.

        Args:
            characters: size of the alphabet.
            size: size of a character's vector.
            filters: how many filters there are of each width.
            widths: widths of filters in characters, odd.
        """
        super().__init__()
        self.embedding = nn.Embedding(characters, size, padding_idx=PADDING)
        self.convolutions = nn.ModuleList(
            nn.Conv1d(size, filters, width, padding=width // 2) for width in widths
        )
        self.size = filters * len(widths)

    def forward(self, characters: Tensor) -> Tensor:
        """Return vectors `[forms, size]` of words `[forms, longest]` padded at their ends; zeros for an empty word."""
        weights = self.embedding.weight
        whole = weights.dtype in (torch.float32, torch.float64) and not torch.is_autocast_enabled("cpu")
        summed = weights.device.type == "cpu" and whole
        return self._by_sums(characters) if summed else self._by_products(characters)

    def _by_products(self, characters: Tensor) -> Tensor:
        inside = (characters != PADDING)[:, None]  # [forms, 1, longest]
        vectors = self.embedding(characters).transpose(1, 2)  # [forms, size, longest]
        found = [convolution(vectors).relu() * inside for convolution in self.convolutions]
        return torch.cat([each.amax(2) for each in found], 1)

    def _by_sums(self, characters: Tensor) -> Tensor:
        """Return the same, from a table of what each character gives each filter at each place.

        There are few characters, so a filter's response is a sum of a few rows of that table; and its gradient goes to
        the greatest response alone. Both together take a seventh of the time.
        """
        found = []
        for convolution in self.convolutions:
            table = torch.einsum("cs,fsw->wcf", self.embedding.weight, convolution.weight)
            found.append(_GreatestResponses.apply(table, convolution.bias, characters))
        return torch.cat(found, 1)


class CharacterLSTM(nn.Module):
    """Encodes a word as the last states of an LSTM that reads it forward and backward (Lample et al. 2016)."""

    def __init__(self, characters: int, size: int, hidden_size: int) -> None:
        """Make an encoder for an alphabet of `characters` with vectors of `size`, `hidden_size` units a direction."""
        super().__init__()
        self.embedding = nn.Embedding(characters, size, padding_idx=PADDING)
        self.stack = Stack("lstm", size, hidden_size, bidirectional=True)
        self.size = 2 * hidden_size

    def forward(self, characters: Tensor) -> Tensor:
        """Return vectors `[forms, size]` of words `[forms, longest]`."""
        lengths = (characters != PADDING).sum(1)
        _, states = self.stack(self.embedding(characters), lengths)
        return torch.cat([state[0] for state in states], 1)


class _GreatestResponses(torch.autograd.Function):
    """The greatest response of each filter to each word, where one is positive, else 0.

    Its gradient goes to the place of that response alone. Among places of equal responses the first has all of it;
    where responses are exactly equal, so are the characters that gave them, and their gradient.
    """

    @staticmethod
    def forward(ctx: Any, table: Tensor, bias: Tensor, characters: Tensor) -> Tensor:
        """Return `[forms, filters]`.

        Args:
            ctx: what `backward` needs.
            table: `[width, alphabet, filters]`
            bias: `[filters]`
            characters: `[forms, longest]`
        """
        shape = len(characters), len(bias)
        responses, places = table.new_empty(shape), torch.empty(shape, dtype=torch.int32)
        ctx.table, ctx.places, ctx.characters = table.shape, places, characters.numpy()
        given = table.detach().contiguous().numpy(), bias.detach().numpy()
        _greatest(*given, ctx.characters, responses.numpy(), places.numpy())
        return responses

    @staticmethod
    @differentiable_once("filters over characters are differentiated once")
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, None]:
        """Return the gradients of the table and of the bias."""
        table, bias = gradient.new_zeros(ctx.table), gradient.new_zeros(ctx.table[2])
        _to_greatest(
            gradient.contiguous().numpy(), ctx.characters, ctx.places.numpy(), table.numpy(), bias.numpy()
        )
        return table, bias, None


@compiled_sums
def _greatest(table, bias, characters, responses, places):  # type: ignore[no-untyped-def]
    """Fill `responses` and `places [forms, filters]`: the greatest response and where it is, or 0 and -1."""
    width, _, filters = table.shape
    response = np.empty(filters, table.dtype)
    for form in range(len(characters)):
        word, best, place = characters[form], responses[form], places[form]
        best[:] = 0
        place[:] = -1
        for middle in range(len(word)):
            if word[middle] == PADDING:
                break
            response[:] = bias
            for offset in range(width):
                at = middle + offset - width // 2
                if 0 <= at < len(word) and word[at] != PADDING:
                    given = table[offset, word[at]]
                    for filter in range(filters):
                        response[filter] += given[filter]
            for filter in range(filters):
                stronger = response[filter] > best[filter]
                best[filter] = response[filter] if stronger else best[filter]
                place[filter] = middle if stronger else place[filter]


@compiled_sums
def _to_greatest(gradient, characters, places, table, bias):  # type: ignore[no-untyped-def]
    """Add the gradient `[forms, filters]` of the responses to that of the table and of the bias."""
    width, _, filters = table.shape
    for form in range(len(characters)):
        word = characters[form]
        for filter in range(filters):
            middle, amount = places[form, filter], gradient[form, filter]
            if middle < 0:
                continue
            bias[filter] += amount
            for offset in range(width):
                at = middle + offset - width // 2
                if 0 <= at < len(word) and word[at] != PADDING:
                    table[offset, word[at], filter] += amount
