"""The distribution over paths that a chain's scores make: its partition, marginals, entropy and spans.

The scaled recursion computes it, which is exact unless scores differ by some 600 nats (60 in float32); then the
recursion in logs takes its place.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from functools import cached_property
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import DTypeLike, NDArray

from slot_filling.heads import kernels
from slot_filling.heads.chain import Chain, Floats, longest_first
from slot_filling.heads.semirings import Entropy, Log, prefixes, total
from slot_filling.heads.tiles import SENTENCES, padded
from sluice_core.threads import share


class TaggedSpan(NamedTuple):
    """A span as it stands in a path of tags."""

    start: int
    """Its first word."""
    tags: Sequence[int]
    """The tags of its words, such as those of B-city I-city."""
    not_next: Sequence[int] = ()
    """Tags that would go on with it: the word after it, if there is one, has none of these."""


class Posterior(ABC):
    """Probabilities of paths, proportional to exp(score). Where no path is allowed, every probability is zero.

    Only the losses "softmax", "crf" and "softmax_margin" train scores to be such a distribution; with those of
    "perceptron" and "max_margin" it says which tags are likelier, and not how likely they are.
    """

    def __init__(self, chain: Chain) -> None:
        """Keep the scores."""
        self.chain = chain

    @property
    @abstractmethod
    def log_partition(self) -> Floats:
        """`[batch]`: the log of the sum of exp(score) over all allowed paths."""

    @property
    @abstractmethod
    def marginals(self) -> NDArray[Any]:
        """`[batch, time, tags]`: the probability of each tag of each word, zero past the lengths."""

    @property
    @abstractmethod
    def entropy(self) -> Floats:
        """`[batch]`: the entropy of each sentence's distribution over allowed paths, in nats."""

    @abstractmethod
    def pairs(self, sentence: int, step: int, tag: int) -> NDArray[Any]:
        """Return the probability `[tags]` of this tag at a step and each tag at the step after it, which must exist."""

    @abstractmethod
    def expected_moves(self, weights: NDArray[Any]) -> NDArray[Any]:
        """Return the expected number of moves from tag to tag, `[tags, tags]`, summed over sentences with weights.

        Args:
            weights: `[batch]`, one for each sentence.
        """

    def span_probabilities(self, spans: Sequence[Iterable[TaggedSpan]]) -> list[list[float]]:
        """Return the probability of each span: that these words and no more have these tags, over all allowed paths.

        Args:
            spans: those of each sentence.

        Raises:
            ValueError: a span is empty or does not lie within its sentence.
        """
        sentences = zip(spans, self.chain.lengths.tolist(), strict=True)
        return [
            [self._span_probability(number, length, span) for span in each]
            for number, (each, length) in enumerate(sentences)
        ]

    def _span_probability(self, sentence: int, length: int, span: TaggedSpan) -> float:
        """Multiply the probabilities of each tag given the one before: the posterior is a Markov chain."""
        stop = span.start + len(span.tags)
        if not 0 <= span.start < stop <= length:
            raise ValueError(
                f"sentence {sentence} has {length} words; there is no span from {span.start} to {stop}"
            )
        marginals = self.marginals[sentence]
        probability = float(marginals[span.start, span.tags[0]])
        for place, tag in enumerate(span.tags):
            step = span.start + place
            if probability == 0.0 or step + 1 == length:
                break
            after = self.pairs(sentence, step, tag)
            inside = step + 1 < stop
            joint = after[span.tags[place + 1]] if inside else np.delete(after, list(span.not_next)).sum()
            probability *= float(joint / marginals[step, tag])
        return min(probability, 1.0)


def posterior_of(chain: Chain, dtype: DTypeLike = np.float64) -> Posterior:
    """Return the posterior, by the fastest recursion that is exact for these scores.

    Args:
        chain: the scores.
        dtype: what it has to be exact for; for float32, probabilities have an error of about 1e-6.
    """
    for each in dict.fromkeys((np.dtype(dtype), np.dtype(np.float64))):
        scaled = ScaledPosterior(chain, each)
        if scaled.exact:
            return scaled
    return LogPosterior(chain)


