"""Evaluate a tagger on labelled sentences: every figure, and the answers behind them."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from slot_filling.evaluation.metrics import (
    SlotScores,
    intent_accuracy,
    right_sentences,
    right_spans,
    score_spans,
)
from slot_filling.schemes import tags_of
from slot_filling.sentences import Sentence, Span
from sluice_core.calibration import errors_among_surest, expected_calibration_error
from sluice_core.files import write_text
from sluice_core.progress import track

if TYPE_CHECKING:
    from slot_filling.tagger import Tagger

TOGETHER = 512


@dataclass(frozen=True)
class Evaluation:
    """Every labelled sentence of a split with the tagger's answer."""

    sentences: Sequence[Sentence]
    tags: list[tuple[str, ...]]
    """The answered tags of each sentence, in IOB2."""
    spans: list[list[tuple[Span, float]]]
    """The found spans of each sentence, with their confidences."""
    intents: list[str | None]
    confidences: list[float]
    """The confidence that all slots of a sentence are right."""

    @cached_property
    def scores(self) -> SlotScores:
        """Counts of spans, as conlleval counts them."""
        return score_spans([sentence.tags or () for sentence in self.sentences], self.tags)

    @cached_property
    def whole(self) -> list[bool]:
        """Which sentences are right in every slot, and in the intent where there is one."""
        asked = self.intents if any(intent is not None for intent in self.intents) else None
        return right_sentences(self.sentences, self.tags, asked)

    @cached_property
    def certainty(self) -> tuple[list[float], list[bool]]:
        """The confidence of every found span, and whether it is right."""
        sure = [confidence for found in self.spans for _, confidence in found]
        right = [
            good
            for sentence, found in zip(self.sentences, self.spans, strict=True)
            for good in right_spans(sentence.tags or (), [span for span, _ in found])
        ]
        return sure, right

    def to_dict(self) -> dict[str, Any]:
        """Return the figures as plain values."""
        whole, (sure, right) = self.whole, self.certainty
        figures: dict[str, Any] = {"sentences": len(self.sentences), **self.scores.to_dict()}
        if any(intent is not None for intent in self.intents):
            figures["intent_accuracy"] = intent_accuracy([s.intent for s in self.sentences], self.intents)
        figures["whole_sentences"] = sum(whole) / max(1, len(whole))
        figures["calibration_error"] = expected_calibration_error(sure, right)
        wholly = [not wrong for wrong in self.wrong_slots]
        figures["errors_in_surer_half"] = errors_among_surest(self.confidences, wholly)
        return figures

    @property
    def wrong_slots(self) -> list[bool]:
        """Which sentences have a slot too many, too few or wrong; `confidences` are about just this."""
        return [not right for right in right_sentences(self.sentences, self.tags)]

    def write_answers(self, path: Path) -> None:
        """Write every sentence with the tags of the reference and of the answer as tab-separated text."""
        lines = ["right\tconfidence\tintent\tanswered intent\twords\ttags\tanswered tags"]
        for item, sentence in enumerate(self.sentences):
            lines.append(
                "\t".join(
                    [
                        "yes" if self.whole[item] else "no",
                        f"{self.confidences[item]:.4f}",
                        sentence.intent or "",
                        self.intents[item] or "",
                        sentence.text,
                        " ".join(sentence.tags or ()),
                        " ".join(self.tags[item]),
                    ]
                )
            )
        write_text(path, "\n".join(lines) + "\n")


def evaluate(tagger: "Tagger", sentences: Sequence[Sentence], *, quiet: bool = False) -> Evaluation:
    """Tag the words of labelled sentences and keep all answers."""
    tags, spans, intents, confidences = [], [], [], []
    for begin in track(range(0, len(sentences), TOGETHER), "evaluating", quiet=quiet):
        group = sentences[begin : begin + TOGETHER]
        for sentence, answer in zip(
            group, tagger.predict_many([sentence.words for sentence in group]), strict=True
        ):
            found = answer.spans[0]
            tags.append(tuple(tags_of([span for span, _ in found], len(sentence.words))))
            spans.append(found)
            confidences.append(answer.paths[0][0])
            best = answer.intent
            intents.append(None if best is None else tagger.vocabulary.intents[best])
    return Evaluation(sentences, tags, spans, intents, confidences)


def format_metrics(metrics: dict[str, Any]) -> str:
    """Return a table of metrics as `Evaluation.to_dict` gives them for each split."""
    from tabulate import tabulate

    lines = []
    for split, figures in metrics.items():
        if not isinstance(figures, dict) or "f1" not in figures:
            continue  # facts about the run as a whole
        spans = f"{figures['right']} of {figures['gold']}, {figures['found']} found"
        intents = f"{figures['intent_accuracy']:.2%}" if "intent_accuracy" in figures else ""
        whole = f"{figures['whole_sentences']:.2%} of {figures['sentences']}"
        error = f"{figures['calibration_error']:.3f}"
        lines.append((split, f"{figures['f1']:.2%}", spans, intents, whole, error))
    header = ("split", "slot F1", "slots right", "intents", "sentences right", "calibration error")
    return tabulate(lines, header, disable_numparse=True, stralign="right")
