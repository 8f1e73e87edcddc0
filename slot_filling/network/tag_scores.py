"""The layer of tag scores, in which tags whose labels have components in common share what is learned of these."""

import re
from collections import Counter
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from slot_filling import schemes
from sluice_cells.products import linear


class TagScores(nn.Linear):
    """A linear layer in which a tag's weights are its own plus those of its components.

    `B-fromloc.city_name` is also a B, a fromloc, a city_name, a city, and a B of a fromloc. A component that many tags
    have is learned from the examples of all of them, so that a label with ten examples profits from what it shares
    with labels that have a thousand.
    """

    def __init__(self, size: int, tags: Sequence[str]) -> None:
        """Make a layer for vectors of `size`; a component that only one tag has gets no weights of its own."""
        super().__init__(size, len(tags))
        components = [label_components(tag) for tag in tags]
        counts = Counter(component for each in components for component in each)
        shared = sorted(component for component, count in counts.items() if count > 1)
        has = torch.tensor(
            [[component in each for component in shared] for each in components], dtype=torch.float32
        )
        self.has_component = nn.Buffer(has.reshape(len(tags), len(shared)), persistent=False)
        # The last column is the bias. The name is that of the tensor in the weights of older runs.
        self.part_weight = nn.Parameter(torch.zeros(len(shared), size + 1))

    def forward(self, vectors: Tensor) -> Tensor:
        """Return scores `[..., tags]` of vectors `[..., size]`."""
        shared = self.has_component @ self.part_weight
        return linear(vectors, self.weight + shared[:, :-1], self.bias + shared[:, -1])


def label_components(tag: str) -> set[str]:
    """Return the components of a tag: its prefix, label, the label's pieces and words, and the prefix with each piece.

    Example:
        >>> sorted(label_components("B-toloc.city_name"))
        ['B-', 'B-city_name', 'B-toloc', 'city', 'city_name', 'name', 'toloc', 'toloc.city_name']
    """
    prefix, label = schemes.split(tag)
    pieces = {piece for piece in label.split(".") if piece}
    words = {word for word in re.split(r"[\W_]+", label) if word}
    return {f"{prefix}-", label} - {""} | pieces | words | {f"{prefix}-{piece}" for piece in pieces}
