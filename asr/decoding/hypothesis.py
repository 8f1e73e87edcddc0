"""What a decoder answers."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Hypothesis:
    """One labelling of an utterance."""

    tokens: tuple[int, ...]
    """Tokens without blanks."""
    starts: tuple[int, ...]
    """The step at which each token begins."""
    ends: tuple[int, ...]
    """The step after the last one of each token."""
    confidences: tuple[float, ...]
    """Posterior probability of each token, the highest over its steps."""
    score: float
    """Natural log of the probability that the decoder gives it."""
