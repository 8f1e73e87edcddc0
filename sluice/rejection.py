"""None of these: whether what was said is a sentence of the grammar at all, and how sure each slot is.

Along a grammar every sound becomes a sentence. What speaks against the sentence found: other letters would be likelier
(by how much altogether, in the worst word, and outside of the words), the recognizer is unsure of its letters, or they
come faster or slower than people speak. Logistic regression weighs these into a probability, and a threshold on it is
the operating point. Both are fitted to utterances of the grammar against other speech and noise.
"""

import math
from dataclasses import dataclass

import numpy as np
from pydantic import Field, field_validator

from asr.acoustic.ctc import BLANK
from asr.decoding.grammar_search import GrammarHypothesis
from sluice_core.calibration import predict_logistic
from sluice_core.config import Settings

REJECTION_FILE = "rejection.yaml"
"""The file of a run directory with these settings."""

SENTENCE_FEATURES = (
    "letters",
    "worst word",
    "outside",
    "confidence",
    "least confidence",
    "free confidence",
    "length",
    "rate",
)
"""What speaks for a sentence; `sentence_features` says what each is."""

SLOT_FEATURES = ("agreement", "worst word", "least confidence", "sentence")
"""What speaks for a slot; `slot_features` says what each is."""

UNFITTED = [3.0, -4.0, *[0.0] * (len(SENTENCE_FEATURES) - 1)]
"""Weights where none were fitted: a sentence holds up to a loss of three quarters of a natural log for each letter."""
MOST_LOSS = 50.0
"""Natural logs by which a step may speak against a sentence, so that features stay finite."""
FLOOR = 1e-4
"""Posteriors and probabilities are kept this far from 0, and from 1, before their logarithms are taken."""


class RejectionConfig(Settings):
    """Weights and operating point of rejection: `rejection.yaml` of a run directory."""

    weights: list[float] = Field(
        default=UNFITTED, description="bias, then the weight of each of the features of a sentence"
    )
    threshold: float = Field(
        0.5, ge=0, le=1, description="sentences that are in the grammar with a lower probability are rejected"
    )
    slot_weights: list[float] = Field(
        default=[],
        description="bias, then the weight of each of the features of a slot; plain agreement without them",
    )
    sentences: int = Field(0, ge=0, description="sentences of the grammar that this was fitted to")
    others: int = Field(0, ge=0, description="recordings of anything else that this was fitted to")
    accepted: float | None = Field(
        None, ge=0, le=1, description="share of these sentences that the threshold accepts"
    )

    @field_validator("weights")
    @classmethod
    def _check_weights(cls, weights: list[float]) -> list[float]:
        return _counted(weights, len(SENTENCE_FEATURES))

    @field_validator("slot_weights")
    @classmethod
    def _check_slot_weights(cls, weights: list[float]) -> list[float]:
        return _counted(weights, len(SLOT_FEATURES)) if weights else weights

    def probability(self, features: np.ndarray) -> float:
        """Return the probability that an utterance with these features of a sentence is in the grammar."""
        return float(predict_logistic(np.array(self.weights), features[None])[0])

    def slot_confidence(self, features: np.ndarray, agreement: float) -> float:
        """Return the probability that a slot and its value are right; the agreement where no weights are fitted."""
        if not self.slot_weights:
            return agreement
        return float(predict_logistic(np.array(self.slot_weights), features[None])[0])


def _counted(weights: list[float], features: int) -> list[float]:
    if len(weights) != features + 1 or not np.isfinite(weights).all():
        raise ValueError(f"must be {features + 1} finite numbers, the bias and {features} weights")
    return weights


@dataclass(frozen=True)
class Evidence:
    """What speaks for the best sentence of an utterance."""

    sentence: np.ndarray
    """`[features]` in the order of `SENTENCE_FEATURES`."""
    word_loss: np.ndarray
    """`[words]`: how much likelier other letters are, for each letter of the word, in natural logs."""
    word_confidence: np.ndarray
    """`[words]`: the mean logarithm of the posteriors of the word's tokens."""


def weigh(best: GrammarHypothesis, log_probs: np.ndarray, seconds_per_step: float) -> Evidence:
    """Return what speaks for a sentence of the grammar.

    By loss we mean how much likelier, in natural logs, the likeliest path of all is than that of the sentence. The
    features of a sentence are:

    - letters: the loss altogether, for each token of the sentence's words
    - worst word: the highest loss for a token in any word
    - outside: the loss before the first word, after the last and between words, for each token
    - confidence: mean logarithm of the posteriors of the tokens
    - least confidence: the lowest such mean of any word
    - free confidence: mean logarithm of the posteriors of the likeliest path where it is not blank
    - length: logarithm of the number of tokens
    - rate: logarithm of tokens per second, from the first word to the last

    Args:
        best: the sentence; it has at least one word.
        log_probs: `[time, tokens]` of the utterance.
        seconds_per_step: the time between two steps.
    """
    labelling, count = best.labelling, len(best.words)
    path, word_of = np.full(len(log_probs), BLANK), np.full(len(log_probs), -1)
    for number, (first, last) in enumerate(best.word_steps):
        word_of[first:last] = number
    for token, start, end in zip(labelling.tokens, labelling.starts, labelling.ends, strict=True):
        path[start:end] = token
    owner = word_of[list(labelling.starts)]  # of each token; -1 for spaces
    likeliest = log_probs.max(axis=1).astype(np.float64)
    loss = np.minimum(likeliest - log_probs[np.arange(len(path)), path], MOST_LOSS)
    sizes = np.bincount(owner[owner >= 0], minlength=count)
    word_loss = np.bincount(word_of[word_of >= 0], loss[word_of >= 0], minlength=count) / sizes
    logs = np.log(np.maximum(labelling.confidences, FLOOR))
    word_confidence = np.bincount(owner[owner >= 0], logs[owner >= 0], minlength=count) / sizes
    emitting = log_probs.argmax(axis=1) != BLANK
    seconds = (best.word_steps[-1][1] - best.word_steps[0][0]) * seconds_per_step
    total = int(sizes.sum())
    sentence = [
        loss.sum() / total,
        word_loss.max(),
        loss[word_of < 0].sum() / total,
        (word_confidence * sizes).sum() / total,
        word_confidence.min(),
        likeliest[emitting].mean() if emitting.any() else math.log(FLOOR),
        math.log(total),
        math.log(total / seconds),
    ]
    return Evidence(np.array(sentence), word_loss, word_confidence)


def slot_features(agreement: float, words: slice, evidence: Evidence, probability: float) -> np.ndarray:
    """Return what speaks for a slot of a sentence, `[features]` in the order of `SLOT_FEATURES`.

    Args:
        agreement: the share of the best sentences, weighted by their probabilities, that have this slot and value.
        words: the words of the slot.
        evidence: what speaks for the sentence.
        probability: of the sentence being in the grammar.

    Returns:
        Log-odds of the agreement, the highest loss and the lowest confidence of the slot's words, and log-odds of the
        sentence.
    """
    worst, least = evidence.word_loss[words].max(), evidence.word_confidence[words].min()
    return np.array([log_odds(agreement), worst, least, log_odds(probability)])


def log_odds(probability: float) -> float:
    """Return the log-odds of a probability that is kept a little away from 0 and 1.

    Example:
        >>> log_odds(0.5), round(log_odds(1.0), 2)
        (0.0, 9.21)
    """
    kept = min(max(probability, FLOOR), 1 - FLOOR)
    return math.log(kept) - math.log1p(-kept)
