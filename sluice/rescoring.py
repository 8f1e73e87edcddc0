"""Choose among a recognizer's hypotheses by what a tagger makes of them (n-best rescoring).

The score of a hypothesis is the recognizer's score plus the weighted log-probabilities that the tagger gives to its
slots and intent.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

from asr.transcript import Transcript
from slot_filling import Tagger
from slot_filling.tagging import Tagging
from sluice.understood import Understanding, join

MIN_PROBABILITY = 1e-300
"""Lower bound of probabilities, so that their logarithms are finite."""


def rescore(
    transcripts: Sequence[Transcript], tagger: Tagger, tagger_weight: float, *, alternatives: int = 0
) -> list[Understanding]:
    """Tag each transcript and its alternatives, and rank these hypotheses by the scores of both models.

    Args:
        transcripts: what the recognizer found, with its alternatives.
        tagger: the tagger.
        tagger_weight: the weight of its log-probabilities; the recognizer's score has 1.
        alternatives: how many further hypotheses to return for each transcript, at most.
    """
    n_best = [[transcript, *transcript.alternatives] for transcript in transcripts]
    texts = dict.fromkeys(hypothesis.text for hypotheses in n_best for hypothesis in hypotheses)
    taggings = dict(zip(texts, tagger.tag_many(list(texts)), strict=True))
    names = tagger.vocabulary.names

    def best_of(hypotheses: Sequence[Transcript]) -> Understanding:
        scored = [(_score(each, taggings, tagger_weight), each) for each in hypotheses]
        ranked = sorted(scored, key=lambda pair: -pair[0])[: 1 + alternatives]
        best, *others = [join(each, taggings[each.text], score, names) for score, each in ranked]
        return replace(best, alternatives=tuple(others))

    return [best_of(hypotheses) for hypotheses in n_best]


def _score(transcript: Transcript, taggings: Mapping[str, Tagging], tagger_weight: float) -> float:
    tagging = taggings[transcript.text]
    probabilities = [tagging.confidence, tagging.intent_confidence or 1.0]
    log_probabilities = [math.log(max(probability, MIN_PROBABILITY)) for probability in probabilities]
    return transcript.score + tagger_weight * sum(log_probabilities)
