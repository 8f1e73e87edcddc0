"""Random small grammars, and the plain way to list what they say."""

from itertools import product
from math import log

from hypothesis import strategies as st

from sluice_core.grammar.expressions import (
    Alternation,
    Alternative,
    Concatenation,
    Labelled,
    Reference,
    Terminal,
    Valued,
)
from sluice_core.grammar.grammar import AnnotatedSlot, Grammar
from sluice_core.grammar.templates import Template

words = st.sampled_from("abcd").map(Terminal)
weights = st.sampled_from([1, 1, 1, 2, 3])


def _choices(inner):
    return st.lists(st.builds(Alternative, inner, weights), min_size=1, max_size=3).map(
        lambda found: Alternation(tuple(found))
    )


def _extend(inner):
    valued = st.builds(Valued, inner, st.sampled_from(["one", "two", ""]))
    return (
        st.lists(inner, max_size=3).map(lambda parts: Concatenation(tuple(parts))) | _choices(inner) | valued
    )


plain = st.recursive(words, _extend, max_leaves=5)
parts = plain | st.just(Reference("r")) | st.builds(Labelled, st.sampled_from(["s", "t"]), plain)
templates = st.lists(parts, min_size=1, max_size=4).map(lambda found: Concatenation(tuple(found)))


@st.composite
def grammars(draw):
    """A grammar of one or two intents, with a rule that several templates share."""
    intents = {}
    for name in ("x", "y")[: draw(st.integers(1, 2))]:
        found = draw(st.lists(st.tuples(templates, weights), min_size=1, max_size=2))
        intents[name] = tuple(Template(f"{name}{n}", *each) for n, each in enumerate(found))
    return Grammar(intents, {"r": draw(_choices(plain))}, repeatable=frozenset("st"))


def listed(grammar):
    """Every sentence of a grammar: its words, meaning (intent and slots), and score, one for each way to make it."""
    all_weights = [template.weight for _, template in grammar.templates()]
    mean = sum(all_weights) / len(all_weights)
    return [
        (words, (intent, slots), score + log(template.weight / mean))
        for intent, template in grammar.templates()
        for words, _, slots, score in _expand(template.expression, grammar)
    ]


def _expand(expression, grammar):
    """Yield words, the pieces of a value, slots and score of each way to make a sentence of an expression."""
    match expression:
        case Terminal(text):
            yield (text,), (text,), (), 0.0
        case Reference(name):
            yield from _expand(grammar.rules[name], grammar)
        case Alternation(alternatives):
            mean = sum(each.weight for each in alternatives) / len(alternatives)
            for each in alternatives:
                for words, pieces, slots, score in _expand(each.expression, grammar):
                    yield words, pieces, slots, score + log(each.weight / mean)
        case Valued(inner, value):
            for words, _, slots, score in _expand(inner, grammar):
                yield words, (value,), slots, score
        case Labelled(label, inner):
            for words, pieces, _, score in _expand(inner, grammar):
                value = " ".join(filter(None, pieces))
                filled = words or value
                yield words, pieces, (AnnotatedSlot(label, 0, len(words), value),) if filled else (), score
        case Concatenation(inner):
            for ways in product(*(list(_expand(each, grammar)) for each in inner)):
                words, pieces, slots, score = (), (), (), 0.0
                for way in ways:
                    moved = [
                        each._replace(start=each.start + len(words), end=each.end + len(words))
                        for each in way[2]
                    ]
                    words, pieces, slots = words + way[0], pieces + way[1], (*slots, *moved)
                    score += way[3]
                yield words, pieces, slots, score
