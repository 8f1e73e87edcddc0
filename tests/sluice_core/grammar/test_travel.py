"""The grammar of travel requests, and grammars at all."""

import re
from dataclasses import replace

import pytest

from sluice_core.grammar.expressions import children
from sluice_core.grammar.grammar import AnnotatedSlot, Grammar, GrammarError, split_of
from sluice_core.grammar.templates import parse_alternatives, words_of
from sluice_core.grammar.travel import TRAVEL, generate

SPOKEN = re.compile(r"[a-z']+( [a-z']+)*")
SPLITS = ("train", "dev", "test")


@pytest.fixture(scope="module")
def splits():
    sizes = {"train": 1600, "dev": 200, "test": 200}
    return {split: generate(count, split=split) for split, count in sizes.items()}


def test_same_seed_same_sentences_other_seed_others():
    assert generate(50, seed=3) == generate(50, seed=3)
    assert generate(50, seed=3) == generate(80, seed=3)[:50]
    assert generate(50, seed=3) != generate(50, seed=4)


def test_sentences_of_a_split_are_distinct_and_spoken_forms(splits):
    for sentences in splits.values():
        texts = [sentence.text for sentence in sentences]
        assert len(set(texts)) == len(texts)
        assert all(SPOKEN.fullmatch(text) for text in texts)


def test_no_sentence_is_in_two_splits_whatever_the_seed(splits):
    texts = {
        split: {sentence.text for seed in (1, 2, 3) for sentence in generate(1000, seed, split)}
        | {sentence.text for sentence in splits[split]}
        for split in SPLITS
    }
    assert not texts["train"] & texts["dev"]
    assert not texts["train"] & texts["test"]
    assert not texts["dev"] & texts["test"]
    # Equal draws do meet without that rule, so the sets above could have met.
    assert {split_of(text) for text in texts["dev"]} == {"dev"}


def test_every_word_of_dev_and_test_is_in_training(splits):
    heard = {word for sentence in splits["train"] for word in sentence.words}
    held_out = {word for split in ("dev", "test") for sentence in splits[split] for word in sentence.words}
    assert held_out <= heard
    assert heard <= TRAVEL.vocabulary()
    assert len(held_out) > 200


def test_slots_cover_their_words(splits):
    cities = {words_of(city) for city in children(TRAVEL.rules["city"])}
    for sentence in splits["train"]:
        for before, after in zip(sentence.slots, sentence.slots[1:], strict=False):
            assert before.end <= after.start
        for slot in sentence.slots:
            assert 0 <= slot.start < slot.end <= len(sentence.words)
            if slot.label in ("origin", "destination", "city"):
                assert sentence.slot_words(slot) in cities


def test_a_sentence_knows_its_intent_and_template(splits):
    assert {sentence.intent for sentence in splits["train"]} == set(TRAVEL.intents)
    for sentence in splits["train"]:
        assert sentence.template in {template.text for template in TRAVEL.intents[sentence.intent]}
        labels = re.findall(r"\{(?:\w+:)?(\w+)\}", sentence.template)
        assert set(labels) <= {slot.label for slot in sentence.slots}


def test_nobody_flies_to_where_they_are():
    for sentence in generate(3000, seed=5):
        values = [sentence.slot_words(slot) for slot in sentence.slots]
        assert len(set(values)) == len(values), sentence.text


def test_taipei_on_november_second():
    grammar = Grammar.of(
        {"book_flight": ("arrive {city:destination} on {day:date}",)},
        {"city": ("taipei",), "day": ("<month> <ordinal>",), "month": ("november",), "ordinal": ("second",)},
    )
    text = "arrive taipei on november second"
    (sentence,) = generate(1, split=split_of(text), grammar=grammar)
    assert sentence.text == text
    assert sentence.slots == (
        AnnotatedSlot("destination", 1, 2, "taipei"),
        AnnotatedSlot("date", 3, 5, "november second"),
    )
    assert [sentence.slot_words(slot) for slot in sentence.slots] == [("taipei",), ("november", "second")]


def test_cities_can_be_held_out():
    known = replace(
        TRAVEL, rules={**TRAVEL.rules, "city": parse_alternatives(("boston", "denver", "new york"))}
    )
    words = {word for sentence in generate(300, grammar=known) for word in sentence.words}
    assert {"boston", "denver", "york"} <= words
    assert "taipei" not in words


def test_a_small_grammar_says_when_it_has_no_more():
    grammar = Grammar.of({"greet": ("hello <who>",)}, {"who": ("you", "world", "all")})
    with pytest.raises(GrammarError, match="train sentences, not 100"):
        generate(100, grammar=grammar)


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("to <town>", "no list and no rule is called 'town'"),
        ("to {town:destination}", "no list and no rule is called 'town'"),
        ("to <>", "cannot read"),
    ],
)
def test_a_wrong_grammar_is_named(template, message):
    with pytest.raises(GrammarError, match=message):
        Grammar.of({"go": (template,)}, {"city": ("boston",)})


def test_an_unknown_part_is_an_error():
    with pytest.raises(GrammarError, match="no split 'valid'"):
        generate(1, split="valid")
