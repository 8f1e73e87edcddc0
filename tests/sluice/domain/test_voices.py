"""Who is understood, what is confused, and what a person is told to do about it."""

from dataclasses import replace

from slot_filling.tagging import Slot, Tagging
from sluice.domain.evaluation import meanings
from sluice.domain.metrics import Meaning, SlotMeaning, is_right
from sluice.domain.voices import Heard, advise, count_engines, count_voices, find_confusions
from sluice_core.grammar.canonical_values import CanonicalValues
from sluice_core.grammar.grammar import Grammar


def order(drink: str, size: str | None = "small", intent: str = "order", value: str = "") -> Meaning:
    slots = [SlotMeaning("drink", value or drink, drink)]
    if size is not None:
        slots.insert(0, SlotMeaning("size", size, size))
    return Meaning(" ".join(filter(None, (size, drink))), tuple(slots), intent)


def heard(speaker: str, gold: Meaning, understood: Meaning | None = None, times: int = 1) -> list[Heard]:
    return [Heard(speaker, gold, understood or gold)] * times


TEA, MOCHA = order("tea"), order("mocha")


def test_engines_and_voices_are_counted_the_worst_first() -> None:
    requests = heard("espeak:a", TEA, times=3) + heard("kokoro:b", TEA, MOCHA) + heard("kokoro:c", TEA)
    engines = count_engines(requests)
    assert [(each.name, each.right, each.requests) for each in engines] == [
        ("kokoro", 1, 2),
        ("espeak", 3, 3),
    ]
    assert engines[0].word_error_rate == 1 / 4
    assert [each.name for each in count_voices(requests)] == ["kokoro:b", "espeak:a", "kokoro:c"]


def test_a_missed_slot_is_paired_with_an_invented_one_of_its_label() -> None:
    requests = heard("a:1", TEA, MOCHA, 2) + heard("b:1", TEA, MOCHA)
    requests += heard("a:1", TEA, order("tea", None)) + heard(
        "a:1", order("tea", None), order("tea", "large")
    )
    assert [
        (each.label, each.said, each.understood, each.count, each.of, each.voices)
        for each in find_confusions(requests)
    ] == [
        ("drink", "tea", "mocha", 3, 5, 2),
        ("size", None, "large", 1, 0, 1),
        ("size", "small", None, 1, 4, 1),
    ]


def test_what_is_understood_is_not_confused() -> None:
    assert find_confusions(heard("a:1", TEA)) == []
    wrong_intent = Meaning(TEA.text, TEA.slots, "other")
    assert find_confusions(heard("a:1", TEA, wrong_intent)) == []
    assert count_engines(heard("a:1", TEA, wrong_intent))[0].right == 0


def test_the_only_intent_of_a_grammar_needs_no_tagger_to_be_right() -> None:
    grammar = Grammar.of({"order": ["one {drink}"]}, {"drink": ["tea", "mocha"]})
    said = Tagging("one tea", (Slot("drink", "tea", 4, 7, 0.9, None),), None, None, 0.9)
    nothing = Tagging("", (), None, None, 1.0)
    found = meanings([said, nothing], CanonicalValues(grammar))
    assert is_right(Meaning("one tea", (SlotMeaning("drink", "tea", "tea"),), "order"), found[0])
    assert found[1].intent is None
    two = replace(grammar, intents={**grammar.intents, "other": grammar.intents["order"]})
    assert meanings([said], CanonicalValues(two))[0].intent is None


def test_advice_names_the_engine_the_words_and_the_command() -> None:
    requests = heard("espeak:a", TEA, times=30) + heard("kokoro:b", MOCHA, order("milk"), 12)
    engine, words, own_voice = advise(requests, "runs/coffee")
    assert engine.startswith("kokoro: 0 of 12 requests are understood, of all voices 71%")
    assert "drink 'mocha' is missed in 12 of 12 requests, understood as 'milk'" in words
    assert "sounds: {mocha: …}" in words
    assert "sluice adapt runs/coffee --sentences 20" in own_voice


def test_confusions_are_of_values_and_advice_of_the_words_for_them() -> None:
    plain, short = order("black coffee", value="americano"), order("coffee", value="americano")
    requests = heard("a:1", plain, short, 3)  # other words for the same
    requests += heard("a:1", plain, order("tea"), 1) + heard("b:1", short, order("tea"), 3)
    (confusion,) = find_confusions(requests)
    assert (confusion.said, confusion.understood, confusion.count, confusion.of) == ("americano", "tea", 4, 7)
    assert confusion.words == "coffee" and confusion.voices == 2
    words, _ = advise(requests, "run")
    assert (
        "drink 'americano' is missed in 4 of 7 requests (most often as 'coffee'), understood as 'tea'"
        in words
    )
    assert "sounds: {coffee: …}" in words
    assert count_engines(heard("a:1", plain, short))[0].right == 1


def test_of_what_is_rare_nothing_is_said() -> None:
    requests = heard("espeak:a", TEA, times=30) + heard("kokoro:b", MOCHA, order("milk"), 2)
    assert len(advise(requests, "run")) == 1  # how to adapt, which is always so
    often = heard("espeak:a", TEA, times=30) + heard("espeak:b", TEA, MOCHA, 4)
    assert len(advise(often, "run")) == 1  # four of 34 are no reason to spell it otherwise
