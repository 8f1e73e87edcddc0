"""The tagger in use: places in any text, probabilities against enumeration, order, damaged run directories."""

import math
from collections.abc import Callable
from datetime import date
from itertools import count, islice, permutations, product
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from slot_filling.config import TaggerConfig
from slot_filling.corpora.grammar import to_sentence
from slot_filling.schemes import SchemeName
from slot_filling.sentences import Sentence
from slot_filling.tagger import Tagger
from slot_filling.tagging import Tagging
from slot_filling.training.dataset import SentenceDataset, collate_sentences
from slot_filling.vocabulary import Vocabulary
from sluice_core.errors import UserError
from sluice_core.grammar.travel_written import written

SETTINGS: dict[str, Any] = {
    "name": "tiny",
    "corpus": {"kind": "travel"},
    "encoder": {"word_size": 16, "character_size": 8, "character_filters": 8, "hidden_size": 16},
}
LABELLED = [
    Sentence(
        ("fly", "to", "New", "York", "Boston", "on", "May", "2nd", "at", "2:30"),
        ("O", "O", "B-city", "I-city", "B-city", "O", "B-date", "I-date", "O", "B-time"),
        "fly",
    ),
    Sentence(
        ("stay", "in", "台", "北", "2", "pm"), ("O", "O", "B-city", "I-city", "B-time", "I-time"), "stay"
    ),
]


def random_tagger(scheme: SchemeName = "IOB2", **head: object) -> Tagger:
    """Random weights, large enough that slots are everywhere."""
    torch.manual_seed(1)
    config = TaggerConfig.check({**SETTINGS, "head": head}, "test")
    tagger = Tagger(config, Vocabulary.learn(LABELLED, scheme))
    with torch.no_grad():
        tagger.model.output.weight *= 12
        for parameter in tagger.model.head.parameters():
            parameter.normal_()
    return tagger.to("cpu")


TAGGER = random_tagger()


def readings(tagging: Tagging) -> list[Tagging]:
    """The best and the others."""
    return [tagging, *tagging.alternatives]


def check_places(text: str, tagging: Tagging) -> int:
    """Every slot of every reading is where it says, in order; returns how many there are."""
    assert tagging.text == text
    for reading in readings(tagging):
        assert 0 <= reading.confidence <= 1
        before = 0
        for slot in reading.slots:
            assert text[slot.start : slot.end] == slot.text
            assert before <= slot.start < slot.end
            assert slot.text == slot.text.strip()
            assert 0 <= slot.confidence <= 1
            before = slot.end
    return sum(len(reading.slots) for reading in readings(tagging))


AWKWARD = [
    "fly   to\tNew  York ,on May 2nd\n",
    "“New York”—Boston…(May 2nd!)",
    "to 台北明天下午三點",
    "ｆｌｙ　ｔｏ　Ｎｅｗ　Ｙｏｒｋ　２：３０",
    "✈️🇹🇼→👨‍👩‍👧‍👦 on May 2nd 👍🏽!!",
    "é è ñ ﬁ İstanbul ß ŉ",
    "a\u200bb \u00ad \ufeffx\u0000y \ud800z",
    "x" * 5000,
    "مرحبا بالعالم שלום नमस्ते",
]


@pytest.mark.parametrize("text", AWKWARD)
def test_places_in_awkward_texts(text: str) -> None:
    assert check_places(text, TAGGER.tag(text, alternatives=4)) > 0


words = st.sampled_from(["fly", "New", "York", "May", "2nd", "2:30", "台北", "p.m.", "$1,000", "👍🏽", "é"])
spaces = st.sampled_from([" ", "", "  ", "\t", "\u3000", "\u00a0", "\n", ", ", "—"])
texts = st.one_of(
    st.text(max_size=60),
    st.lists(st.one_of(words, spaces, st.text(max_size=3)), max_size=25).map("".join),
)


