"""Grammars of sentences that have slots and an intent: drawn, counted, and written to files.

>>> grammar = Grammar.of(
...     intents={"find_flight": ["<show> flights to {city:destination}"]},
...     rules={"show": ["show me", "list"], "city": ["boston", "new york"]},
... )
>>> sentence = grammar.draw(Random(7))
>>> sentence.text, sentence.intent
('show me flights to new york', 'find_flight')
>>> sentence.slots
(AnnotatedSlot(label='destination', start=4, end=6, value='new york'),)
>>> grammar.count()
4

`sluice_core.grammar.templates` describes how sentences are written, and `sluice_core.grammar.reading` reads files.
A grammar knows nothing of sound or tags, so that whatever speaks its sentences and whatever tags them can use it.
"""

import hashlib
import logging
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from random import Random
from typing import Literal, NamedTuple, get_args

from sluice_core.grammar.expressions import (
    Alternation,
    Alternative,
    Expression,
    GrammarError,
    Labelled,
    Reference,
    Terminal,
    Valued,
    children,
    count,
    descendants,
    references,
)
from sluice_core.grammar.templates import Template, parse_alternatives, parse_template
from sluice_core.grammar.writing import write_grammar
from sluice_core.wording import plural

Split = Literal["train", "dev", "test"]
"""What sentences serve for: training, choosing settings, or the final evaluation."""

log = logging.getLogger("sluice")

MOST_REFUSALS = 5000  # draws in a row without a new sentence before the grammar counts as exhausted
MOST_DRAWS = 50_000  # draws in a row without a sentence of a split before it counts as empty


class AnnotatedSlot(NamedTuple):
    """A labelled span of a sentence's words, `words[start:end]`; a constant slot has a value and no words."""

    label: str
    start: int
    end: int
    value: str = ""
    """What the words stand for, where a grammar has said them."""

    @property
    def is_constant(self) -> bool:
        """Whether the sentence has the slot without words of its own for it."""
        return self.start == self.end


@dataclass(frozen=True)
class AnnotatedSentence:
    """The words of a sentence with their slots and the intent that the sentence expresses."""

    words: tuple[str, ...]
    slots: tuple[AnnotatedSlot, ...]
    intent: str
    template: str
    """The template of the intent that the sentence was made from."""

    @property
    def text(self) -> str:
        """The words, separated by single spaces."""
        return " ".join(self.words)

    def slot_words(self, slot: AnnotatedSlot) -> tuple[str, ...]:
        """Return the words that a slot covers."""
        return self.words[slot.start : slot.end]


