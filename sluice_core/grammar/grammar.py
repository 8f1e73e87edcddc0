"""Sentences with slots and an intent, drawn from a context-free grammar that is written as plain text.

A grammar maps each symbol to its alternatives. In an alternative, `<city>` stands for the symbol
`city`, and `{origin:city}` for the same symbol as a slot labelled `origin`:

>>> grammar = Grammar(
...     intents={"find_flight": ("<show> flights to {destination:city}",)},
...     symbols={"show": ("show me", "list"), "city": ("boston", "new york")},
... )
>>> sentence = grammar.draw(Random(7))
>>> sentence.text, sentence.intent
('show me flights to new york', 'find_flight')
>>> sentence.slots
(AnnotatedSlot(label='destination', start=4, end=6),)

A grammar knows nothing of sound or tags, so that whatever speaks its sentences and whatever tags them can use it.
"""

import hashlib
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from random import Random
from typing import Literal, NamedTuple, get_args

from sluice_core.errors import UserError
from sluice_core.wording import plural

Split = Literal["train", "dev", "test"]
"""What sentences serve for: training, choosing settings, or the final evaluation."""

PIECE = re.compile(r"<(?P<symbol>\w+)>|\{(?P<label>\w+):(?P<kind>\w+)\}|(?P<word>[^\s<>{}]+)")
MOST_REFUSALS = 5000  # draws in a row without a new sentence before the grammar counts as exhausted


class GrammarError(UserError):
    """A grammar cannot be read, or has fewer sentences than were asked for."""


class AnnotatedSlot(NamedTuple):
    """A labelled span of a sentence's words: `words[start:end]`."""

    label: str
    start: int
    end: int


@dataclass(frozen=True)
class AnnotatedSentence:
    """The words of a sentence with their slots and the intent that the sentence expresses."""

    words: tuple[str, ...]
    slots: tuple[AnnotatedSlot, ...]
    intent: str
    template: str
    """The alternative of the intent that the sentence was made from."""

    @property
    def text(self) -> str:
        """The words, separated by single spaces."""
        return " ".join(self.words)

    def slot_words(self, slot: AnnotatedSlot) -> tuple[str, ...]:
        """Return the words that a slot covers."""
        return self.words[slot.start : slot.end]


@dataclass(frozen=True)
class Grammar:
    """The sentence templates of each intent, and the symbols that they use.

    To hold out values or templates, make a second grammar by `dataclasses.replace(grammar, symbols=…)`.

    Raises:
        GrammarError: an alternative names a symbol that the grammar does not have, or cannot be read.
    """

    intents: Mapping[str, tuple[str, ...]]
    """The templates of each intent."""
    symbols: Mapping[str, tuple[str, ...]]
    """The alternatives of each symbol."""

    def __post_init__(self) -> None:
        rules = {**{f"intent {name}": rule for name, rule in self.intents.items()}, **self.symbols}
        for name, alternatives in rules.items():
            if not alternatives:
                raise GrammarError(f"grammar: {name} has no alternatives")
            for alternative in alternatives:
                if PIECE.sub("", alternative).strip():
                    raise GrammarError(f"grammar: {name}: cannot read {alternative!r}")
                for match in PIECE.finditer(alternative):
                    symbol = match["symbol"] or match["kind"]
                    if symbol and symbol not in self.symbols:
                        raise GrammarError(f"grammar: {name}: no symbol {symbol!r} for {alternative!r}")

    def vocabulary(self) -> set[str]:
        """Return every word that a sentence of the grammar may contain."""
        rules = [*self.intents.values(), *self.symbols.values()]
        return {
            match["word"]
            for alternatives in rules
            for alternative in alternatives
            for match in PIECE.finditer(alternative)
            if match["word"]
        }

    def draw(self, random: Random) -> AnnotatedSentence:
        """Draw a sentence: one template out of all, then one alternative at each symbol.

        All templates are equally likely, so that an intent is as likely as it has templates.
        """
        intent, template = random.choice(
            [(intent, template) for intent, templates in self.intents.items() for template in templates]
        )
        words: list[str] = []
        slots: list[AnnotatedSlot] = []
        self._expand(template, random, words, slots)
        return AnnotatedSentence(tuple(words), tuple(slots), intent, template)

    def _expand(self, alternative: str, random: Random, words: list[str], slots: list[AnnotatedSlot]) -> None:
        """Append the words and the slots of one alternative to `words` and `slots`."""
        for match in PIECE.finditer(alternative):
            if match["word"]:
                words.append(match["word"])
                continue
            start = len(words)
            self._expand(random.choice(self.symbols[match["symbol"] or match["kind"]]), random, words, slots)
            if match["label"]:
                slots.append(AnnotatedSlot(match["label"], start, len(words)))


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
    """Draw sentences of a split without end, repeats included.

    Sentences that name one value twice ("from boston to boston") are left out.

    Raises:
        GrammarError: there is no such split.
    """
    if split not in get_args(Split):
        raise GrammarError(f"there is no split {split!r}: name train, dev or test")
    random = Random(f"{seed} {split}")
    while True:
        sentence = grammar.draw(random)
        values = Counter(sentence.slot_words(slot) for slot in sentence.slots)
        if values and max(values.values()) > 1:
            continue
        if split_of(sentence.text) == split:
            yield sentence


def distinct_sentences(grammar: Grammar, count: int, seed: int, split: Split) -> list[AnnotatedSentence]:
    """Draw `count` different sentences of a split.

    With the same seed, a longer list begins with the shorter one.

    Raises:
        GrammarError: there is no such split, or no further sentence is found in 5,000 draws.
    """
    found: dict[str, AnnotatedSentence] = {}
    refusals = 0
    for sentence in draw_sentences(grammar, seed, split) if count > 0 else ():
        refusals = refusals + 1 if sentence.text in found else 0
        found.setdefault(sentence.text, sentence)
        if len(found) == count:
            break
        if refusals == MOST_REFUSALS:
            raise GrammarError(
                f"the grammar has about {plural(len(found), f'{split} sentence')}, not {count}"
            )
    return list(found.values())
