"""Templates that are made of letters and spaces, turned into expressions that are made of words.

In Home Assistant's sentences brackets divide words too: `light[s]`, `[die ]Lampe`, `{room}['s]`. Each part of a
template is therefore kept as its forms: letters, which the next part may continue, and word sequences whose first and
last word may still grow.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from sluice_core.grammar.expressions import (
    EMPTY,
    Alternation,
    Alternative,
    Concatenation,
    Expression,
    GrammarError,
    Labelled,
    Terminal,
    Valued,
)
from sluice_core.grammar.spoken_words import check_sayable, spoken_words


class Tail(NamedTuple):
    """What the last word of a sequence begins with: letters, or a slot that letters may follow."""

    letters: str = ""
    slot: Labelled | None = None


class Ends(NamedTuple):
    """The two ends of a word sequence, which may still grow."""

    first: str
    """Letters that may continue the word before; "" if a space is there."""
    tail: Tail


@dataclass(frozen=True)
class Forms:
    """The forms of a part of a template, each with its share of the weight; none if nobody can say the part."""

    letters: Mapping[str, float] = field(default_factory=dict)
    """Letters without a space, maybe none."""
    sequences: Mapping[Ends, Alternative] = field(default_factory=dict)
    """What lies between the ends of word sequences."""

    @property
    def is_impossible(self) -> bool:
        """Whether there is no way to say the part."""
        return not self.letters and not self.sequences


class FormsBuilder:
    """Puts forms together; equal expressions are one object, so that what they share can be seen.

    Args:
        suffix: returns a slot whose last word goes on with some letters.
    """

    def __init__(self, suffix: Callable[[Labelled, str], Labelled]) -> None:
        self._suffix = suffix
        self._words: dict[str, Expression | None] = {}
        self._pairs: dict[tuple[int, int], Concatenation] = {}
        self._left_of: dict[int, tuple[Expression, Expression]] = {}
        self._suffixed: dict[Tail, Expression | None] = {}

    def text(self, text: str) -> Forms:
        """Return the forms of a text, in which spaces divide words."""
        if not any(map(str.isspace, text)):
            return Forms({text: 1.0})
        words = text.split()
        first = words.pop(0) if words and not text[0].isspace() else ""
        last = words.pop() if words and not text[-1].isspace() else ""
        middle: Expression | None = EMPTY
        for word in words:
            middle = self._append(middle, self._word(word))
        return Forms(sequences={} if middle is None else {Ends(first, Tail(last)): Alternative(middle, 1.0)})

    def slot(self, slot: Labelled) -> Forms:
        """Return the forms of a slot, which begins a word wherever it stands."""
        return Forms(sequences={Ends("", Tail("", slot)): Alternative(EMPTY, 1.0)})

    def choice(self, parts: Iterable[Forms]) -> Forms:
        """Return the forms of a choice; parts that cannot be said take no part in it."""
        possible = [part for part in parts if not part.is_impossible]
        letters: dict[str, float] = {}
        found: dict[Ends, list[Alternative]] = {}
        for part in possible:
            for each, weight in part.letters.items():
                letters[each] = letters.get(each, 0.0) + weight / len(possible)
            for ends, (middle, weight) in part.sequences.items():
                found.setdefault(ends, []).append(Alternative(middle, weight / len(possible)))
        return Forms(letters, self._joined(found))

    def follow(self, before: Forms, after: Forms) -> Forms:
        """Return the forms of one part directly after another."""
        letters: dict[str, float] = {}
        found: dict[Ends, list[Alternative]] = {}
        for left, weight in before.letters.items():
            for right, share in after.letters.items():
                letters[left + right] = letters.get(left + right, 0.0) + weight * share
            for (first, tail), (middle, share) in after.sequences.items():
                found.setdefault(Ends(left + first, tail), []).append(Alternative(middle, weight * share))
        for (first, tail), (middle, weight) in before.sequences.items():
            for right, share in after.letters.items():
                ends = Ends(first, Tail(tail.letters + right, tail.slot))
                found.setdefault(ends, []).append(Alternative(middle, weight * share))
            for (inner, last), (further, share) in after.sequences.items():
                word = self._close(Tail(tail.letters + inner, tail.slot))
                whole = self._append(self._append(middle, word), further)
                if whole is not None:
                    found.setdefault(Ends(first, last), []).append(Alternative(whole, weight * share))
        return Forms(letters, self._joined(found))

    def finish(self, forms: Forms) -> Expression | None:
        """Return the expression of a whole sentence; None if it cannot be said."""
        space = self.text(" ")
        whole = self.follow(self.follow(space, forms), space)
        (middle,) = whole.sequences.values() or (Alternative(EMPTY),)
        return flatten(middle.expression) if whole.sequences else None

    def _joined(self, found: Mapping[Ends, list[Alternative]]) -> dict[Ends, Alternative]:
        return {ends: self._join(ways) for ends, ways in found.items()}

    def _join(self, ways: list[Alternative]) -> Alternative:
        """Return one expression for several; what all of them begin with is there once."""
        weights: dict[int, float] = {}
        by_id = {id(expression): expression for expression, _ in ways}
        for expression, weight in ways:
            weights[id(expression)] = weights.get(id(expression), 0.0) + weight
        total = sum(weights.values())
        if len(by_id) == 1:
            return Alternative(ways[0].expression, total)
        spines = [self._spine(expression) for expression in by_id.values()]
        everywhere = set(map(id, spines[0])).intersection(*(set(map(id, spine)) for spine in spines[1:]))
        start = next(each for each in spines[0] if id(each) in everywhere)
        rests = [self._after(expression, start) for expression in by_id.values()]
        shares = [round(weight / total, 6) for weight in weights.values()]
        same = max(shares) - min(shares) < 1e-5
        choice = Alternation(
            tuple(
                Alternative(flatten(rest), 1 if same else share)
                for rest, share in zip(rests, shares, strict=True)
            )
        )
        joined = self._append(start, choice)
        assert joined is not None
        return Alternative(joined, total)

    def _append(self, left: Expression | None, right: Expression | None) -> Expression | None:
        """Return one expression after another, always the same object for the same two."""
        if left is None or right is None:
            return None
        if right is EMPTY:
            return left
        if id(right) in self._left_of:  # which keeps all chains leaning to the left
            inner, last = self._left_of[id(right)]
            return self._append(self._append(left, inner), last)
        key = (id(left), id(right))
        if key not in self._pairs:
            self._pairs[key] = Concatenation((left, right))
            self._left_of[id(self._pairs[key])] = (left, right)
        return self._pairs[key]

    def _spine(self, expression: Expression) -> list[Expression]:
        """Return what an expression begins with, from the whole of it to nothing."""
        spine = [expression]
        while id(spine[-1]) in self._left_of:
            spine.append(self._left_of[id(spine[-1])][0])
        return spine if spine[-1] is EMPTY else [*spine, EMPTY]

    def _after(self, expression: Expression, start: Expression) -> Expression:
        """Return what follows a beginning of an expression."""
        parts: list[Expression] = []
        while expression is not start:
            left, right = self._left_of.get(id(expression), (EMPTY, expression))
            parts.append(right)
            expression = left
        rest: Expression | None = EMPTY
        for part in reversed(parts):
            rest = self._append(rest, part)
        assert rest is not None
        return rest

    def _close(self, tail: Tail) -> Expression | None:
        """Return the last word of a sequence, which has ended; None if it cannot be said."""
        if tail.slot is None:
            return self._word(tail.letters)
        if tail not in self._suffixed:
            self._suffixed[tail] = self._with_suffix(tail.slot, tail.letters)
        return self._suffixed[tail]

    def _with_suffix(self, slot: Labelled, letters: str) -> Expression | None:
        if not letters:
            return slot
        if self._word(letters) is None:
            return None
        return self._suffix(slot, letters)

    def _word(self, letters: str) -> Expression | None:
        """Return the words of letters without a space; None if a sign among them cannot be said."""
        if letters not in self._words:
            words = spoken_words(letters)
            try:
                for word in words:
                    check_sayable(word)
            except GrammarError:
                self._words[letters] = None
                return None
            whole: Expression | None = EMPTY
            for word in words:
                whole = self._append(whole, Terminal(word))
            self._words[letters] = whole
        return self._words[letters]


def add_suffix(expression: Expression, letters: str) -> Expression:
    """Return an expression whose last word goes on with these letters.

    >>> add_suffix(Concatenation((Terminal("living"), Terminal("room"))), "'s")
    Concatenation(parts=(Terminal(text='living'), Terminal(text="room's")))
    """
    match expression:
        case Valued(inner, value):
            return Valued(add_suffix(inner, letters), value)
        case Terminal(text):
            return Terminal(text + letters)
        case Concatenation((*parts, last)):
            return Concatenation((*parts, add_suffix(last, letters)))
        case Alternation(alternatives):
            return Alternation(
                tuple(Alternative(add_suffix(each, letters), weight) for each, weight in alternatives)
            )
    return expression


def flatten(expression: Expression) -> Expression:
    """Return an expression in which what follows one another is in one concatenation.

    >>> flatten(Concatenation((Concatenation((EMPTY, Terminal("living"))), Terminal("room"))))
    Concatenation(parts=(Terminal(text='living'), Terminal(text='room')))
    """
    parts: list[Expression] = []
    waiting = [expression]
    while waiting:
        each = waiting.pop()
        if isinstance(each, Concatenation):
            waiting.extend(reversed(each.parts))
        else:
            parts.append(each)
    return parts[0] if len(parts) == 1 else Concatenation(tuple(parts)) if parts else EMPTY