class LogPosterior(Posterior):
    """Computes by the recursion in the log semiring, once from each side: exact for all scores."""

    @cached_property
    def _prefixes(self) -> Floats:
        return prefixes(Log(), self.chain)[..., 0]

    @cached_property
    def _suffixes(self) -> Floats:
        return self.chain.reverse_in_time(prefixes(Log(), self.chain.reversed())[..., 0])

    @cached_property
    def log_partition(self) -> Floats:
        """See `Posterior`."""
        return total(Log(), self.chain, self._prefixes[..., None])[:, 0]

    @property
    def _norms(self) -> Floats:
        """The partition, or 0 where it is minus infinity and so is all that it is taken from."""
        return np.where(self.log_partition == -np.inf, 0.0, self.log_partition)

    @cached_property
    def marginals(self) -> Floats:
        """See `Posterior`."""
        emissions = self.chain.masked_emissions()  # in both prefix and suffix
        once = self._suffixes - np.where(emissions == -np.inf, 0.0, emissions)
        logs = self._prefixes + once - self._norms[:, None, None]
        return np.exp(np.where(self.chain.mask[..., None], logs, -np.inf))

    @cached_property
    def entropy(self) -> Floats:
        """See `Posterior`."""
        return total(Entropy(), self.chain, prefixes(Entropy(), self.chain))[:, 1]

    def pairs(self, sentence: int, step: int, tag: int) -> Floats:
        """See `Posterior`."""
        before, after = self._prefixes[sentence, step, tag], self._suffixes[sentence, step + 1]
        return np.exp(before + self.chain.transitions[tag] + after - self._norms[sentence])

    def expected_moves(self, weights: NDArray[Any]) -> Floats:
        """See `Posterior`."""
        moves = np.zeros_like(self.chain.transitions)
        before = (self._prefixes - self._norms[:, None, None])[:, :-1]
        before = np.where(self.chain.mask[:, 1:, None], before, -np.inf)  # where no word follows
        for step in range(before.shape[1]):
            logs = before[:, step, :, None] + self.chain.transitions + self._suffixes[:, step + 1, None, :]
            moves += np.einsum("b,bij->ij", weights.astype(np.float64), np.exp(logs))
        return moves


