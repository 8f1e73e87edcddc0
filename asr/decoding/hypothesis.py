"""What a decoder answers."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Hypothesis:
    """One labelling of an utterance."""

    tokens: tuple[int, ...]
    """Tokens without blanks."""
    starts: tuple[int, ...]
    """The step at which each token begins, on the likeliest path of the labelling."""
    ends: tuple[int, ...]
    """The step after the last one of each token."""
    confidences: tuple[float, ...]
    """Posterior probability of each token, the highest over its steps."""
    score: float
    """Natural log of what the decoder ranks by: acoustic and language score together."""
    acoustic_score: float
    """Log-probability of the labelling under CTC, all its paths that the beam kept together; of greedy decoding,
    that of the best path."""
    language_score: float = 0.0
    """What language model, bonus and hot words add, with their weights."""
