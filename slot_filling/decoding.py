"""From the network's scores to slots and intents: the best labels, the intent beside them, and how likely each is.

Everything here takes numpy arrays and imports no torch.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import numpy as np
from numpy.typing import NDArray

from slot_filling.heads.chain import Chain, Floats
from slot_filling.heads.posterior import Posterior, TaggedSpan, posterior_of
from slot_filling.heads.viterbi import TagPath, best_paths, k_best_paths
from slot_filling.sentences import Span
from slot_filling.slot_values import Kind, resolve
from slot_filling.tagging import Slot, Tagging
from slot_filling.tokenizer import Token
from slot_filling.vocabulary import Vocabulary


@dataclass(frozen=True)
class Decoding:
    """The best labels and the best intent of each sentence of a batch."""

    paths: list[TagPath]
    """The labels of each sentence, `[words]`."""
    scores: Floats
    """`[batch]`: the scores of the paths."""
    intents: NDArray[np.int64] | None
    """`[batch]`; None where the model knows no intents."""
    probabilities: Floats | None
    """`[batch, intents]`: where the labels go with some intents, among these alone."""
    at_odds: NDArray[np.bool_]
    """`[batch]`: where the best labels go with no intent, so that both were weighed against each other."""
    chain: Chain
    """The scores of which the paths are the best: where labels were weighed, others have minus infinity."""


@dataclass(frozen=True)
class Prediction:
    """The labels and intents that a tagger predicts for the words of one sentence."""

    paths: list[tuple[float, list[int]]]
    """The best paths of tags, each with its probability."""
    spans: list[list[tuple[Span, float]]]
    """The spans of each path, each with the probability of just that span."""
    intents: Floats | None
    """`[intents]` probabilities; None where the model knows no intents, or there is no word."""
    intent: int | None
    """The number of the intent that goes with the best path, which is mostly the likeliest."""


def decode(chain: Chain, intents: NDArray[Any] | None, fits: NDArray[np.bool_]) -> Decoding:
    """Find the best labels and the best intent of each sentence; with `fits` they go together.

    The labels decide, for they are wrong less often: the intent is the likeliest beside which training has each of
    them. Where there is none, the likeliest pair is taken that goes together.

    Args:
        chain: the scores of the labels.
        intents: scores `[batch, intents]`, natural logs but for a constant; None where there are none.
        fits: `[intents, tags]`, whether each tag goes with each intent; `[0, tags]` where that does not matter.
    """
    paths, scores = best_paths(chain)
    at_odds: NDArray[np.bool_] = np.zeros(len(paths), bool)
    if intents is None:
        return Decoding(paths, scores, None, None, at_odds, chain)
    intents = intents.astype(np.float64)
    if not len(fits):
        return Decoding(paths, scores, intents.argmax(1), _softmax(intents), at_odds, chain)
    beside = np.array([fits[:, path].all(1) for path in paths], bool).reshape(len(paths), len(fits))
    at_odds = np.logical_not(beside.any(1))
    intents = np.where(beside | at_odds[:, None], intents, -np.inf)
    found = Decoding(paths, scores, intents.argmax(1), _softmax(intents), at_odds, chain)
    return _weigh(found, intents, fits) if at_odds.any() else found


def _weigh(found: Decoding, intents: Floats, fits: NDArray[np.bool_]) -> Decoding:
    """Return the same with the likeliest pairs of labels and intent where these are at odds."""
    paths, scores, chosen, chain = list(found.paths), found.scores.copy(), intents.argmax(1), found.chain
    odd, count = found.at_odds.nonzero()[0], len(fits)
    # Each of these sentences as many times as there are intents: with the labels that go with each.
    limited = np.where(fits[:, None], chain.emissions[odd, None], -np.inf)  # [odd, intents, time, tags]
    emissions, lengths = limited.reshape(-1, *limited.shape[2:]), chain.lengths[odd].repeat(count)
    other_paths, other_scores = best_paths(replace(chain, emissions=emissions, lengths=lengths))
    logs = np.log(_softmax(intents[odd])) + other_scores.reshape(len(odd), count)
    chosen[odd] = logs.argmax(1)
    for place, item in enumerate(odd.tolist()):
        best = place * count + int(chosen[item])
        paths[item], scores[item] = other_paths[best], other_scores[best]
    kept = ~found.at_odds[:, None] | fits[chosen]  # [batch, tags]
    chain = replace(chain, emissions=np.where(kept[:, None], chain.emissions, -np.inf))
    return replace(found, paths=paths, scores=scores, intents=chosen, chain=chain)


def _softmax(scores: Floats) -> Floats:
    weights = np.exp(scores - scores.max(1, keepdims=True))
    return weights / weights.sum(1, keepdims=True)


def predict(
    vocabulary: Vocabulary, chain: Chain, intents: NDArray[Any] | None, fits: NDArray[np.bool_], k: int = 1
) -> list[Prediction]:
    """Return what the scores of a batch say of each sentence, with its best `k` paths; see `decode`."""
    found = decode(chain, intents, fits)
    posterior = posterior_of(found.chain)
    if k == 1:
        best = [[(score, path)] for score, path in zip(found.scores.tolist(), found.paths, strict=True)]
    else:
        best = k_best_paths(found.chain, k)
    paths = [[(score, path.tolist()) for score, path in each] for each in best]
    spans = [[vocabulary.decode_spans(path) for _, path in each] for each in paths]
    confidences = _confidences(vocabulary, posterior, paths, spans)
    totals, trusts = posterior.log_partition.tolist(), _trusts(found)
    predictions = []
    for item, trust in enumerate(trusts):
        likely = [(trust * min(1.0, math.exp(score - totals[item])), path) for score, path in paths[item]]
        sure = [[(span, trust * confidences[item][span]) for span in some] for some in spans[item]]
        predictions.append(Prediction(likely, sure, *_intent(found, item)))
    return predictions


def _trusts(found: Decoding) -> list[float]:
    """Return the most that each sentence's labels may be trusted: they must be what they are likely beside."""
    if found.probabilities is None or found.intents is None:
        return [1.0] * len(found.paths)
    own = np.take_along_axis(found.probabilities, found.intents[:, None], 1)[:, 0]
    return np.where(found.at_odds, own, 1.0).tolist()