class ScaledPosterior(Posterior):
    """Computes by the recursion over weights, scaled at each step: a product with one matrix of weights a step.

    Emissions are divided by the largest of their word before, and moves by the largest of all.
    """

    def __init__(self, chain: Chain, dtype: DTypeLike = np.float64) -> None:
        """Run the forward recursion in float32 or float64; `exact` says whether its results may be used."""
        super().__init__(chain)
        scores = (chain.transitions, chain.start, chain.end)
        found = [_weights_of(each, dtype) for each in scores]
        self._weights, self._most = [each[0] for each in found], [each[1] for each in found]
        shape = chain.emissions.shape
        self._tops = np.empty(shape[:2])
        self._emissions: NDArray[Any] = np.empty(shape, dtype)
        self._alphas: NDArray[Any] = np.empty(shape, dtype)
        self._scales = np.empty((shape[0], shape[1] + 1))
        self.exact = self._run_forward()

    def _run_forward(self) -> bool:
        chain, exact, (transitions, start, end) = self.chain, list[bool](), self._weights
        rows = padded(transitions)
        reachable = _reachable_tags(chain.start, chain.transitions, chain.emissions.shape[1])
        least = self._alphas.dtype.type(kernels.LEAST[self._alphas.dtype])

        def run(some: slice) -> None:
            emissions, tops = self._emissions[some], self._tops[some]
            chain.emissions[some].max(2, out=tops)
            # Minus infinity less itself, for a word without an allowed tag, is not a number.
            with np.errstate(invalid="ignore"):
                np.subtract(chain.emissions[some], tops[..., None], out=emissions, casting="same_kind")
            np.exp(emissions, out=emissions)
            lengths = chain.lengths[some]
            given = (emissions, rows, start, end, lengths, longest_first(lengths), reachable, least)
            exact.append(kernels.scaled_forward(*given, self._alphas[some], self._scales[some]))

        chain.share_sentences(run)
        return all(exact)

    @cached_property
    def log_partition(self) -> Floats:
        """See `Posterior`."""
        moves, start, end = self._most
        ends = np.where(self.chain.lengths > 0, start + end + moves * (self.chain.lengths - 1.0), 0.0)
        # One after the other: `sum` adds up in an order that depends on the length of the padded batch.
        tops = np.where(self.chain.mask, self._tops, 0.0).cumsum(1)[:, -1]
        return np.log(self._scales).cumsum(1)[:, -1] + tops + ends

    @cached_property
    def _backward(self) -> tuple[NDArray[Any], NDArray[Any]]:
        """Marginals, and what `kernels.scaled_backward` calls onward."""
        transitions, _, end = self._weights
        columns = padded(transitions.T)
        marginals, onward = np.empty_like(self._alphas), np.empty_like(self._alphas)

        def run(some: slice) -> None:
            lengths = self.chain.lengths[some]
            found = (self._alphas[some], self._scales[some], marginals[some], onward[some])
            given = (self._emissions[some], columns, end, lengths, longest_first(lengths))
            kernels.scaled_backward(*given, *found)

        self.chain.share_sentences(run)
        return marginals, onward

    @property
    def marginals(self) -> NDArray[Any]:
        """See `Posterior`."""
        return self._backward[0]

    @cached_property
    def entropy(self) -> Floats:
        """See `Posterior`; it is the log partition, less the expected score."""
        chain, onward = self.chain, self._backward[1]
        transitions, start, end = (
            np.where(scores == -np.inf, 0.0, scores) for scores in (chain.transitions, chain.start, chain.end)
        )
        words = np.where(self.marginals > 0.0, chain.emissions, 0.0) * self.marginals
        moves = self._alphas[:, :-1] * (onward[:, 1:] @ (self._weights[0] * transitions).T)
        last = self.marginals[np.arange(len(onward)), chain.last]
        ends = self.marginals[:, 0] @ start + last @ end
        return np.maximum(self.log_partition - words.sum((1, 2)) - moves.sum((1, 2)) - ends, 0.0)

    def pairs(self, sentence: int, step: int, tag: int) -> NDArray[Any]:
        """See `Posterior`."""
        onward = self._backward[1][sentence, step + 1]
        return float(self._alphas[sentence, step, tag]) * self._weights[0][tag] * onward

    def expected_moves(self, weights: NDArray[Any]) -> NDArray[Any]:
        """See `Posterior`."""
        transitions, tags = self._weights[0], self._alphas.shape[2]
        shares = weights.astype(transitions.dtype)
        given = (self._alphas, self._backward[1], self.chain.lengths, shares)
        moves = np.zeros_like(padded(transitions, rows=SENTENCES))
        # Each thread has some rows, so that the order in which a sum is added up does not depend on their number.
        borders = SENTENCES * np.linspace(0, len(moves) // SENTENCES, self.chain.threads + 1).astype(int)
        share(
            lambda some: kernels.expected_moves(*given, some.start, moves[some]),
            [slice(*both) for both in pairwise(borders.tolist())],
        )
        return moves[:tags, :tags] * transitions


def _weights_of(scores: Floats, dtype: DTypeLike) -> tuple[NDArray[Any], float]:
    """Return weights of which the largest is 1, and the score of that; all zeros where nothing is allowed."""
    most = float(scores.max())
    if most == -np.inf:
        return np.zeros(scores.shape, dtype), 0.0
    return np.exp((scores - most).astype(dtype)), most


def _reachable_tags(start: Floats, transitions: Floats, steps: int) -> NDArray[np.bool_]:
    """Return the tags that some path of finite transitions is at, at each step, `[steps, tags]`."""
    found, moves = np.empty((steps, len(start)), bool), transitions > -np.inf
    found[0] = start > -np.inf
    for step in range(1, steps):
        found[step] = moves[found[step - 1]].any(0)
        if (found[step] == found[step - 1]).all():
            found[step:] = found[step]
            break
    return found
