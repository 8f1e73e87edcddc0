"""What a recording says along a grammar: sentence, intent and slots with their values, or that it is none of these."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from asr.acoustic.emissions import Emission, pad_log_probs
from asr.alignment.word_timestamps import spoken_words
from asr.decoding.config import GrammarDecodingConfig
from asr.decoding.grammar_search import GrammarHypothesis, GrammarSearch, free_score
from asr.tokens import Tokens
from asr.transcript import Transcript
from slot_filling.tagging import Slot, Tagging
from sluice.rejection import Evidence, RejectionConfig, slot_features, weigh
from sluice_core.grammar.grammar import AnnotatedSentence, AnnotatedSlot, Grammar
from sluice_core.grammar.graph import build_graph

COMPARED = 16
"""The number of sentences by whose agreement confidences are judged."""
TEMPERATURE = 2.0
"""Scores are divided by it before sentences are compared: what one step mistakes, its neighbours mistake too."""


@dataclass(frozen=True)
class GrammarAnswer:
    """A sentence of the grammar as what a recording says."""

    transcript: Transcript
    """Its words with their times; no words where no sentence fits at all."""
    tagging: Tagging
    """Its slots, with the values that the grammar gives them, and its intent."""
    probability: float
    """The probability that the recording is a sentence of the grammar."""
    holds: bool
    """Whether this probability reaches the operating point."""
    alternatives: tuple["GrammarAnswer", ...] = ()
    """The next best sentences that mean something else, if any were asked for; their probability is that of the
    first."""


@dataclass(frozen=True)
class Reading:
    """The best sentences of an utterance, what they mean, and what speaks for the first."""

    hypotheses: tuple[GrammarHypothesis, ...]
    meanings: tuple[AnnotatedSentence, ...]
    shares: tuple[float, ...]
    """The share of each sentence, by its probability among all of them."""
    evidence: Evidence

    def different(self) -> list[int]:
        """Return the ranks of sentences that mean nothing that a better one means; the first is 0."""
        first: dict[tuple[str, frozenset[tuple[str, str | None]]], int] = {}
        for rank, meaning in enumerate(self.meanings):
            first.setdefault((meaning.intent, values_of(meaning)), rank)
        return list(first.values())

    def agreement(self, slot: AnnotatedSlot) -> float:
        """Return the share of the sentences that have a slot with this value."""
        return self._share([(slot.label, slot.value) in values_of(each) for each in self.meanings])

    def intent_agreement(self, intent: str) -> float:
        """Return the share of the sentences that have this intent."""
        return self._share([each.intent == intent for each in self.meanings])

    def meaning_agreement(self, meaning: AnnotatedSentence) -> float:
        """Return the share of the sentences that mean the same."""
        wanted = meaning.intent, values_of(meaning)
        return self._share([(each.intent, values_of(each)) == wanted for each in self.meanings])

    def _share(self, having: Sequence[bool]) -> float:
        return min(1.0, sum(share for share, has in zip(self.shares, having, strict=True) if has))


def values_of(meaning: AnnotatedSentence) -> frozenset[tuple[str, str | None]]:
    """Return the label and the value of each slot."""
    return frozenset((slot.label, slot.value) for slot in meaning.slots)


def words_behind(slot: AnnotatedSlot) -> slice:
    """Return the words of a sentence that speak for a slot: its own, or all of them where it has none."""
    return slice(None) if slot.is_constant else slice(slot.start, slot.end)


class AlongGrammar:
    """Reads recordings along a grammar."""

    def __init__(
        self,
        grammar: Grammar,
        tokens: Tokens,
        seconds_per_step: float,
        rejection: RejectionConfig | None = None,
        settings: GrammarDecodingConfig | None = None,
    ) -> None:
        """Compile the grammar.

        Args:
            grammar: what may be said.
            tokens: the alphabet of the recognizer.
            seconds_per_step: the time between two steps of its emissions.
            rejection: weights and operating point; rough ones if not given.
            settings: beam and weight of the search.

        Raises:
            GrammarDecodingError: the recognizer cannot write the grammar's words.
            GrammarError: the grammar is too large for a graph.
        """
        self.grammar, self.tokens, self.seconds_per_step = grammar, tokens, seconds_per_step
        self.rejection = rejection or RejectionConfig()
        self.graph = build_graph(grammar)
        self._search = GrammarSearch(tokens, self.graph, settings)

    def answer(self, emissions: Sequence[Emission], *, alternatives: int = 0) -> list[GrammarAnswer]:
        """Return the best sentence of each recording, with at most so many alternatives that mean something else."""
        return [
            _nothing(emission) if reading is None else self._answer(reading, emission, alternatives)
            for reading, emission in zip(self.read(emissions), emissions, strict=True)
        ]

    def read(self, emissions: Sequence[Emission]) -> list[Reading | None]:
        """Return the best sentences of each recording; None where there is none."""
        log_probs, lengths = pad_log_probs([each.log_probs for each in emissions])
        found = self._search.decode(log_probs, lengths, COMPARED)
        return [
            self._reading([each for each in some if each.words], emission)
            for some, emission in zip(found, emissions, strict=True)
        ]

    def _reading(self, hypotheses: Sequence[GrammarHypothesis], emission: Emission) -> Reading | None:
        if not hypotheses:
            return None
        scores = np.array([each.score for each in hypotheses]) / TEMPERATURE
        masses = np.exp(scores - scores.max())
        return Reading(
            tuple(hypotheses),
            tuple(self.graph.meaning(each.arcs) for each in hypotheses),
            tuple((masses / masses.sum()).tolist()),
            weigh(hypotheses[0], emission.log_probs, self.seconds_per_step),
        )

    def _answer(self, reading: Reading, emission: Emission, alternatives: int) -> GrammarAnswer:
        probability = self.rejection.probability(reading.evidence.sentence)
        best, *others = [
            GrammarAnswer(
                self._transcript(reading.hypotheses[rank], emission),
                self._tagging(reading, rank, probability, emission),
                probability,
                probability >= self.rejection.threshold,
            )
            for rank in reading.different()[: 1 + alternatives]
        ]
        return GrammarAnswer(best.transcript, best.tagging, probability, best.holds, tuple(others))

    def _transcript(self, hypothesis: GrammarHypothesis, emission: Emission) -> Transcript:
        words = spoken_words(
            hypothesis.labelling,
            self.tokens,
            self.seconds_per_step,
            emission.duration_seconds,
            emission.silences,
        )
        text = " ".join(hypothesis.words)
        return Transcript(text, words, hypothesis.score, emission.duration_seconds, emission.source)

    def _tagging(self, reading: Reading, rank: int, probability: float, emission: Emission) -> Tagging:
        """Return the slots and the intent of one of the sentences, with what is right at what probability."""
        meaning = reading.meanings[rank]
        evidence = reading.evidence
        if rank:
            evidence = weigh(reading.hypotheses[rank], emission.log_probs, self.seconds_per_step)
        offsets = np.cumsum([0, *(len(word) + 1 for word in meaning.words)]).tolist()
        slots = []
        for slot in meaning.slots:
            agreement, words = reading.agreement(slot), words_behind(slot)
            features = slot_features(agreement, words, evidence, probability)
            slots.append(
                Slot(
                    slot.label,
                    " ".join(meaning.slot_words(slot)),
                    min(offsets[slot.start], len(meaning.text)),
                    min(offsets[slot.end], len(meaning.text)) if slot.is_constant else offsets[slot.end] - 1,
                    self.rejection.slot_confidence(features, agreement),
                    slot.value,
                )
            )
        return Tagging(
            meaning.text,
            tuple(slots),
            meaning.intent,
            reading.intent_agreement(meaning.intent) * probability,
            self._confidence(reading, meaning, [slot.confidence for slot in slots if slot.text])
            * probability,
        )

    def _confidence(self, reading: Reading, meaning: AnnotatedSentence, slots: Sequence[float]) -> float:
        """Return the probability that a sentence means the right thing, if it is in the grammar."""
        if self.rejection.slot_weights and slots:
            return math.prod(slots)
        return reading.meaning_agreement(meaning)


def _nothing(emission: Emission) -> GrammarAnswer:
    score = free_score(emission.log_probs)
    transcript = Transcript("", (), score, emission.duration_seconds, emission.source)
    return GrammarAnswer(transcript, Tagging("", (), None, None, 0.0), 0.0, False)