@dataclass(frozen=True)
class Grammar:
    """The sentence templates of each intent, and the rules and lists that they refer to.

    To hold out values or templates, make a second grammar by `dataclasses.replace(grammar, rules=…)`.

    Raises:
        GrammarError: a template refers to a rule that the grammar does not have, or a rule contains itself.
    """

    intents: Mapping[str, tuple[Template, ...]]
    rules: Mapping[str, Expression]
    """What `<name>` and `{name}` stand for."""
    language: str = "en"
    """BCP 47 tag of the language that is spoken, such as "en" or "de"."""
    sounds: Mapping[str, str] = field(default_factory=dict)
    """How synthesizers say a word that they misread: another spelling that they read as it is meant."""
    repeatable: frozenset[str] = frozenset()
    """The slots that one sentence may fill several times."""

    def __post_init__(self) -> None:
        for intent, templates in self.intents.items():
            for template in templates:
                _check_references(template.expression, self.rules, f"intent {intent}: {template.text!r}")
        for name, rule in self.rules.items():
            _check_references(rule, self.rules, name)
        if circle := find_circle(self.rules):
            raise GrammarError(
                f"grammar: {' → '.join(circle)}: a rule cannot contain itself, since its sentences would never end"
            )

    @classmethod
    def of(cls, intents: Mapping[str, Sequence[str]], rules: Mapping[str, Sequence[str]]) -> "Grammar":
        """Build a grammar from templates as they are written in a file, and the alternatives of each rule.

        Raises:
            GrammarError: a template cannot be read, or refers to a rule that is missing.
        """
        built: dict[str, tuple[Template, ...]] = {}
        for intent, texts in intents.items():
            alternatives = [parse_template(text) for text in texts]
            built[intent] = tuple(
                Template(text, each.expression, each.weight)
                for text, each in zip(texts, alternatives, strict=True)
            )
        return cls(built, {name: parse_alternatives(texts) for name, texts in rules.items()})

    @cached_property
    def choice(self) -> Alternation:
        """The choice among all templates of all intents, in their order."""
        templates = [template for each in self.intents.values() for template in each]
        return Alternation(tuple(Alternative(template.expression, template.weight) for template in templates))

    @property
    def only_intent(self) -> str | None:
        """The intent of all sentences, which a tagger does not learn; None if there are several."""
        return next(iter(self.intents)) if len(self.intents) == 1 else None

    def templates(self) -> Iterator[tuple[str, Template]]:
        """Yield the templates, each with its intent."""
        for intent, templates in self.intents.items():
            for template in templates:
                yield intent, template

    def vocabulary(self) -> set[str]:
        """Return every word that a sentence of the grammar may contain."""
        waiting = [template.expression for _, template in self.templates()]
        seen: set[str] = set()
        words: set[str] = set()
        while waiting:
            for each in descendants(waiting.pop()):
                if isinstance(each, Terminal):
                    words.add(each.text)
                elif isinstance(each, Reference) and each.name not in seen:
                    seen.add(each.name)
                    waiting.append(self.rules[each.name])
        return words

    def count(self) -> int:
        """Return how many sentences there are; one that can be made in two ways counts twice."""
        return count(self.choice, self.rules)

    def to_yaml(self) -> str:
        """Return the grammar in our own format, whatever format it came in."""
        return write_grammar(self.intents, self.rules, self.language, self.sounds, self.repeatable)

    def save(self, path: Path) -> None:
        """Write the grammar to a file in our own format."""
        path.write_text(self.to_yaml(), encoding="utf-8")

    def draw(self, random: Random) -> AnnotatedSentence:
        """Draw a sentence: one template out of all, then one alternative at each choice, by their weights.

        Templates weigh the same unless they say otherwise, so that an intent is as likely as it has templates.
        """
        drawn = self.choice.draw(random)
        intent, template = self._template_of[id(drawn)]
        drawing = _Drawing(self.rules, random)
        drawing.expand(drawn)
        return AnnotatedSentence(tuple(drawing.words), tuple(drawing.slots), intent, template.text)

    @cached_property
    def _template_of(self) -> dict[int, tuple[str, Template]]:
        return {id(template.expression): (intent, template) for intent, template in self.templates()}


class _Drawing:
    """The words and slots of a sentence that is being drawn."""

    def __init__(self, rules: Mapping[str, Expression], random: Random) -> None:
        self.rules = rules
        self.random = random
        self.words: list[str] = []
        self.slots: list[AnnotatedSlot] = []
        self.pieces: list[str] = []  # of the value of the slot that is open

    def expand(self, expression: Expression) -> None:
        """Append the words and slots of one sentence of an expression."""
        match expression:
            case Terminal(text):
                self.words.append(text)
                self.pieces.append(text)
            case Reference(name):
                self.expand(self.rules[name])
            case Alternation():
                self.expand(expression.draw(self.random))
            case Valued(inner, value):
                before = len(self.pieces)
                self.expand(inner)
                self.pieces[before:] = [value]
            case Labelled(label, inner):
                start, self.pieces = len(self.words), []
                self.expand(inner)
                value = " ".join(filter(None, self.pieces))
                if len(self.words) > start or value:
                    self.slots.append(AnnotatedSlot(label, start, len(self.words), value))
            case _:
                for each in children(expression):
                    self.expand(each)


