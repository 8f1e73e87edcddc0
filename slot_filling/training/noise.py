"""Damage words as people mistype them and as recognizers mishear them; their tags stay.

This serves training, since a tagger that has seen damage suffers less from it, and measuring how much it suffers.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import cached_property

import numpy as np

from slot_filling.sentences import Sentence
from slot_filling.word_shapes import fold
from sluice_core.errors import UserError

NEAREST = 3  # how many words one word may be misheard as


class Noise:
    """Damages each word with a probability: by an edit of one character, or into a word that sounds like it."""

    def __init__(
        self, words: Iterable[str], edit: float = 0.0, sound: float = 0.0, sentences: float = 1.0
    ) -> None:
        """Set up.

        Args:
            words: the vocabulary, which words are misheard as, and whose characters are typed.
            edit: probability of a character edit, by word.
            sound: probability, by word, of a similar-sounding word instead.
            sentences: share of the sentences that are damaged at all.

        Raises:
            UserError: a probability is not between 0 and 1, or both together exceed 1; or `jellyfish` is not installed.
        """
        if not (0 <= edit <= 1 and 0 <= sound <= 1 and edit + sound <= 1 and 0 <= sentences <= 1):
            raise UserError(
                f"noise of edit {edit:g} and sound {sound:g} in {sentences:g} of the sentences: each is a probability, "
                "0 to 1, and the first two together are at most 1"
            )
        self.words = sorted({fold(word) for word in words})
        self.edit, self.sound, self.sentences = edit, sound, sentences
        self.alphabet = sorted({letter for word in self.words for letter in word if letter.isalnum()}) or [
            "a"
        ]
        self._similar: dict[str, list[str]] = {}
        if sound:
            phonetic_key("a")  # a missing library is reported now, not in the middle of training

    def damage(self, words: Sequence[str], random: np.random.Generator) -> tuple[str, ...]:
        """Return as many words, some of them damaged."""
        if random.random() >= self.sentences:
            return tuple(words)
        chances = random.random(len(words))
        damaged = list(words)
        for position in np.flatnonzero(chances < self.edit + self.sound).tolist():
            word = words[position]
            damaged[position] = (
                self.mistyped(word, random) if chances[position] < self.edit else self.misheard(word, random)
            )
        return tuple(damaged)

    def mistyped(self, word: str, random: np.random.Generator) -> str:
        """Return another word: with one character inserted, deleted or replaced, or with two neighbours swapped."""
        swappable = [at for at in range(len(word) - 1) if word[at] != word[at + 1]]
        kinds = ["insert", "replace", *["delete"] * (len(word) > 1), *["swap"] * bool(swappable)]
        kind = kinds[random.integers(len(kinds))]
        if kind == "swap":
            at = swappable[random.integers(len(swappable))]
            return word[:at] + word[at + 1] + word[at] + word[at + 2 :]
        at = int(random.integers(len(word) + (kind == "insert")))
        if kind == "delete":
            return word[:at] + word[at + 1 :]
        letters = [letter.upper() for letter in self.alphabet] if word.isupper() else self.alphabet
        others = [
            letter for letter in letters if len(letter) == 1 and (kind == "insert" or letter != word[at])
        ]
        letter = others[random.integers(len(others))] if others else "-"
        return word[:at] + letter + word[at + (kind == "replace") :]

    def misheard(self, word: str, random: np.random.Generator) -> str:
        """Return one of the words that sound most like it, in its letter case; itself if the vocabulary has none."""
        candidates = self.similar(word)
        if not candidates:
            return word
        other = candidates[random.integers(len(candidates))]
        if word.isupper() and len(word) > 1:
            return other.upper()
        return other.capitalize() if word[:1].isupper() else other

    def similar(self, word: str) -> list[str]:
        """Return the `NEAREST` other words by the edit distance of their phonetic keys, then of their spellings.

        Words with digits are compared with words with digits, and signs with nothing.
        """
        word = fold(word)
        if word not in self._similar:
            self._similar[word] = self._nearest(word)
        return self._similar[word]

    def _nearest(self, word: str) -> list[str]:
        from rapidfuzz.distance import Levenshtein
        from rapidfuzz.process import cdist

        kind = _kind(word)
        candidates, keys = self._by_kind.get(kind, ([], []))
        if kind == "sign" or not candidates:
            return []
        by_key = cdist([phonetic_key(word)], keys, scorer=Levenshtein.distance, dtype=np.int32)[0]
        by_spelling = cdist([word], candidates, scorer=Levenshtein.distance, dtype=np.int32)[0]
        order = np.lexsort((by_spelling, by_key))[: NEAREST + 1]  # of equals, the first by alphabet
        return [candidates[at] for at in order if candidates[at] != word][:NEAREST]

    @cached_property
    def _by_kind(self) -> dict[str, tuple[list[str], list[str]]]:
        """The words of each kind and their phonetic keys."""
        kinds: dict[str, tuple[list[str], list[str]]] = {}
        for word in self.words:
            words, keys = kinds.setdefault(_kind(word), ([], []))
            words.append(word)
            keys.append(phonetic_key(word))
        return kinds


def phonetic_key(word: str) -> str:
    """Return roughly how a word sounds in English: its Metaphone (Philips 1990)."""
    try:
        from jellyfish import metaphone
    except ImportError as error:
        raise UserError(
            "jellyfish, which finds similar-sounding words, is not available: pip install 'sluice-speech[train]'"
        ) from error
    return metaphone(word)


def _kind(word: str) -> str:
    """Return the kind of a word, which is misheard only as a word of its own kind."""
    if any(letter.isdecimal() for letter in word):
        return "digits"
    return "letters" if any(letter.isalpha() for letter in word) else "sign"


def damaged(sentences: Sequence[Sentence], noise: Noise, seed: int) -> list[Sentence]:
    """Return the sentences with damaged words, the same for the same seed; tags and intents stay."""
    return [
        replace(sentence, words=noise.damage(sentence.words, np.random.default_rng([seed, number])))
        for number, sentence in enumerate(sentences)
    ]
