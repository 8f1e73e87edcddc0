"""Heads: from a score for each tag of each word to paths of tags, their probabilities and a loss to train by."""

from abc import abstractmethod
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from slot_filling.heads.chain import Chain
from slot_filling.heads.loss import PathLoss, make_chain
from slot_filling.heads.posterior import Posterior, posterior_of
from slot_filling.heads.viterbi import best_paths, k_best_paths
from sluice_core.masks import padding_mask


class TaggedSpan(NamedTuple):
    """A span as it stands in a path of tags."""

    start: int
    """Its first word."""
    tags: Sequence[int]
    """The tags of its words, such as those of B-city I-city."""
    not_next: Sequence[int] = ()
    """Tags that would go on with it: the word after it, if there is one, has none of these."""


class Head(nn.Module):
    """What all heads share: a path's score is the sum of its emissions, and of what it learns of moves.

    Paths that the scheme forbids have no probability and are never decoded. Scores are natural logs of weights;
    inside all is computed in float64, whatever the emissions' type, so that scores of 10,000 and minus infinity do
    no harm. Positions past a length are never read. An empty sentence has one path, the empty one, of score 0.
    """

    def __init__(self, tags: int, start: np.ndarray, allowed: np.ndarray, end: np.ndarray) -> None:
        """Set what is allowed.

        Args:
            tags: number of tags.
            start: `[tags]` bool, tags that may come first.
            allowed: `[tags, tags]` bool, the column's tag may follow the row's.
            end: `[tags]` bool, tags that may come last.

        Raises:
            ValueError: a shape is another, or nothing may come first or last.
        """
        super().__init__()
        self.tags = tags
        self.temperature = 1.0
        """What all scores are divided by, but for the loss: above 1 the same paths are best, and less sure to be."""
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
        """The loss of each sentence, to be trained by.

        Args:
            emissions: `[batch, time, tags]` of any floating type; half precision is computed in more.
            tags: `[batch, time]` int64 true tags; anything past the lengths.
            lengths: `[batch]` int64 words of each sentence.

        Returns:
            `[batch]` float32 (float64 of float64); infinite where the true path is forbidden.

        Raises:
            ValueError: shapes or ranges do not fit.
        """

    @abstractmethod
    def _scores(self) -> tuple[Tensor, Tensor, Tensor]:
        """Transitions, start and end scores, minus infinity where forbidden."""

    def _forbid(self, transitions: Tensor, start: Tensor, end: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        return (
            transitions.masked_fill(~self.may_follow, -torch.inf),
            start.masked_fill(~self.may_start, -torch.inf),
            end.masked_fill(~self.may_end, -torch.inf),
        )

    def _chain(self, emissions: Tensor, lengths: Tensor) -> Chain:
        return self._chain_at(self.temperature, emissions, lengths)

    def _chain_at(self, temperature: float, emissions: Tensor, lengths: Tensor) -> Chain:
        emissions, lengths = self._checked(emissions, lengths)
        transitions, start, end = self._scores()
        if temperature != 1.0:
            emissions, transitions, start, end = (
                each.double() / temperature for each in (emissions, transitions, start, end)
            )
        return make_chain(emissions, transitions, start, end, lengths)

    def _checked(self, emissions: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Emissions of at least one step, and lengths on the same device."""
        if emissions.ndim != 3 or emissions.shape[2] != self.tags or len(lengths) != len(emissions):
            raise ValueError(
                f"emissions must be [batch, time, {self.tags}] and lengths [batch]; "
                f"they are {list(emissions.shape)} and {list(lengths.shape)}"
            )
        if len(lengths) and not 0 <= int(lengths.min()) <= int(lengths.max()) <= emissions.shape[1]:
            raise ValueError(
                f"lengths must lie between 0 and the {emissions.shape[1]} steps: {lengths.tolist()}"
            )
        if emissions.shape[1] == 0:
            emissions = functional.pad(emissions, (0, 0, 0, 1))
        return emissions, lengths.to(emissions.device, torch.int64)

    @staticmethod
    def _masked(tags: Tensor, emissions: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """True tags `[batch, time]`, 0 past the lengths, and where they are not past them."""
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
        """`[batch]` float64: the log-probability of given paths `[batch, time]` at a temperature of its own."""
        chain = self._chain_at(temperature, emissions, lengths)
        tags, _ = self._masked(tags, chain.emissions, chain.lengths)
        return chain.score(tags) - posterior_of(chain).log_partition

    @torch.no_grad()
    def decode(self, emissions: Tensor, lengths: Tensor) -> tuple[list[np.ndarray], Tensor]:
        """The best path of each sentence (Viterbi 1967).

        Returns:
            Tags `[length]` int64 of each sentence, and the paths' scores `[batch]` float64. Minus
            `log_partition`, a score is the log of the path's probability.
        """
        chain = self._chain(emissions, lengths)
        paths, scores = best_paths(chain)
        each = zip(paths.cpu().numpy(), chain.lengths.tolist(), strict=True)
        return [path[:length] for path, length in each], scores

    @torch.no_grad()
    def k_best(self, emissions: Tensor, lengths: Tensor, k: int) -> list[list[tuple[float, np.ndarray]]]:
        """Of each sentence its best k paths with their scores, best first; fewer where fewer are allowed."""
        return k_best_paths(self._chain(emissions, lengths), k)

    @torch.no_grad()
    def log_partition(self, emissions: Tensor, lengths: Tensor) -> Tensor:
        """`[batch]` float64: the log of the sum of exp(score) over all allowed paths."""
        return self._posterior(emissions, lengths).log_partition

    @torch.no_grad()
    def marginals(self, emissions: Tensor, lengths: Tensor) -> Tensor:
        """`[batch, time, tags]` float64: the probability of each tag of each word, zero past the lengths.

        They are of the distribution over allowed paths, proportional to exp(score), for every head. Only the losses
        "softmax", "crf" and "softmax_margin" train it to be one; of "perceptron" and "max_margin" it says which
        tags are likelier, and not how likely they are.
        """
        return self._posterior(emissions, lengths).marginals

    @torch.no_grad()
    def entropy(self, emissions: Tensor, lengths: Tensor) -> Tensor:
        """`[batch]` float64: the entropy of each sentence's distribution over allowed paths, in nats."""
        return self._posterior(emissions, lengths).entropy

    @torch.no_grad()
    def span_probabilities(
        self, emissions: Tensor, lengths: Tensor, spans: Sequence[Iterable[TaggedSpan]]
    ) -> list[list[float]]:
        """The probability of each span, that these words and no more have these tags, over all allowed paths.

        Args:
            emissions: `[batch, time, tags]`
            lengths: `[batch]` int64.
            spans: of each sentence.

        Raises:
            ValueError: a span is empty or does not lie within its sentence.
        """
        posterior = self._posterior(emissions, lengths)
        marginals = posterior.marginals.cpu().numpy()
        sentences = zip(spans, lengths.tolist(), strict=True)
        return [
            [_span_probability(posterior, marginals[number, :length], number, span) for span in each]
            for number, (each, length) in enumerate(sentences)
        ]

    def _posterior(self, emissions: Tensor, lengths: Tensor) -> Posterior:
        return posterior_of(self._chain(emissions, lengths))


def _span_probability(posterior: Posterior, marginals: np.ndarray, sentence: int, span: TaggedSpan) -> float:
    """The product along the span of each tag given the one before: the posterior is a Markov chain.

    `marginals [length, tags]` are the sentence's.
    """
    length, stop = len(marginals), span.start + len(span.tags)
    if not 0 <= span.start < stop <= length:
        raise ValueError(
            f"sentence {sentence} has {length} words; there is no span from {span.start} to {stop}"
        )
    probability = float(marginals[span.start, span.tags[0]])
    for place, tag in enumerate(span.tags):
        step = span.start + place
        if probability == 0.0 or step + 1 == length:
            break
        after = posterior.pairs(sentence, step, tag)
        inside = step + 1 < stop
        joint = after[span.tags[place + 1]] if inside else np.delete(after, list(span.not_next)).sum()
        probability *= float(joint / marginals[step, tag])
    return min(probability, 1.0)


class SoftmaxHead(Head):
    """Each word's tag by itself: the loss is the cross-entropy of its true tag among all tags, summed over words.

    Nothing is learned of moves, and training knows none. Decoding, `k_best`, `marginals`, spans and entropy are
    those of the allowed paths: the product of the words' softmaxes, renormalized over what the scheme allows, so
    that the marginals are not the words' own softmaxes.
    """

    def loss(self, emissions: Tensor, tags: Tensor, lengths: Tensor) -> Tensor:
        """See `Head.loss`; finite even for a forbidden path, as no word knows of another."""
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
    """A linear chain with learned scores of moves, first and last tags, trained by `PathLoss`."""

    best_only = False
    """The best path stands against the true one; else all paths do."""
    cost = 0.0
    """What each wrong tag adds to the score of the paths that stand against the true one."""

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
    """Conditional random field: the negative log-probability of the true path (Lafferty et al. 2001)."""


class PerceptronHead(StructuredHead):
    """Structured perceptron: the best path's score less the true one's (Collins 2002)."""

    best_only = True


class MaxMarginHead(StructuredHead):
    """Structured support vector machine with Hamming cost (Taskar et al. 2003, Tsochantaridis et al. 2005).

    The most that any path's score plus its number of wrong tags is above the true path's score.
    """

    best_only = True
    cost = 1.0


class SoftmaxMarginHead(StructuredHead):
    """The loss of the CRF with the number of wrong tags added to every path's score (Gimpel and Smith 2010)."""

    cost = 1.0


HEADS: dict[str, type[Head]] = {
    "softmax": SoftmaxHead,
    "crf": CRFHead,
    "perceptron": PerceptronHead,
    "max_margin": MaxMarginHead,
    "softmax_margin": SoftmaxMarginHead,
}
"""Heads by name."""


def make_head(name: str, tags: int, start: np.ndarray, allowed: np.ndarray, end: np.ndarray) -> Head:
    """A head by its name in `HEADS`; see `Head` for the arguments.

    Raises:
        ValueError: there is no head of this name.
    """
    if name not in HEADS:
        raise ValueError(f"there is no head {name!r}; there are {', '.join(HEADS)}")
    return HEADS[name](tags, start, allowed, end)