@settings(max_examples=100, deadline=None)
@given(st.lists(texts, min_size=1, max_size=4))
def test_places_in_any_text(many: list[str]) -> None:
    for text, tagging in zip(many, TAGGER.tag_many(many, alternatives=1), strict=True):
        check_places(text, tagging)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.text(min_size=1, max_size=8).filter(lambda word: word.strip() == word), max_size=12))
def test_places_in_words_joined_by_spaces(given_words: list[str]) -> None:
    check_places(" ".join(given_words), TAGGER.tag(given_words))


def test_words_are_taken_as_they_are() -> None:
    found = readings(TAGGER.tag(["$1,000.50", "New York"], alternatives=20))
    places = {(slot.start, slot.end) for reading in found for slot in reading.slots}
    assert places == {(0, 9), (10, 18), (0, 18)}


@pytest.mark.parametrize("text", ["", "  \t\n", "\u3000", [], "\u200b"])
def test_without_a_word_there_is_no_slot_and_no_intent(text: str | list[str]) -> None:
    tagging = TAGGER.tag(text, alternatives=3)
    assert tagging == Tagging(text if isinstance(text, str) else "", (), None, None, 1.0)


@pytest.mark.parametrize("scheme", ["IOB2", "BIOES"])
def test_probabilities_are_those_of_all_readings(scheme: SchemeName) -> None:
    """Every reading of a short sentence is asked for: they add up to one, and a slot has those it stands in."""
    tagger = random_tagger(scheme)
    text = "fly New York"
    best = tagger.tag(text, alternatives=10_000)
    all_readings = readings(best)
    probabilities = [reading.confidence for reading in all_readings]
    assert probabilities == sorted(probabilities, reverse=True)
    assert sum(probabilities) == pytest.approx(1)
    slots = [frozenset((s.label, s.start, s.end) for s in reading.slots) for reading in all_readings]
    assert len(set(slots)) == len(slots)
    if scheme == "IOB2":  # all of its tags were in training
        assert len(slots) == len(_all_readings(3, len(tagger.vocabulary.labels)))
    for reading in all_readings:
        for slot in reading.slots:
            key = (slot.label, slot.start, slot.end)
            within = sum(p for p, some in zip(probabilities, slots, strict=True) if key in some)
            assert slot.confidence == pytest.approx(within)


WORDS = ["fly", "to", "New", "York", "on", "May", "2nd", "stay", "台", "2:30"]


def test_the_intent_goes_with_the_slots_and_is_as_likely_as_beside_them() -> None:
    tagger = random_tagger(intent_limits=True)
    changed = 0
    for text in permutations(WORDS, 2):
        best, free = tagger.tag(text), TAGGER.tag(text)
        assert best.slots == free.slots and best.confidence == free.confidence
        if any(slot.label == "date" for slot in best.slots):
            assert (best.intent, best.intent_confidence) == ("fly", 1), "no other intent has dates"
            changed += free.intent != "fly"
        else:
            assert (best.intent, best.intent_confidence) == (free.intent, free.intent_confidence)
    assert changed, "without limits some do not go with it"


def test_slots_that_go_with_no_intent_give_way_and_what_stays_is_as_sure_as_the_intent_at_most() -> None:
    tagger = random_tagger(intent_limits=True)
    dates = [number for number, tag in enumerate(tagger.vocabulary.tags) if tag.endswith("date")]
    tagger.model.fits[:, dates] = False
    changed = 0
    for text in permutations(WORDS, 2):
        best, free = tagger.tag(text), TAGGER.tag(text)
        assert all(slot.label != "date" for slot in best.slots)
        if any(slot.label == "date" for slot in free.slots):
            changed += 1
            assert best.confidence <= best.intent_confidence
            assert all(slot.confidence <= best.intent_confidence for slot in best.slots)
    assert changed, "without limits some are dates"


