"""The characters of an alphabet's tokens, numbered; lexicon, word models and hot words are spelled in them.

Tokens may be single characters or subwords. Both are divided into characters, so that a word is the same word
however it is divided into subwords. Character 0 is the space, which separates words; a subword at the beginning of a
word begins with a space.
"""

from collections.abc import Iterable, Sequence

import numpy as np

from asr.tokens import Tokens

SPACE = 0


class Alphabet:
    """The characters of an alphabet's tokens, as flat arrays."""

    def __init__(self, tokens: Tokens) -> None:
        """Divide the tokens into characters."""
        texts = tokens.texts
        letters = sorted({character for text in texts for character in text} - {" "})
        self.tokens = tokens
        self.has_space = any(" " in text for text in texts)
        self.letters = "".join(letters)
        """The characters other than the space, by code point; letter n is character n + 1."""
        self._numbers = {" ": SPACE, **{letter: number for number, letter in enumerate(letters, 1)}}
        spelled = [[self._numbers[character] for character in text] for text in texts]
        self.first = np.cumsum([0, *map(len, spelled)], dtype=np.int32)
        """int32 `[tokens + 1]`: the characters of token n are `characters[first[n]:first[n + 1]]`."""
        self.characters = np.array([number for numbers in spelled for number in numbers], np.int32)

    def __len__(self) -> int:
        """Return the number of characters, including the space even if no token writes it."""
        return len(self.letters) + 1

    def unknown(self, text: str) -> list[str]:
        """Return the characters of a text that no token writes, each once and sorted; a space is always known."""
        return sorted(set(text) - self._numbers.keys())

    def spell(self, text: str) -> list[int]:
        """Return the character numbers of a text that has no unknown characters."""
        return [self._numbers[character] for character in text]

    def spell_words(self, words: Sequence[str]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Spell many words at once; leave out words with unknown characters.

        Returns:
            The positions in `words` of the words that can be spelled, sorted by word, int64 `[kept]`; the places where
            their characters begin and where the last ones end, int64 `[kept + 1]`; the characters of all, int32.
        """
        letters = set(self.letters)
        kept = [place for place, word in enumerate(words) if word and letters.issuperset(word)]
        kept.sort(key=words.__getitem__)
        first = np.cumsum([0, *(len(words[place]) for place in kept)], dtype=np.int64)
        codes = np.frombuffer("".join(words[place] for place in kept).encode("utf-32-le"), np.uint32)
        known = np.frombuffer(self.letters.encode("utf-32-le"), np.uint32)
        return np.array(kept, np.int64), first, np.searchsorted(known, codes).astype(np.int32) + 1


def name_characters(characters: Iterable[str], most: int = 20) -> str:
    """Return characters in quotes for a message; at most the first `most` of them."""
    names = [repr(character) for character in characters]
    return " ".join(names[:most]) + (f" … ({len(names)} in all)" if len(names) > most else "")
