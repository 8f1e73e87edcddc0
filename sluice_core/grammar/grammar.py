"""Sentences with slots and an intent, drawn from a context-free grammar written as plain text.

A grammar maps each symbol to its alternatives. In an alternative, `<city>` stands for the symbol
`city`, and `{origin:city}` for the same symbol as a slot labelled `origin`:

    Grammar(
        intents={"find_flight": ("<show> flights to {destination:city}",)},
        symbols={"show": ("show me", "list"), "city": ("boston", "new york")},
    )

The grammar knows words only: it serves whatever speaks them and whatever tags them.
"""

import hashlib
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from random import Random
from typing import Literal, NamedTuple, get_args

from sluice_core.errors import UserError

Part = Literal["train", "dev", "test"]

PIECE = re.compile(r"<(?P<symbol>\w+)>|\{(?P<label>\w+):(?P<kind>\w+)\}|(?P<word>[^\s<>{}]+)")
MOST_REFUSALS = 5000  # draws in a row without a new sentence before the grammar counts as exhausted


class GrammarError(UserError):
    """A grammar is wrong, or has fewer sentences than asked for."""


class Slot(NamedTuple):
    """A labelled span of words: `words[start:end]`."""

    label: str
    start: int
    end: int


@dataclass(frozen=True)
class Sentence:
    """A sentence, what it asks (`intent`), its labelled words, and the template it came from."""

    words: tuple[str, ...]
    slots: tuple[Slot, ...]
    intent: str
    template: str

    @property
    def text(self) -> str:
        """The words with one space between."""
        return " ".join(self.words)

    def slot_words(self, slot: Slot) -> tuple[str, ...]:
        """The words that a slot covers."""
        return self.words[slot.start : slot.end]


@dataclass(frozen=True)
class Grammar:
    """Templates by intent, and the symbols that they use.

    For held-out values or templates, make two grammars: `dataclasses.replace(grammar, symbols=…)`.

    Raises:
        GrammarError: an alternative names a symbol that is not there, or cannot be read.
    """

    intents: Mapping[str, tuple[str, ...]]
    symbols: Mapping[str, tuple[str, ...]]

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
        """Every word that any sentence may hold."""
        rules = [*self.intents.values(), *self.symbols.values()]
        return {
            match["word"]
            for alternatives in rules
            for alternative in alternatives
            for match in PIECE.finditer(alternative)
            if match["word"]
        }

    def draw(self, random: Random) -> Sentence:
        """One sentence: an intent, by how many templates it has, then one alternative at each symbol."""
        intent, template = random.choice(
            [(intent, template) for intent, templates in self.intents.items() for template in templates]
        )
        words: list[str] = []
        slots: list[Slot] = []
        self._expand(template, random, words, slots)
        return Sentence(tuple(words), tuple(slots), intent, template)

    def _expand(self, alternative: str, random: Random, words: list[str], slots: list[Slot]) -> None:
        """Append the words, and the slots, of one alternative."""
        for match in PIECE.finditer(alternative):
            if match["word"]:
                words.append(match["word"])
                continue
            start = len(words)
            self._expand(random.choice(self.symbols[match["symbol"] or match["kind"]]), random, words, slots)
            if match["label"]:
                slots.append(Slot(match["label"], start, len(words)))


def part_of(text: str) -> Part:
    """The part a sentence belongs to, by a hash of its words: one tenth dev, one tenth test.

    Nothing else decides it, so that no seed or number of sentences can put the same sentence in two
    parts.
    """
    tenth = int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big") % 10
    return "test" if tenth == 0 else "dev" if tenth == 1 else "train"


def sentences(grammar: Grammar, seed: int, part: Part) -> Iterator[Sentence]:
    """Endless draws, repeats included, of the sentences that belong to `part`.

    Sentences that name one value twice ("from boston to boston") are left out.
    """
    if part not in get_args(Part):
        raise GrammarError(f"no part {part!r}: train, dev or test")
    random = Random(f"{seed} {part}")
    while True:
        sentence = grammar.draw(random)
        values = Counter(sentence.slot_words(slot) for slot in sentence.slots)
        if values and max(values.values()) > 1:
            continue
        if part_of(sentence.text) == part:
            yield sentence


def distinct(grammar: Grammar, count: int, seed: int, part: Part) -> list[Sentence]:
    """`count` different sentences of `part`; more of them with the same seed begin with the same ones.

    Raises:
        GrammarError: the grammar does not have that many (or hides them well).
    """
    found: dict[str, Sentence] = {}
    refusals = 0
    for sentence in sentences(grammar, seed, part) if count > 0 else ():
        refusals = refusals + 1 if sentence.text in found else 0
        found.setdefault(sentence.text, sentence)
        if len(found) == count:
            break
        if refusals == MOST_REFUSALS:
            raise GrammarError(f"the grammar has about {len(found)} {part} sentences, not {count}")
    return list(found.values())