def _all_readings(length: int, labels: int) -> set[tuple[object, ...]]:
    """Ways to cut a sentence into spans and words outside."""
    if length <= 0:
        return {()} if length == 0 else set()
    heads = [(1, None), *product(range(1, length + 1), range(labels))]
    return {(head, *rest) for head in heads for rest in _all_readings(length - head[0], labels)}


def test_alternatives_are_as_many_as_asked() -> None:
    text = "fly to New York on May 2nd at 2:30"
    full = TAGGER.tag(text, alternatives=7)
    assert [len(TAGGER.tag(text, alternatives=k).alternatives) for k in (0, 1, 7)] == [0, 1, 7]
    assert TAGGER.tag(text).slots == full.slots
    assert full.alternatives[2] == TAGGER.tag(text, alternatives=3).alternatives[2]


def test_order_is_kept_and_neighbours_change_nothing() -> None:
    pieces = ["fly", "to", "New", "York", "on", "May", "2nd", "x", "台北", ","]
    many = [
        " ".join((pieces * 30)[start : start + size]) for start in range(5) for size in (0, 1, 290, 3, 17)
    ] * 12
    together = list(TAGGER.tag_many(many, alternatives=1))
    alone = {text: TAGGER.tag(text, alternatives=1) for text in set(many)}
    for text, tagging in zip(many, together, strict=True):
        expected = alone[text]
        assert tagging.text == text
        assert [(s.label, s.start, s.end, s.value) for s in tagging.slots] == [
            (s.label, s.start, s.end, s.value) for s in expected.slots
        ]
        assert tagging.intent == expected.intent
        assert tagging.confidence == pytest.approx(expected.confidence, rel=1e-3, abs=1e-9)
        assert [s.confidence for s in tagging.slots] == pytest.approx(
            [s.confidence for s in expected.slots], abs=1e-4
        )


def test_sentences_are_read_as_they_are_needed() -> None:
    numbers = count()
    endless = (f"fly to {number}" for number in numbers)
    assert [tagging.text for tagging in islice(TAGGER.tag_many(endless), 3)] == [
        "fly to 0",
        "fly to 1",
        "fly to 2",
    ]
    assert next(numbers) < 1000
    with pytest.raises(TypeError, match="tag"):
        next(TAGGER.tag_many("fly to Boston"))


def test_a_very_long_sentence() -> None:
    text = "fly to New York on May 2nd at 2:30 . " * 1000
    assert check_places(text, TAGGER.tag(text, alternatives=1)) > 1


def test_intent_is_what_the_model_says() -> None:
    tagging = TAGGER.tag("fly to Boston")
    other = TAGGER.tag("stay in 台北")
    assert {tagging.intent, other.intent} <= {"fly", "stay"}
    assert tagging.intent_confidence is not None and 0.5 <= tagging.intent_confidence <= 1
    assert random_tagger(intent=False).tag("fly to Boston").intent is None


@pytest.mark.parametrize("kind", ["softmax", "crf", "perceptron", "max_margin", "softmax_margin"])
def test_every_head_answers(kind: str) -> None:
    tagging = random_tagger(kind=kind).tag("fly to New York on May 2nd", alternatives=2)
    check_places("fly to New York on May 2nd", tagging)
    assert len(tagging.alternatives) == 2


def test_values_know_the_day_and_the_kinds_that_they_are_told() -> None:
    def values(tagger: Tagger) -> dict[str, str | None]:
        found = readings(tagger.tag(["tomorrow"], alternatives=9))
        return {slot.label: slot.value for reading in found for slot in reading.slots}

    tagger = random_tagger()
    assert values(tagger) == {"city": None, "date": None, "time": None}
    tagger.today = date(2026, 3, 3)
    tagger.kinds["city"] = "date"
    assert values(tagger) == {"city": "2026-03-04", "date": "2026-03-04", "time": "2026-03-04"}


@pytest.fixture
def run(tmp_path: Path) -> Path:
    TAGGER.save(tmp_path / "run", {"epoch": "3"})
    return tmp_path / "run"


