"""The value that words stand for in a slot, by the lists of a grammar.

>>> from sluice_core.grammar.expressions import Alternation, Alternative, Terminal, Valued
>>> sizes = Alternation((Alternative(Valued(Terminal("big"), "L")), Alternative(Terminal("small"))))
>>> grammar = replace(Grammar.of({"order": ["a {size} tea"]}, {"size": ["big"]}), rules={"size": sizes})
>>> values = CanonicalValues(grammar)
>>> values.find("size", "big"), values.find("size", "small"), values.find("size", "huge")
('L', 'small', None)
"""

from collections.abc import Iterator
from dataclasses import replace

from sluice_core.grammar.expressions import Expression, Labelled, descendants
from sluice_core.grammar.grammar import Grammar
from sluice_core.grammar.network import GrammarNetwork
from sluice_core.grammar.parsing import Parser
from sluice_core.grammar.templates import Template


class CanonicalValues:
    """Finds what words stand for in a slot, wherever the words come from."""

    def __init__(self, grammar: Grammar) -> None:
        """Find the slots of a grammar; the phrases of each are compiled when they are first asked for."""
        self.grammar = grammar
        self._fillers: dict[str, dict[Expression, None]] = {}
        for slot in _slots(grammar):
            self._fillers.setdefault(slot.label, {})[slot] = None
        self._parsers: dict[str, Parser] = {}

    def find(self, label: str, words: str) -> str | None:
        """Return the value of a slot with these words, or None if no phrase of the slot has them.

        Args:
            label: the slot's label.
            words: separated by spaces.
        """
        if label not in self._fillers:
            return None
        if label not in self._parsers:
            phrases = tuple(Template("", filler) for filler in self._fillers[label])
            self._parsers[label] = Parser(GrammarNetwork(replace(self.grammar, intents={label: phrases})))
        sentence = self._parsers[label].parse(words.split())
        return sentence.slots[0].value if sentence is not None and sentence.slots else None


def _slots(grammar: Grammar) -> Iterator[Labelled]:
    """Yield the slots of all templates and rules."""
    templates = (template.expression for _, template in grammar.templates())
    for expression in (*templates, *grammar.rules.values()):
        for each in descendants(expression):
            if isinstance(each, Labelled):
                yield each
