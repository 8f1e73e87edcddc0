"""Lexicons that restrict the output to their words, and the trie in which a growing word is looked up."""

from collections.abc import Iterable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple
from unicodedata import normalize

import numpy as np

from asr.decoding.alphabet import Alphabet, name_characters
from asr.decoding.trie_levels import grow_tries
from sluice_core.errors import UserError
from sluice_core.files import write_text

COMMENTS = (";;;", "#")


class LexiconError(UserError):
    """A word list cannot be read, is empty, or has words that the model cannot write."""


class Lexicon:
    """The words that a transcript may contain."""

    def __init__(self, words: Iterable[str], source: str = "the lexicon") -> None:
        """Make a lexicon of words, without doubles and empty ones.

        Args:
            words: the words.
            source: where they come from; error messages name it.

        Raises:
            LexiconError: there are no words, or one of them has a space in it.
        """
        self.words = tuple(dict.fromkeys(word for word in words if word))
        self.source = source
        if not self.words:
            raise LexiconError(f"{source}: there is no word in it, and nothing could be recognized with it")
        for word in self.words:
            if len(word.split()) != 1:
                raise LexiconError(f"{source}: {word!r} has a space in it; a lexicon has one word a line")

    @classmethod
    def read(cls, path: str | Path) -> "Lexicon":
        """Read a word list with one word in each line, or the first column of a pronunciation dictionary.

        A number in brackets marks an alternative pronunciation, as in `READ(2)`, and is dropped; lines that begin with
        `;;;` or `#` are comments. A word that really ends in such a number is written `READ(2)(1)`, and a word that
        begins like a comment stands behind a space.

        Raises:
            LexiconError: the file cannot be read, is not UTF-8, or has no word.
        """
        try:
            lines = Path(path).read_text(encoding="utf-8-sig").splitlines()
        except OSError as error:
            raise LexiconError(f"{path}: cannot read the lexicon: {error.strerror}") from error
        except UnicodeDecodeError as error:
            raise LexiconError(
                f"{path}: the lexicon is not UTF-8 text (byte {error.start}); convert it, such as with iconv"
            ) from error
        return cls(
            (
                _headword(normalize("NFC", line))
                for line in lines
                if line.split() and not line.startswith(COMMENTS)
            ),
            str(path),
        )

    def save(self, path: Path) -> None:
        """Write the words to a file from which `read` gets the same words.

        Raises:
            CheckpointError: the file cannot be written.
        """
        lines = (
            " " * word.startswith(COMMENTS) + word + "(1)" * (_headword(word) != word) for word in self.words
        )
        write_text(path, "\n".join(lines) + "\n")

    def check(self, alphabet: Alphabet) -> None:
        """Check that the model can write every word.

        Raises:
            LexiconError: it cannot; the message names the unknown characters and one of the words.
        """
        unknown = alphabet.unknown("".join(self.words))
        if unknown:
            word = next(word for word in self.words if alphabet.unknown(word))
            raise LexiconError(
                f"{self.source}: words have characters that the model's alphabet lacks: {name_characters(unknown)}, "
                f"as in {word!r}. The alphabet is {alphabet.tokens.describe()}. Correct the words (letter case?) or "
                "leave them out."
            )


def _headword(line: str) -> str:
    """Return the word of a dictionary's line, without the number of a pronunciation."""
    word = line.split()[0]
    stem, bracket, number = word.removesuffix(")").rpartition("(")
    return stem if stem and bracket and word.endswith(")") and number.isdecimal() else word


class WordTrie(NamedTuple):
    """Words by their characters, as flat arrays with one entry for each node; words begin at node 0."""

    first_child: np.ndarray
    """int32 `[nodes + 1]`: the children of node n are `first_child[n] … first_child[n + 1] - 1`, by character."""
    character: np.ndarray
    """int32 `[nodes]`: the character that leads to the node."""
    word: np.ndarray
    """int32 `[nodes]`: the number of the word that ends here; -1 for none."""
    only: np.ndarray
    """int32 `[nodes]`: the number of the word that ends here or below, where there is just one; else -1."""
    best: np.ndarray
    """float64 `[nodes]`: the best score of the words that end here or below."""


def build_word_trie(
    words: Sequence[str], ids: np.ndarray, scores: np.ndarray, alphabet: Alphabet
) -> WordTrie:
    """Build a trie of words level by level; leave out words that the alphabet cannot spell.

    Args:
        words: distinct words.
        ids: `[words]` int32, the numbers that `WordTrie.word` holds.
        scores: `[words]` float64, of which `WordTrie.best` holds the best.
        alphabet: the characters.
    """
    kept, first, characters = alphabet.spell_words(words)
    parent, letter, levels, node = grow_tries(
        1, np.zeros(len(kept), np.int64), first[:-1], np.diff(first), characters
    )
    count = levels[-1]
    word, total = np.full(count, -1, np.int32), np.zeros(count, np.int64)
    below, best = np.zeros(count, np.int64), np.full(count, -np.inf)
    word[node], total[node], below[node], best[node] = ids[kept], ids[kept], 1, scores[kept]
    for start, stop in reversed(list(pairwise(levels[1:]))):
        level = slice(start, stop)
        np.add.at(total, parent[level], total[level])
        np.add.at(below, parent[level], below[level])
        np.maximum.at(best, parent[level], best[level])
    children = np.bincount(parent[1:], minlength=count)
    return WordTrie(
        first_child=np.concatenate([[1], 1 + np.cumsum(children)]).astype(np.int32),
        character=letter.astype(np.int32),
        word=word,
        only=np.where(below == 1, total, -1).astype(np.int32),
        best=best,
    )