def find_circle(rules: Mapping[str, Expression]) -> list[str]:
    """Return the names of rules that lead from one of them back to itself; none if no rule contains itself."""
    done: set[str] = set()

    def visit(name: str, path: list[str]) -> list[str]:
        if name in path:
            return [*path[path.index(name) :], name]
        if name in done or name not in rules:
            return []
        for each in sorted(references(rules[name])):
            if circle := visit(each, [*path, name]):
                return circle
        done.add(name)
        return []

    return next((circle for name in rules if (circle := visit(name, []))), [])


def _check_references(expression: Expression, rules: Mapping[str, Expression], where: str) -> None:
    for name in sorted(references(expression) - rules.keys()):
        raise GrammarError(f"grammar: {where}: no list and no rule is called {name!r}")


def split_of(text: str) -> Split:
    """Return the split that a sentence belongs to: one tenth of all sentences are dev, one tenth are test.

    A hash of the words decides it and nothing else, so that no seed and no number of sentences puts the
    same sentence into two splits.

    >>> split_of("list flights to boston")
    'train'
    """
    tenth = int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big") % 10
    return "test" if tenth == 0 else "dev" if tenth == 1 else "train"


def draw_sentences(grammar: Grammar, seed: int, split: Split) -> Iterator[AnnotatedSentence]:
    """Draw sentences of a split, repeats included, without end; but 50,000 draws without one of the split are the end.

    Sentences that name one value twice ("from boston to boston") are left out.

    Raises:
        GrammarError: there is no such split.
    """
    if split not in get_args(Split):
        raise GrammarError(f"there is no split {split!r}: name train, dev or test")
    random = Random(f"{seed} {split}")
    refusals = 0
    while refusals < MOST_DRAWS:
        sentence = grammar.draw(random)
        values = Counter(sentence.slot_words(slot) for slot in sentence.slots if not slot.is_constant)
        refusals += 1
        if max(values.values(), default=1) == 1 and split_of(sentence.text) == split:
            refusals = 0
            yield sentence


def distinct_sentences(
    grammar: Grammar, count: int, seed: int, split: Split, *, or_fewer: bool = False
) -> list[AnnotatedSentence]:
    """Draw `count` different sentences of a split.

    With the same seed, a longer list begins with the shorter one.

    Args:
        grammar: the grammar.
        count: how many.
        seed: decides which.
        split: what they serve for.
        or_fewer: return as many as are found in 5,000 draws, where that is no error.

    Raises:
        GrammarError: there is no such split, or no further sentence is found in 5,000 draws.
    """
    found: dict[str, AnnotatedSentence] = {}
    refusals = 0
    for sentence in draw_sentences(grammar, seed, split) if count > 0 else ():
        refusals = refusals + 1 if sentence.text in found else 0
        found.setdefault(sentence.text, sentence)
        if len(found) == count or refusals == MOST_REFUSALS:
            break
    if len(found) < count and not or_fewer:
        raise GrammarError(f"the grammar has about {plural(len(found), f'{split} sentence')}, not {count}")
    return list(found.values())


def divided_sentences(
    grammar: Grammar, sizes: Mapping[Split, int], seed: int
) -> dict[Split, list[AnnotatedSentence]]:
    """Draw different sentences for each split, as many as asked for or as many as there are.

    A grammar of so few sentences that dev or test would have none gives all of them to every split; the log says so.

    Raises:
        GrammarError: no sentence can be drawn.
    """
    drawn = {
        split: distinct_sentences(grammar, size, seed, split, or_fewer=True) for split, size in sizes.items()
    }
    if all(drawn[split] for split, size in sizes.items() if size):
        return drawn
    everything = [sentence for sentences in drawn.values() for sentence in sentences]
    if not everything:
        raise GrammarError("no sentence can be drawn: each names one value twice, or says nothing")
    log.warning(
        f"the grammar has {plural(len(everything), 'sentence')}, too few to divide: training, dev and test have "
        "the same"
    )
    return {split: everything[:size] for split, size in sizes.items()}
