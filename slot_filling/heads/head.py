"""Heads: what is learned of moves from tag to tag, and the losses by which tags are trained."""

from abc import abstractmethod

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from slot_filling.heads.chain import Chain, TransitionScores, check_shapes
from slot_filling.heads.loss import PathLoss
from slot_filling.heads.posterior import posterior_of
from slot_filling.heads.tensor_chain import TensorChain
from sluice_core.masks import padding_mask


class Head(nn.Module):
    """A head scores paths of tags: a path's score is the sum of its emissions and of the head's scores of its moves.

    Paths that the scheme forbids have no probability and are never decoded. Scores are natural logs of weights; all
    is computed in float64, whatever the emissions' type, so that scores of 10,000 and minus infinity do no harm.
    Positions past a length are never read. An empty sentence has one path, the empty one, of score 0.
    """

    def __init__(self, tags: int, start: np.ndarray, allowed: np.ndarray, end: np.ndarray) -> None:
        """Set what is allowed.

        Args:
            tags: number of tags.
            start: `[tags]` bool, tags that may come first.
            allowed: `[tags, tags]` bool, the column's tag may follow the row's.
            end: `[tags]` bool, tags that may come last.

        Raises:
            ValueError: a shape does not fit, or nothing may come first or last.
        """
        super().__init__()
        self.tags = tags
        self.may_start = self._permission("start", start, (tags,))
        self.may_follow = self._permission("allowed", allowed, (tags, tags))
        self.may_end = self._permission("end", end, (tags,))
        if not (self.may_start.any() and self.may_end.any()):
            raise ValueError("no tag may come first, or none may come last: no sentence would have a path")

    @staticmethod
    def _permission(name: str, values: np.ndarray, shape: tuple[int, ...]) -> nn.Buffer:
        permission = torch.as_tensor(np.asarray(values, bool))
        if permission.shape != shape:
            raise ValueError(f"{name} has the shape {tuple(permission.shape)}; it must be {shape}")
        return nn.Buffer(permission, persistent=False)  # not saved: the scheme tells it again

    @abstractmethod
    def loss(self, emissions: Tensor, tags: Tensor, lengths: Tensor) -> Tensor:
        """Return the loss of each sentence.

        Args:
            emissions: `[batch, time, tags]` of any floating type; half precision is computed in more.
            tags: `[batch, time]` int64 true tags; anything past the lengths.
            lengths: `[batch]` int64 words of each sentence.

        Returns:
            `[batch]` float32, or float64 for emissions in float64; infinite where the true path is forbidden.

        Raises:
            ValueError: shapes or ranges do not fit.
        """

    @abstractmethod
    def _scores(self) -> tuple[Tensor, Tensor, Tensor]:
        """Return the scores of transitions, of the first and of the last tag, minus infinity where forbidden."""

    def _forbid(self, transitions: Tensor, start: Tensor, end: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        return (
            transitions.masked_fill(~self.may_follow, -torch.inf),
            start.masked_fill(~self.may_start, -torch.inf),
            end.masked_fill(~self.may_end, -torch.inf),
        )

    def transition_scores(self) -> TransitionScores:
        """Return what is learned of moves as arrays, which is all that decoding needs of a head."""
        return TransitionScores(*(each.detach().double().cpu().numpy() for each in self._scores()))

    def chain(self, emissions: Tensor, lengths: Tensor, temperature: float = 1.0) -> Chain:
        """Return the scores of all paths of a batch as arrays, from which best paths and probabilities are computed.

        Args:
            emissions: `[batch, time, tags]` of any floating type, on any device.
            lengths: `[batch]` int64 words of each sentence.
            temperature: what all scores are divided by: above 1 the same paths are best, and less sure to be.

        Raises:
            ValueError: shapes or ranges do not fit.
        """
        scores = emissions.detach().double().cpu().numpy()
        return self.transition_scores().chain(scores, lengths.cpu().numpy(), temperature)

    def _checked(self, emissions: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Return emissions of at least one step, and lengths on the same device."""
        check_shapes(tuple(emissions.shape), lengths.cpu().numpy(), self.tags)
        if emissions.shape[1] == 0:
            emissions = functional.pad(emissions, (0, 0, 0, 1))
        return emissions, lengths.to(emissions.device, torch.int64)

    @staticmethod
    def _masked(tags: Tensor, emissions: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Return true tags `[batch, time]`, 0 past the lengths, and the padding mask."""
        if tags.shape[1] == 0:  # as `_checked` does with emissions
            tags = functional.pad(tags, (0, 1))
        if tags.shape != emissions.shape[:2]:
            raise ValueError(
                f"tags must be {list(emissions.shape[:2])}, as emissions; they are {list(tags.shape)}"
            )
        mask = padding_mask(lengths, tags.shape[1])
        return torch.where(mask, tags.to(mask.device), 0), mask

    @torch.no_grad()
    def log_likelihood(
        self, emissions: Tensor, tags: Tensor, lengths: Tensor, temperature: float = 1.0
    ) -> Tensor:
        """Return the log-probabilities `[batch]` float64, on the CPU, of given paths `[batch, time]`.

        Args:
            emissions: `[batch, time, tags]`
            tags: `[batch, time]` int64; anything past the lengths.
            lengths: `[batch]` int64 words of each sentence.
            temperature: what all scores are divided by first.
        """
        chain = self.chain(emissions, lengths, temperature)
        scores = (chain.emissions, chain.transitions, chain.start, chain.end, chain.lengths)
        tensors = TensorChain(*map(torch.from_numpy, scores))
        tags, _ = self._masked(tags.cpu(), tensors.emissions, tensors.lengths)
        return tensors.score(tags) - torch.from_numpy(posterior_of(chain).log_partition)


class SoftmaxHead(Head):
    """Trains each word's tag by itself: the loss is the cross-entropy of its true tag among all, summed over words.

    Nothing is learned of moves. Best paths and probabilities are those of the allowed paths: the product of the
    words' softmaxes, renormalized over what the scheme allows, so that the marginals are not the words' own
    softmaxes.
    """

    def loss(self, emissions: Tensor, tags: Tensor, lengths: Tensor) -> Tensor:
        """See `Head.loss`; it is finite even for a forbidden path, since each word is taken by itself."""
        emissions, lengths = self._checked(emissions, lengths)
        tags, mask = self._masked(tags, emissions, lengths)
        scores = emissions[mask].to(torch.promote_types(emissions.dtype, torch.float32))
        losses = functional.cross_entropy(scores, tags[mask], reduction="none")
        sentences = torch.arange(len(mask), device=mask.device)[:, None].expand_as(mask)[mask]
        return losses.new_zeros(len(mask)).index_add(0, sentences, losses)

    def _scores(self) -> tuple[Tensor, Tensor, Tensor]:
        free = torch.zeros_like(self.may_follow, dtype=torch.float64)
        return self._forbid(free, free[0], free[0])


class StructuredHead(Head):
    """A linear chain with learned scores of moves, of first and of last tags, trained by `PathLoss`."""

    best_only = False
    """Whether the best path stands against the true one, and not all paths."""
    cost = 0.0
    """How much each wrong tag adds to the score of the paths that stand against the true one."""

    def __init__(self, tags: int, start: np.ndarray, allowed: np.ndarray, end: np.ndarray) -> None:
        """See `Head`. All moves that are allowed begin with a score of zero."""
        super().__init__(tags, start, allowed, end)
        self.transitions = nn.Parameter(torch.zeros(tags, tags))
        self.start = nn.Parameter(torch.zeros(tags))
        self.end = nn.Parameter(torch.zeros(tags))

    def loss(self, emissions: Tensor, tags: Tensor, lengths: Tensor) -> Tensor:
        """See `Head.loss`."""
        emissions, lengths = self._checked(emissions, lengths)
        tags, _ = self._masked(tags, emissions, lengths)
        return PathLoss.apply(emissions, *self._scores(), tags, lengths, self.cost, self.best_only)

    def _scores(self) -> tuple[Tensor, Tensor, Tensor]:
        return self._forbid(self.transitions, self.start, self.end)


class CRFHead(StructuredHead):
    """Conditional random field: its loss is the negative log-probability of the true path (Lafferty et al. 2001)."""


class PerceptronHead(StructuredHead):
    """Structured perceptron: its loss is the best path's score less the true one's (Collins 2002)."""

    best_only = True


class MaxMarginHead(StructuredHead):
    """Structured support vector machine with Hamming cost (Taskar et al. 2003, Tsochantaridis et al. 2005).

    The loss is the most that any path's score plus its number of wrong tags exceeds the true path's score.
    """

    best_only = True
    cost = 1.0


class SoftmaxMarginHead(StructuredHead):
    """Softmax-margin: the CRF's loss with its wrong tags counted in every path's score (Gimpel and Smith 2010)."""

    cost = 1.0


HEADS: dict[str, type[Head]] = {
    "softmax": SoftmaxHead,
    "crf": CRFHead,
    "perceptron": PerceptronHead,
    "max_margin": MaxMarginHead,
    "softmax_margin": SoftmaxMarginHead,
}
"""The classes of heads by name."""


def make_head(name: str, tags: int, start: np.ndarray, allowed: np.ndarray, end: np.ndarray) -> Head:
    """Return a new head by its name in `HEADS`; see `Head` for the arguments.

    Raises:
        ValueError: there is no head of this name.
    """
    if name not in HEADS:
        raise ValueError(f"there is no head {name!r}; there are {', '.join(HEADS)}")
    return HEADS[name](tags, start, allowed, end)
