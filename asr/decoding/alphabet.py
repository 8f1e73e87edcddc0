"""The characters that tokens write, numbered: what lexicon, word models and hot words are spelled in.

Tokens may be single characters or subwords. Both are taken apart into characters, so that a word is the same word
however its subwords cut it. Character 0 is the space, which begins and ends words; a subword that begins a word
begins with one.
"""

from collections.abc import Iterable, Sequence

import numpy as np

from asr.tokens import Tokens

SPACE = 0


class Alphabet:
    """Characters of an alphabet's tokens, as flat arrays."""

    def __init__(self, tokens: Tokens) -> None:
        """Take the tokens apart."""
        texts = tokens.texts
        letters = sorted({character for text in texts for character in text} - {" "})
        self.tokens = tokens
        self.has_space = any(" " in text for text in texts)
        self.letters = "".join(letters)
        """Character n + 1 is letter n; in the order of their code points."""
        self._numbers = {" ": SPACE, **{letter: number for number, letter in enumerate(letters, 1)}}
        spelled = [[self._numbers[character] for character in text] for text in texts]
        self.first = np.cumsum([0, *map(len, spelled)], dtype=np.int32)
        """`[tokens + 1]`: the characters of token n are `characters[first[n]:first[n + 1]]`."""
        self.characters = np.array([number for numbers in spelled for number in numbers], np.int32)

    def __len__(self) -> int:
        """How many characters there are, the space (even if no token writes it) among them."""
        return len(self.letters) + 1

    def unknown(self, text: str) -> list[str]:
        """Characters of a text that no token writes, each once, sorted; a space is always known."""
        return sorted(set(text) - self._numbers.keys())

    def spell(self, text: str) -> list[int]:
        """The characters of a text that has no others."""
        return [self._numbers[character] for character in text]

    def spell_words(self, words: Sequence[str]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Many words at once, those left out that cannot be spelled.

        Returns:
            Positions of the words that can, sorted by the words; where each one's characters begin, and one place
            more; the characters of all.
        """
        letters = set(self.letters)
        kept = [place for place, word in enumerate(words) if word and letters.issuperset(word)]
        kept.sort(key=words.__getitem__)
        first = np.cumsum([0, *(len(words[place]) for place in kept)], dtype=np.int64)
        codes = np.frombuffer("".join(words[place] for place in kept).encode("utf-32-le"), np.uint32)
        known = np.frombuffer(self.letters.encode("utf-32-le"), np.uint32)
        return np.array(kept, np.int64), first, np.searchsorted(known, codes).astype(np.int32) + 1


def name_characters(characters: Iterable[str], most: int = 20) -> str:
    """Characters for a message, in quotes; only the first of many."""
    names = [repr(character) for character in characters]
    return " ".join(names[:most]) + (f" … ({len(names)} in all)" if len(names) > most else "")
