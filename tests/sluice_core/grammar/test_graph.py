"""The deterministic graph of a grammar, and the meaning of its paths."""

from itertools import pairwise
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings

from sluice_core.grammar.grammar import Grammar
from sluice_core.grammar.graph import build_graph
from sluice_core.grammar.travel import TRAVEL
from tests.sluice_core.grammar.grammars import grammars, listed


def paths(graph):
    """Every path of a graph from its start to a final state, as its arcs."""

    def walk(state, arcs):
        if np.isfinite(graph.final_score[state]):
            yield arcs
        for arc in range(graph.first_arc[state], graph.first_arc[state + 1]):
            yield from walk(graph.arc_to[arc], [*arcs, arc])

    return list(walk(0, []))


@settings(max_examples=150, deadline=None)
@given(grammars())
def test_the_graph_says_what_the_grammar_says_with_its_scores_and_meanings(grammar):
    expected = listed(grammar)
    graph = build_graph(grammar)
    found = {tuple(graph.words[graph.arc_word[arc]] for arc in arcs): arcs for arcs in paths(graph)}
    assert set(found) == {words for words, _, _ in expected}
    assert graph.count() == len(found)
    assert grammar.count() == len(expected)
    for words, arcs in found.items():
        ways = [(score, meaning) for said, meaning, score in expected if said == words]
        best = max(score for score, _ in ways)
        assert graph.score(arcs) == pytest.approx(best, abs=1e-4)
        sentence = graph.meaning(arcs)
        assert graph.find(words) == arcs and sentence.words == words
        likely = {meaning for score, meaning in ways if score > best - 1e-6}
        assert (sentence.intent, sentence.slots) in likely
        all_meanings = {(each.intent, each.slots) for each in graph.parser.meanings(words, most=100)}
        assert all_meanings == {meaning for _, meaning in ways}


@settings(max_examples=100, deadline=None)
@given(grammars())
def test_what_is_drawn_is_in_the_graph(grammar):
    graph = build_graph(grammar)
    for seed in range(5):
        sentence = grammar.draw(Random(seed))
        meanings = graph.parser.meanings(sentence.words, most=100)
        assert graph.find(sentence.words) is not None
        assert (sentence.intent, sentence.slots) in {(each.intent, each.slots) for each in meanings}


@settings(max_examples=50, deadline=None)
@given(grammars())
def test_the_graph_is_deterministic_minimal_and_sorted(grammar):
    graph = build_graph(grammar)
    ends = set()
    for state, (first, end) in enumerate(pairwise(graph.first_arc)):
        assert (graph.arc_from[first:end] == state).all()
        assert (np.diff(graph.arc_word[first:end]) > 0).all()
        leaving = zip(
            graph.arc_word[first:end], graph.arc_to[first:end], graph.arc_score[first:end], strict=True
        )
        ends.add((float(graph.final_score[state]), tuple(leaving)))
    assert len(ends) == len(graph.final_score)


def test_every_request_of_travel_is_understood_as_it_was_drawn():
    graph = build_graph(TRAVEL)
    understood = 0
    for seed in range(300):
        drawn = TRAVEL.draw(Random(seed))
        meant = graph.meaning(graph.find(drawn.words))
        understood += (meant.intent, meant.slots) == (drawn.intent, drawn.slots)
        meanings = graph.parser.meanings(drawn.words)
        assert (drawn.intent, drawn.slots) in {(each.intent, each.slots) for each in meanings}
    assert understood > 290  # "on may third" can be said of two slots, and so on
    assert graph.find(["arrive", "taipei", "on"]) is None
    with pytest.raises(ValueError, match="no whole sentence"):
        graph.meaning(graph.find(drawn.words)[:-1])


def test_a_list_of_many_names_is_shared_between_the_templates_that_end_alike():
    syllables = [first + second for first in "bdfgklmnprst" for second in "aeiou"]
    random = Random(1)
    names = sorted(
        {"".join(random.choices(syllables, k=3)) + " " + random.choice(syllables) for _ in range(3000)}
    )
    one = build_graph(Grammar.of({"call": ["call {name}"]}, {"name": names}))
    two = build_graph(Grammar.of({"call": ["call {name}", "please ring {name}"]}, {"name": names}))
    assert len(two.arc_from) <= len(one.arc_from) + 3
    assert one.count() == len(names)


def test_millions_of_millions_of_sentences_are_counted_and_searched_not_listed():
    grammar = Grammar.of({"x": ["(a | b | c | d | e | f | g | h | i | j) " * 12]}, {})
    graph = build_graph(grammar)
    assert grammar.count() == graph.count() == 10**12
    assert len(graph.arc_from) == 120
