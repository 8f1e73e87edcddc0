"""IOB1, IOB2, BIOES: to spans and back, errors, and which tag may follow which."""

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slot_filling.schemes import (
    SCHEMES,
    SchemeError,
    check,
    convert,
    detect,
    fault,
    spans,
    tag_names,
    tags_of,
    transitions,
)
from slot_filling.sentences import Sentence, SentenceError, Span

NAMES = sorted(SCHEMES)
EXAMPLE = {  # fly to New York Boston United
    "IOB1": "O O I-city I-city B-city I-airline",
    "IOB2": "O O B-city I-city B-city B-airline",
    "BIOES": "O O B-city E-city S-city S-airline",
}
SPANS = [Span("city", 2, 4), Span("city", 4, 5), Span("airline", 5, 6)]


@st.composite
def spans_of_a_sentence(draw):
    """A length and spans in it, some touching, of two labels, one with a hyphen."""
    position, found = 0, []
    for gap, size, label in draw(
        st.lists(st.tuples(st.integers(0, 2), st.integers(1, 4), st.sampled_from(["city", "per-org"])))
    ):
        found.append(Span(label, position + gap, position + gap + size))
        position += gap + size
    return found, position + draw(st.integers(0, 2))


@pytest.mark.parametrize("source", NAMES)
def test_the_example_of_the_docstring_in_every_scheme(source):
    tags = EXAMPLE[source].split()
    assert spans(tags, source) == SPANS
    assert tags_of(SPANS, 6, source) == tags
    for target in NAMES:
        assert convert(tags, source, target) == EXAMPLE[target].split()


@pytest.mark.parametrize("scheme", NAMES)
@given(case=spans_of_a_sentence())
def test_spans_come_back_from_their_tags(scheme, case):
    found, length = case
    tags = tags_of(found, length, scheme)
    assert check(tags, scheme) is None
    assert spans(tags, scheme) == found


@pytest.mark.parametrize("scheme", NAMES)
def test_transitions_allow_exactly_the_tags_that_spell_spans(scheme):
    """Enumerated: a tag sequence is allowed if and only if some set of spans is spelled by it."""
    names = tag_names(["x", "y"], scheme)
    start, allowed, end = transitions(names, scheme)
    stretches = [Span(label, i, j) for label in "xy" for i in range(3) for j in range(i + 1, 4)]
    spelled = {()}
    for count in (1, 2, 3):
        for chosen in product(stretches, repeat=count):
            try:
                spelled.add(tuple(tags_of(chosen, 3, scheme)))
            except SchemeError:
                continue
    spelled = {tags or ("O",) * 3 for tags in spelled}
    for path in product(range(len(names)), repeat=3):
        tags = tuple(names[number] for number in path)
        fits = start[path[0]] and allowed[path[0], path[1]] and allowed[path[1], path[2]] and end[path[2]]
        assert bool(fits) == (tags in spelled) == (fault(tags, scheme) is None), tags


@pytest.mark.parametrize(
    ("scheme", "tags", "message"),
    [
        ("IOB2", "O I-city", r"word 2: I-city starts a span .*write B-city"),
        ("IOB2", "B-city I-airline", r"word 2: I-airline starts a span .I-airline follows B-city"),
        ("IOB1", "O B-city", r"word 2: B-city follows O; .*write I-city"),
        ("BIOES", "B-city O", r"word 2: O follows B-city, whose span has no end: write E-city"),
        ("BIOES", "O B-city", r"word 2: B-city ends the sentence"),
        ("BIOES", "O E-city", r"word 2: E-city starts a span .*write B- or S-city"),
        ("IOB2", "O S-city", r"word 2: 'S-city' is not a tag of IOB2: O, B-label, I-label"),
        ("IOB2", "city", r"word 1: 'city' is not a tag"),
        ("IOB2", "B-", r"word 1: 'B-' is not a tag"),
        ("IOB2", "O-", r"word 1: 'O-' is not a tag"),
        ("IOB2", "O-city", r"word 1: 'O-city' is not a tag"),
    ],
)
def test_what_is_wrong_is_said(scheme, tags, message):
    with pytest.raises(SchemeError, match=message):
        spans(tags.split(), scheme)


def test_an_empty_sentence_has_no_spans():
    assert spans([]) == [] and tags_of([], 0) == [] and check([]) is None


def test_spans_that_do_not_fit_are_errors():
    for wrong in ([Span("x", 0, 3)], [Span("x", 1, 1)], [Span("x", 0, 2), Span("y", 1, 2)]):
        with pytest.raises(SchemeError, match="empty, out of the sentence or overlaps"):
            tags_of(wrong, 2)
    with pytest.raises(SchemeError, match="there is no tagging scheme 'IOB3'; there are IOB1"):
        tags_of([], 1, "IOB3")


@pytest.mark.parametrize("scheme", NAMES)
def test_the_scheme_is_detected(scheme):
    assert detect([EXAMPLE[scheme].split(), ["O"]]) == scheme


def test_one_mistake_does_not_change_the_scheme_that_is_detected():
    assert detect([EXAMPLE["IOB2"].split()] * 3 + [["O", "I-city"]]) == "IOB2"
    assert detect([["O", "O"]]) == "IOB2"


def test_a_sentence_needs_a_tag_for_each_word():
    with pytest.raises(SentenceError, match=r"a\.conll, line 3: 2 words but 1 tag"):
        Sentence(("new", "york"), ("O",), where="a.conll, line 3")
    assert Sentence(("new", "york"), None).text == "new york"
