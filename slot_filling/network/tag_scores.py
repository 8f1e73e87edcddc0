"""A score for every tag of a word; tags whose names have parts in common share what is learned of those."""

import re
from collections import Counter
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from slot_filling import schemes


class TagScores(nn.Linear):
    """A linear layer in which a tag's weights are its own plus those of its name's parts.

    `B-fromloc.city_name` is also a B, a fromloc, a city_name, a city, and a B of a fromloc. A part that many tags have
    is learned from the examples of all: a label with ten examples is known by what it shares with those that have a
    thousand.
    """

    def __init__(self, size: int, tags: Sequence[str]) -> None:
        """Make a layer for vectors of `size`; a part that only one tag has is not told apart from the tag."""
        super().__init__(size, len(tags))
        names = [parts_of(tag) for tag in tags]
        counts = Counter(part for each in names for part in each)
        shared = sorted(part for part, count in counts.items() if count > 1)
        has = torch.tensor([[part in each for part in shared] for each in names], dtype=torch.float32)
        self.has_part = nn.Buffer(has.reshape(len(tags), len(shared)), persistent=False)
        self.part_weight = nn.Parameter(torch.zeros(len(shared), size + 1))  # the last column is the bias

    def forward(self, vectors: Tensor) -> Tensor:
        """Vectors `[..., size]` to scores `[..., tags]`."""
        shared = self.has_part @ self.part_weight
        return functional.linear(vectors, self.weight + shared[:, :-1], self.bias + shared[:, -1])


def parts_of(tag: str) -> set[str]:
    """What a tag's name is made of: prefix, label, the label's pieces and words, and prefix with piece.

    Example:
        >>> sorted(parts_of("B-toloc.city_name"))
        ['B-', 'B-city_name', 'B-toloc', 'city', 'city_name', 'name', 'toloc', 'toloc.city_name']
    """
    prefix, label = schemes.split(tag)
    pieces = {piece for piece in label.split(".") if piece}
    words = {word for word in re.split(r"[\W_]+", label) if word}
    return {f"{prefix}-", label} - {""} | pieces | words | {f"{prefix}-{piece}" for piece in pieces}