def test_a_saved_tagger_answers_the_same(run: Path) -> None:
    text = "fly to New York on May 2nd at 2:30"
    assert Tagger.load(run).tag(text, alternatives=2) == TAGGER.tag(text, alternatives=2)
    assert {file.name for file in run.iterdir()} == {*FILES, "calibration.json"}


FILES = ("config.yaml", "vocabulary.json", "model.safetensors")
DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda data: b"",
    "cut": lambda data: data[: len(data) // 3],
    "noise": lambda data: bytes(range(256)) * 4,
    "other": lambda data: b'{"a": [1]}',
    "list": lambda data: b"[1, 2]",
}


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_file_is_named(run: Path, name: str, damage: str) -> None:
    (run / name).write_bytes(DAMAGE[damage]((run / name).read_bytes()))
    with pytest.raises(UserError, match=name):
        Tagger.load(run)


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_named(run: Path, name: str) -> None:
    (run / name).unlink()
    with pytest.raises(UserError, match=name):
        Tagger.load(run)


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("vocabulary.json", '"B-city"', '"X-city"'),
        ("vocabulary.json", '"New"', '"Old"'),  # of characters or words there is none such
        ("vocabulary.json", '"O"', '"B-o"'),
        ("vocabulary.json", '"IOB2"', '"IOB9"'),
        ("vocabulary.json", '"stay"', "7"),
        ("config.yaml", "hidden_size: 16", "hidden_size: 17"),
        ("config.yaml", "hidden_size: 16", "hidden_size: 1000000000"),
        ("config.yaml", "kind: crf", "kind: ctf"),
        ("config.yaml", "cell: lstm", "cell: lstn"),
        ("config.yaml", "task: slots", "task: ctc"),
    ],
)
def test_files_that_do_not_fit_each_other(run: Path, name: str, old: str, new: str) -> None:
    text = (run / name).read_text(encoding="utf-8")
    if old == '"New"':
        old, new = '"new",\n', ""
    assert old in text
    (run / name).write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(UserError, match=name):
        Tagger.load(run)


def test_weights_that_are_no_numbers(run: Path) -> None:
    weights = load_file(run / "model.safetensors")
    weights["output.bias"][0] = math.nan
    save_file(weights, run / "model.safetensors")
    with pytest.raises(UserError, match=r"model\.safetensors is damaged"):
        Tagger.load(run)


def test_no_run_directory(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such run directory"):
        Tagger.load(tmp_path / "nothing")
    with pytest.raises(UserError, match=r"no config\.yaml"):
        Tagger.load(tmp_path)


@pytest.mark.slow
def test_a_tagger_that_learned_something_finds_place_date_and_value() -> None:
    sentences = [to_sentence(passage, "") for passage in written(300, 17)]
    torch.manual_seed(0)
    config = TaggerConfig.check({**SETTINGS, "encoder": {**SETTINGS["encoder"], "dropout": 0}}, "test")
    tagger = Tagger(config, Vocabulary.learn(sentences))
    examples = SentenceDataset(sentences, tagger.vocabulary)
    optimizer = torch.optim.Adam(tagger.model.parameters(), 1e-2)
    for epoch in range(5):
        for first in range(0, len(sentences), 20):
            batch = collate_sentences([examples[epoch, item] for item in range(first, first + 20)])
            emissions, intents = tagger.model(batch.words)
            assert intents is not None
            loss = tagger.model.head.loss(emissions, batch.tags, batch.words.lengths).mean()
            loss = loss + torch.nn.functional.cross_entropy(intents, batch.intents)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    tagging = tagger.to("cpu").tag("arrive  in Taipei on November 2nd")
    assert [(s.label, s.text, s.start, s.value) for s in tagging.slots] == [
        ("destination", "Taipei", 11, None),
        ("date", "November 2nd", 21, "0000-11-02"),
    ]
    assert tagging.intent == "book_flight"
