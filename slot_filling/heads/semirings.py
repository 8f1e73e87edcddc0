"""Semirings, and the one recursion that sums over all paths of a chain in any of them (Goodman 1999).

The meaning of "sum" and "product" decides what is computed: in logs it is the sum of all paths' weights, with maxima
the best path, with pairs the entropy. A path's weight is a product of moves, so all that a product has to do is to
extend a value by the score of one move.
"""

from abc import ABC, abstractmethod

import numpy as np

from slot_filling.heads.chain import Chain, Floats


class Semiring(ABC):
    """Values are arrays `[..., size]`; scores are natural logs of weights, `[...]`."""

    @abstractmethod
    def lift(self, scores: Floats) -> Floats:
        """Return scores `[...]` as values `[..., size]`."""

    @abstractmethod
    def extend(self, values: Floats, scores: Floats) -> Floats:
        """Return the product of values `[..., size]` and lifted scores `[...]`."""

    @abstractmethod
    def plus(self, values: Floats) -> Floats:
        """Return the sum of values `[..., n, size]` over n, `[..., size]`."""


class Log(Semiring):
    """The log of a sum of weights."""

    def lift(self, scores: Floats) -> Floats:
        """Return the score as the one component."""
        return scores[..., None]

    def extend(self, values: Floats, scores: Floats) -> Floats:
        """Add the logs."""
        return values + scores[..., None]

    def plus(self, values: Floats) -> Floats:
        """Return the log of the sum; minus infinity where there is nothing."""
        return log_sum_exp(values, -2)


class Entropy(Semiring):
    """The log of a sum of weights, and the entropy of the distribution that they make (Hwa 2000)."""

    def lift(self, scores: Floats) -> Floats:
        """Return the score and an entropy of zero: that of one path."""
        return np.stack((scores, np.zeros_like(scores)), -1)

    def extend(self, values: Floats, scores: Floats) -> Floats:
        """Add the logs; a move that all paths share leaves the entropy as it is."""
        logs = values[..., 0] + scores
        return np.stack((logs, np.broadcast_to(values[..., 1], logs.shape)), -1)

    def plus(self, values: Floats) -> Floats:
        """Return the log of the sum, and the entropy of the choice with the mean of the entropies before it."""
        logs, entropies = values[..., 0], values[..., 1]
        sums = log_sum_exp(logs, -1)
        with np.errstate(divide="ignore", invalid="ignore"):
            shares = np.where(logs > -np.inf, np.exp(logs - sums[..., None]), 0.0)
            of_choice = np.where(shares > 0.0, -shares * np.log(shares), 0.0 * shares)
        return np.stack((sums, (shares * entropies + of_choice).sum(-1)), -1)


def log_sum_exp(values: Floats, axis: int) -> Floats:
    """Return the log of the sum of exp(values) along an axis; minus infinity where all values are."""
    most = values.max(axis, keepdims=True)
    most[~np.isfinite(most)] = 0.0
    with np.errstate(divide="ignore"):
        return np.log(np.exp(values - most).sum(axis)) + most.squeeze(axis)


def prefixes(semiring: Semiring, chain: Chain) -> Floats:
    """Return the sums over all beginnings of paths that are at a tag at a step, its emission included.

    Returns:
        `[batch, time, tags, size]`; without meaning past the lengths, and finite there.
    """
    emissions = chain.masked_emissions()
    values = semiring.extend(semiring.lift(chain.start)[None], emissions[:, 0])
    found = [values]
    for step in range(1, emissions.shape[1]):
        moves = semiring.extend(values[:, None], chain.transitions.T[None])  # [batch, to, from, size]
        values = semiring.extend(semiring.plus(moves), emissions[:, step])
        found.append(values)
    return np.stack(found, 1)


def total(semiring: Semiring, chain: Chain, found: Floats) -> Floats:
    """Return the sum over all whole paths, `[batch, size]`, from `prefixes`.

    An empty sentence has one path, the empty one.
    """
    last = found[np.arange(len(found)), chain.last]
    whole = semiring.plus(semiring.extend(last, chain.end[None]))
    return np.where(chain.lengths[:, None] > 0, whole, semiring.lift(np.zeros(len(whole))))