def _intent(found: Decoding, item: int) -> tuple[Floats | None, int | None]:
    """Return the probabilities of a sentence's intents, and its intent."""
    if found.probabilities is None or found.intents is None or not found.chain.lengths[item]:
        return None, None
    # The network computes in float32: of more digits, the last would differ between a sentence alone and in a batch.
    probabilities = found.probabilities[item].astype(np.float32).astype(np.float64)
    return probabilities, int(found.intents[item])


def _confidences(
    vocabulary: Vocabulary,
    posterior: Posterior,
    paths: list[list[tuple[float, list[int]]]],
    spans: list[list[list[Span]]],
) -> list[dict[Span, float]]:
    """Return for each sentence the probability of every span on any of its paths; most are on several."""
    asked = [
        {
            span: TaggedSpan(
                span.start, path[span.start : span.end], vocabulary.continuations.get(span.label, ())
            )
            for (_, path), some in zip(of_sentence, found, strict=True)
            for span in some
        }
        for of_sentence, found in zip(paths, spans, strict=True)
    ]
    sure = posterior.span_probabilities([list(each.values()) for each in asked])
    return [dict(zip(each, some, strict=True)) for each, some in zip(asked, sure, strict=True)]


def tagging_of(
    text: str,
    tokens: Sequence[Token],
    prediction: Prediction,
    intents: Sequence[str],
    today: date | None = None,
    kinds: Mapping[str, Kind] | None = None,
) -> Tagging:
    """Return a prediction as slots with their places in a text, the second best path and so on as alternatives.

    Args:
        text: what was tagged.
        tokens: its words, as many as the prediction has tags.
        prediction: of these words.
        intents: the names of the intents by number.
        today: what "tomorrow" is relative to in values.
        kinds: what slots hold, by label, where the label's own words do not say it.
    """

    def slot(span: Span, confidence: float) -> Slot:
        start, end = tokens[span.start].start, tokens[span.end - 1].end
        value = resolve(span.label, text[start:end], today, (kinds or {}).get(span.label))
        return Slot(span.label, text[start:end], start, end, confidence, value)

    intent = sure = None
    if prediction.intents is not None and prediction.intent is not None:
        intent, sure = intents[prediction.intent], float(prediction.intents[prediction.intent])
    readings = [
        Tagging(text, tuple(slot(*each) for each in spans), intent, sure, probability)
        for (probability, _), spans in zip(prediction.paths, prediction.spans, strict=True)
    ]
    best, *others = readings
    return replace(best, alternatives=tuple(others)) if others else best
