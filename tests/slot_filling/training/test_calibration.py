"""Temperatures: found again where they are known, kept with the run, and no answer changes by them."""

import random
from functools import cache, partial
from pathlib import Path

import pytest
import torch

from slot_filling.schemes import tags_of
from slot_filling.sentences import Sentence, Span
from slot_filling.tagger import Tagger
from slot_filling.temperatures import FILE, Temperatures
from slot_filling.training.calibration import fit_temperatures
from sluice_core.files import CheckpointError
from tests.slot_filling.test_tagger import LABELLED, random_tagger

WORDS = sorted({word for sentence in LABELLED for word in sentence.words})


def drawn(tagger: Tagger, count: int) -> list[Sentence]:
    """Sentences whose labels and intents are as likely as the tagger says."""
    generator = random.Random(0)
    sentences = []
    tag, predict = (
        cache(partial(tagger.tag, alternatives=1000)),
        cache(lambda words: tagger.predict_many([words])[0]),
    )
    for _ in range(count):
        words = tuple(generator.choices(WORDS, k=2))
        best = tag(words)
        readings = [best, *best.alternatives]
        reading = generator.choices(readings, [each.confidence for each in readings])[0]
        ends = [len(words[0]), len(" ".join(words))]
        spans = [
            Span(slot.label, 0 if slot.start == 0 else 1, 1 + ends.index(slot.end)) for slot in reading.slots
        ]
        intent = generator.choices(tagger.vocabulary.intents, predict(words).intents.tolist())[0]
        sentences.append(Sentence(words, tuple(tags_of(spans, 2)), intent))
    return sentences


def test_known_temperatures_are_found() -> None:
    tagger = random_tagger()
    with torch.no_grad():  # neither sure of all nor of nothing
        tagger.model.output.weight /= 4
        tagger.model.intent.output.weight *= 20
    labelled = drawn(tagger, 500)
    honest = fit_temperatures(tagger, labelled)
    assert honest.slots == pytest.approx(1, abs=0.15) and honest.intents == pytest.approx(1, abs=0.3)
    with torch.no_grad():
        for parameter in (*tagger.model.output.parameters(), *tagger.model.head.parameters()):
            parameter *= 3
        for parameter in tagger.model.intent.output.parameters():
            parameter *= 2
    found = fit_temperatures(tagger, labelled)
    assert found.slots == pytest.approx(3 * honest.slots, rel=1e-3)
    assert found.intents == pytest.approx(2 * honest.intents, rel=1e-3)


def test_answers_stay_and_only_their_probabilities_change() -> None:
    tagger, text = random_tagger(), "fly New York May 2nd"
    before = tagger.tag(text, alternatives=3)
    tagger.temperatures = Temperatures(2.0, 5.0)
    after = tagger.tag(text, alternatives=3)
    for one, other in zip([before, *before.alternatives], [after, *after.alternatives], strict=True):
        assert [(s.label, s.start, s.end) for s in one.slots] == [
            (s.label, s.start, s.end) for s in other.slots
        ]
        assert one.intent == other.intent
    assert after.confidence < before.confidence and after.intent_confidence < before.intent_confidence


def test_temperatures_are_part_of_a_run(tmp_path: Path) -> None:
    tagger = random_tagger()
    tagger.temperatures = Temperatures(1.5, 2.5)
    tagger.save(tmp_path)
    loaded = Tagger.load(tmp_path)
    assert loaded.temperatures == Temperatures(1.5, 2.5) and loaded.tag("New York") == tagger.tag("New York")
    (tmp_path / FILE).unlink()  # as in runs that know of none
    assert Tagger.load(tmp_path).temperatures == Temperatures()


@pytest.mark.parametrize(
    "content", ["{", "[]", '{"slots": 0}', '{"slots": "x"}', '{"slots": NaN}', '{"heat": 1}']
)
def test_a_damaged_file_is_named(tmp_path: Path, content: str) -> None:
    random_tagger().save(tmp_path)
    (tmp_path / FILE).write_text(content)
    with pytest.raises(CheckpointError, match=f"{FILE}: damaged"):
        Tagger.load(tmp_path)


def test_without_labels_nothing_is_learned() -> None:
    assert fit_temperatures(random_tagger(), []) == Temperatures()
