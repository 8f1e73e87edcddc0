"""The result of a decoder."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Hypothesis:
    """One labelling of an utterance, with the steps of its tokens and its scores."""

    tokens: tuple[int, ...]
    """Tokens without blanks."""
    starts: tuple[int, ...]
    """The step at which each token begins, on the likeliest path of the labelling."""
    ends: tuple[int, ...]
    """The step after the last step of each token."""
    confidences: tuple[float, ...]
    """Posterior probability of each token, the highest over its steps."""
    score: float
    """Natural log of what the decoder ranks by: the sum of acoustic and language score."""
    acoustic_score: float
    """Log-probability of the labelling under CTC. Beam search sums all paths that stayed in the beam; greedy decoding
    takes the best path alone."""
    language_score: float = 0.0
    """What language model, word bonus and hot words add, with their weights."""
