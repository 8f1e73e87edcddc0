"""Contextual biasing: phrases (hot words) boosted at run time, matched by an automaton (Aho and Corasick 1975).

A hypothesis gains a phrase's boost each time it contains the phrase as whole words; phrases inside other phrases, and
phrases that overlap, count too. To keep the search from dropping a phrase before its last letter, a partial match lends
the matching part of the boost. The loan is taken back when the match fails, so a text without a whole phrase gains
nothing.
"""

import math
from collections.abc import Mapping
from typing import NamedTuple
from unicodedata import normalize

import numpy as np

from asr.decoding.alphabet import SPACE, Alphabet, name_characters
from sluice_core.errors import UserError

LARGEST_BOOST = 100.0


class HotWordsError(UserError):
    """A phrase is empty, has characters that the model lacks, or has a boost out of range."""


class HotWords:
    """Phrases, and the boost (natural log) that each adds to the score of a hypothesis."""

    def __init__(self, boosts: Mapping[str, float]) -> None:
        """Keep phrases in Unicode's composed form (NFC), with single spaces between words.

        Raises:
            HotWordsError: a phrase is empty, or its boost is not a number between -100 and 100.
        """
        composed = ((normalize("NFC", phrase), boost) for phrase, boost in boosts.items())
        self.boosts = {" ".join(phrase.split()): float(boost) for phrase, boost in composed}
        if "" in self.boosts:
            raise HotWordsError("hot words: a phrase is empty")
        for phrase, boost in self.boosts.items():
            if not math.isfinite(boost) or abs(boost) > LARGEST_BOOST:
                raise HotWordsError(
                    f"hot words: the boost of {phrase!r} is {boost}; it is a natural log, mostly between 1 and 10, "
                    f"and at most {LARGEST_BOOST:g}"
                )

    def check(self, alphabet: Alphabet) -> None:
        """Check that the model can write every phrase.

        Raises:
            HotWordsError: it cannot; the message names the phrase and the unknown characters.
        """
        for phrase in self.boosts:
            unknown = alphabet.unknown(phrase)
            if " " in phrase and not alphabet.has_space:
                unknown.insert(0, " ")
            if unknown:
                raise HotWordsError(
                    f"hot words: {phrase!r} has characters that the model's alphabet lacks: "
                    f"{name_characters(unknown)}. The alphabet is {alphabet.tokens.describe()}; mind the letter case."
                )


STATE = np.dtype(
    [("lent", np.float64), ("earned", np.float64), ("most", np.float64), ("after_space", np.int64)]
)
"""One state. `lent` is e to the boost lent to the partial match. `earned` is the sum of the boosts of all phrases that
are complete on arrival. `most` is the largest factor by which one more token can change a score. `after_space` is 1 if
the last character was a space or there was none: more spaces then change nothing."""


class Automaton(NamedTuple):
    """Flat arrays for compiled code. A state is the longest end of a text that is the beginning of a phrase."""

    start: int
    """The state of the empty text."""
    column: np.ndarray
    """int32 `[characters]`: each character's column of `following`; characters in no phrase share one."""
    following: np.ndarray
    """int32 `[states, columns]`: the state after one more character."""
    states: np.ndarray
    """STATE `[states]`."""


def build_automaton(boosts: Mapping[str, float], alphabet: Alphabet) -> Automaton:
    """Build the automaton of checked phrases.

    Where the alphabet has a space, phrases match whole words: each phrase has a space before and after it, and the text
    is taken to begin and end with a space. Where the alphabet has none, as in Chinese, they match anywhere.
    """
    edge = [SPACE] if alphabet.has_space else []
    patterns = {(*edge, *alphabet.spell(phrase), *edge): boost for phrase, boost in boosts.items()}
    letters = sorted({character for pattern in patterns for character in pattern} | {SPACE})
    column = np.full(len(alphabet), len(letters), np.int32)
    column[letters] = np.arange(len(letters))
    children: list[dict[int, int]] = [{}]
    last, own_lent, own_earned = [-1], [0.0], [0.0]
    for pattern, boost in patterns.items():
        state, size = 0, len(pattern) - 2 * len(edge)
        for depth, character in enumerate(pattern, 1):
            if character not in children[state]:
                children[state][character] = len(children)
                children.append({})
                last.append(character)
                own_lent.append(0.0)
                own_earned.append(0.0)
            state = children[state][character]
            if depth < len(pattern):
                own_lent[state] = max(own_lent[state], boost * (depth - len(edge)) / size)
        own_earned[state] += boost
    following, lent, earned = _follow(children, own_lent, own_earned, letters)
    states = np.zeros(len(following), STATE)
    states["lent"], states["earned"] = np.exp(lent), earned
    states["after_space"] = [bool(edge) and character == SPACE for character in last]
    start = following[0, column[SPACE]] if edge else 0
    automaton = Automaton(int(start), column, following, states)
    states["most"] = _largest_factors(automaton, alphabet)
    return automaton


def _follow(
    children: list[dict[int, int]], own_lent: list[float], own_earned: list[float], letters: list[int]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Complete a trie: add the state after each letter (and after others), and what shorter matches lend and earn."""
    following = np.zeros((len(children), len(letters) + 1), np.int32)
    column = {character: place for place, character in enumerate(letters)}
    lent, earned = np.array(own_lent), np.array(own_earned)
    shorter = [0] * len(children)  # the longest proper end of a state's text that is a state too
    queue = [0]
    for state in queue:  # breadth first: shorter matches are complete when they are asked for
        fallback = following[shorter[state]].copy() if state else np.zeros(len(letters) + 1, np.int32)
        following[state] = fallback
        if state:
            lent[state] = max(lent[state], lent[shorter[state]])
            earned[state] += earned[shorter[state]]
        for character, child in children[state].items():
            following[state, column[character]] = child
            shorter[child] = int(fallback[column[character]])
            queue.append(child)
    return following, lent, earned


def _largest_factors(automaton: Automaton, alphabet: Alphabet) -> np.ndarray:
    """Return each state's largest factor over all tokens; tokens that pass through the same columns count once."""
    spans = zip(alphabet.first[:-1], alphabet.first[1:], strict=True)
    distinct = {
        tuple(automaton.column[c] for c in alphabet.characters[a:b]): alphabet.characters[a:b]
        for a, b in spans
    }
    states = automaton.states
    most = np.zeros(len(states))
    for characters in distinct.values():
        state, earned = np.arange(len(states)), np.zeros(len(states))
        for character in characters:
            moves = ~((states["after_space"][state] == 1) & (character == SPACE))
            state = np.where(moves, automaton.following[state, automaton.column[character]], state)
            earned += np.where(moves, states["earned"][state], 0.0)
        most = np.maximum(most, np.exp(earned) * states["lent"][state] / states["lent"])
    return most
