"""Travel requests in written form, and the names and templates that training never has."""

import re
from dataclasses import replace
from random import Random

import pytest

from sluice_core.grammar.grammar import AnnotatedSentence, AnnotatedSlot, split_of
from sluice_core.grammar.templates import Template, parse_alternatives, parse_template
from sluice_core.grammar.travel import TRAVEL
from sluice_core.grammar.travel_written import (
    DEV_TEMPLATES,
    NAME_SPELLINGS,
    TEST_TEMPLATES,
    grammars,
    spoken,
    written,
)
from sluice_core.grammar.writing_styles import SPOKEN, WritingStyle, write
from sluice_core.normalization.spoken_numbers import concatenated, count_of, ordinal_figure

SPLITS = ("train", "dev", "test")


def of_one_template(text):
    """The travel grammar with this template alone."""
    template = Template(text, parse_template(text).expression)
    return replace(TRAVEL, intents={"book_flight": (template,)})


def forms(words, label, style=WritingStyle(), count=200):  # noqa: B008 — frozen
    """Every way in which one value is written."""
    words = tuple(words.split())
    sentence = AnnotatedSentence(("go", *words, "now"), (AnnotatedSlot(label, 1, 1 + len(words)),), "x", "")
    found = set()
    for seed in range(count):
        passage = write(sentence, Random(seed), style, NAME_SPELLINGS)
        (slot,) = passage.slots
        assert passage.text.startswith(("Go ", "go ", "GO "))
        found.add(passage.text[slot.start : slot.end])
    return found


@pytest.mark.parametrize(
    ("words", "label", "some"),
    [
        ("november second", "date", {"November 2nd", "Nov 2", "11/2", "2 November", "2nd of November"}),
        ("the twenty first of may", "date", {"May 21st", "the 21st of May", "5/21", "2026-05-21"}),
        ("monday the third", "date", {"Monday the 3rd"}),
        ("next friday", "date", {"next Friday"}),
        ("the day after tomorrow", "date", {"the day after tomorrow"}),
        ("two thirty", "time", {"2:30", "2:30 PM", "2:30am"}),
        ("two forty five", "time", {"2:45"}),
        ("nine a m", "time", {"9 AM", "9am", "9 a.m.", "9:00 AM"}),
        ("half past six", "time", {"6:30", "half past 6"}),
        ("quarter to one", "time", {"12:45", "quarter to 1"}),
        ("quarter past twelve", "time", {"12:15"}),
        ("four o'clock", "time", {"4 o'clock", "4:00"}),
        ("noon", "time", {"noon"}),
        ("three one two", "flight", {"312"}),
        ("a thousand dollars", "price", {"$1,000", "$1000", "1,000 dollars", "1000 USD"}),
        ("two hundred and fifty euros", "price", {"€250", "250 EUR"}),
        ("three", "count", {"3"}),
        ("four star", "stars", {"4 star", "4-star"}),
        ("rio de janeiro", "city", {"Rio de Janeiro"}),
        ("new york", "origin", {"New York"}),
        ("jet blue", "airline", {"JetBlue"}),
    ],
)
def test_the_usual_ways_to_write_a_value(words, label, some):
    found = forms(words, label)
    assert some <= found
    if len(some) == 1 and label in ("date", "flight", "count"):
        assert some == found


@pytest.mark.parametrize(
    ("words", "figures"),
    [("three oh five", "305"), ("three twelve", "312"), ("twelve fifty", "1250"), ("fourteen fifteen", "1415"),
     ("twenty five", "25"), ("seven hundred", "700")],
)  # fmt: skip
def test_flight_numbers_are_figures_side_by_side(words, figures):
    assert concatenated(words.split()) == figures


def test_amounts_and_ordinals():
    assert count_of(["thirteen", "hundred", "and", "fifty"]) == 1350
    assert count_of(["sixty", "five"]) == 65
    assert [ordinal_figure(day) for day in (1, 2, 3, 4, 11, 12, 13, 21, 22, 31)] == [
        "1st", "2nd", "3rd", "4th", "11th", "12th", "13th", "21st", "22nd", "31st",
    ]  # fmt: skip


def test_every_value_of_the_grammar_can_be_written():
    """Each alternative of each symbol that slots hold, in a grammar of its own."""
    labels = {"day": "date", "soon": "date", "clock": "time", "part_of_day": "time", "some": "count",
              "flight_number": "flight", "money": "price", "stars": "stars"}  # fmt: skip
    for symbol, label in labels.items():
        grammar = of_one_template(f"{{{symbol}:{label}}}")
        for seed in range(400):
            random = Random(seed)
            passage = write(grammar.draw(random), random, WritingStyle(), NAME_SPELLINGS)
            ((_, start, end),) = passage.slots
            if label in ("count", "flight", "price", "stars"):
                assert re.search(r"\d", passage.text[start:end]), passage


def test_the_spoken_style_is_the_sentence_itself():
    for sentence in spoken(200, 3, "train"):
        passage = write(sentence, Random(1), SPOKEN, NAME_SPELLINGS)
        assert passage.text == sentence.text
        for slot, expected in zip(passage.slots, sentence.slots, strict=True):
            assert passage.text[slot.start : slot.end] == " ".join(sentence.slot_words(expected))


def test_capitals_and_punctuation():
    words = ("is", "united", "flight", "two", "on", "time", "please")
    slots = (AnnotatedSlot("airline", 1, 2), AnnotatedSlot("flight", 3, 4))
    sentence = AnnotatedSentence(words, slots, "flight_status", "")
    texts = {write(sentence, Random(seed), WritingStyle(), {}).text for seed in range(20)}
    assert texts == {"Is United flight 2 on time please?", "Is United flight 2 on time, please?"}
    (plain,) = {
        write(sentence, Random(seed), WritingStyle(capitals="none", punctuation=False), {}).text
        for seed in range(9)
    }
    assert plain == "is united flight 2 on time please"
    assert (
        write(sentence, Random(0), WritingStyle(capitals="all", punctuation=False), {}).text == plain.upper()
    )


def test_same_seed_same_requests():
    assert written(60, 5, "dev") == written(60, 5, "dev") != written(60, 6, "dev")


def test_names_and_templates_are_kept_from_training():
    cities = {
        split: {" ".join(s.slot_words(slot)) for s in spoken(2000 if split == "train" else 400, 1, split)
               for slot in s.slots if slot.label in ("city", "origin", "destination")}
        for split in SPLITS
    }  # fmt: skip
    assert {"taipei", "boston", "new york"} <= cities["train"]
    assert {split_of(city) for city in cities["train"]} == {"train"}
    for split in ("dev", "test"):
        new = cities[split] - cities["train"]
        assert len(new) > 20 and {split_of(city) for city in new} <= {split, "train"}
        assert new <= {city for city in cities[split] if split_of(city) == split} | {
            c for c in new if split_of(c) == "train"
        }
    templates = {
        split: {s.template for s in spoken(2000 if split == "train" else 400, 1, split)} for split in SPLITS
    }
    assert set(DEV_TEMPLATES) <= templates["dev"] and set(TEST_TEMPLATES) <= templates["test"]
    assert not templates["train"] & {*DEV_TEMPLATES, *TEST_TEMPLATES}
    assert not templates["dev"] & set(TEST_TEMPLATES) and not templates["test"] & set(DEV_TEMPLATES)


def test_about_half_of_dev_and_test_is_new():
    for split, kept in (("dev", DEV_TEMPLATES), ("test", TEST_TEMPLATES)):
        sentences = spoken(600, 2, split)
        assert sum(s.template in kept for s in sentences) == 300
        values = [
            " ".join(s.slot_words(slot))
            for s in sentences
            for slot in s.slots
            if slot.label in ("city", "origin", "destination")
        ]
        assert 0.4 < sum(split_of(value) == split for value in values) / len(values) < 0.6


def test_kept_templates_are_the_grammars_own_and_training_has_every_label_and_intent():
    every = {template.text for _, template in TRAVEL.templates()}
    assert {*DEV_TEMPLATES, *TEST_TEMPLATES} <= every
    labels = {slot.label for sentence in spoken(1500, 1, "train") for slot in sentence.slots}
    assert labels == {slot.label for seed in range(2000) for slot in TRAVEL.draw(Random(seed)).slots}
    (usual,) = grammars("train")
    assert set(usual.intents) == set(TRAVEL.intents)


def test_no_request_is_in_two_splits():
    texts = {split: {s.text for seed in (1, 2) for s in spoken(400, seed, split)} for split in SPLITS}
    assert not texts["train"] & texts["dev"] and not texts["train"] & texts["test"]
    assert not texts["dev"] & texts["test"]


def test_the_wanted_request_is_one_of_training():
    template = "arrive {city:destination} on {day:date}"
    grammar = of_one_template(template)
    grammar = replace(
        grammar,
        rules={"city": parse_alternatives(["taipei"]), "day": parse_alternatives(["november second"])},
    )
    texts = {
        write(grammar.draw(Random(1)), Random(seed), WritingStyle(), NAME_SPELLINGS).text
        for seed in range(200)
    }
    assert "Arrive Taipei on November 2nd" in texts
    assert template in {each.text for each in grammars("train")[0].intents["book_flight"]}
