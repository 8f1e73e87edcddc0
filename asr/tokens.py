"""The alphabet of a recognizer: from text to token numbers and back. Token 0 is the blank of CTC."""

import json
from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Literal

from pydantic import Field

from sluice_core.config import Settings
from sluice_core.errors import UserError
from sluice_core.files import write_text

BLANK_SYMBOL = "<blank>"


class TokensConfig(Settings):
    """Settings of the alphabet, which is learned from the training transcripts."""

    kind: Literal["characters", "subwords"] = Field(
        "characters", description="what a token is; subwords need the extra subwords"
    )
    size: int = Field(200, ge=10, description="number of subwords (kind: subwords)")


class TokensError(UserError):
    """A text has characters outside the alphabet, or the alphabet itself is broken."""


class Tokens:
    """The characters, or subwords, that a recognizer can write.

    Example:
        >>> tokens = Tokens.learn(["to taipei"])
        >>> tokens.decode(tokens.encode("a tie"))
        'a tie'
    """

    def __init__(self, symbols: Sequence[str], subwords: str | None = None) -> None:
        """Make an alphabet.

        Args:
            symbols: the text of every token, in the order of their numbers; the first is the blank.
            subwords: the segmentation model of subwords as JSON text of the `tokenizers` library; None for characters.

        Raises:
            TokensError: the first symbol is not the blank, or a symbol is there twice.
        """
        if not symbols or symbols[0] != BLANK_SYMBOL:
            raise TokensError(f"an alphabet begins with {BLANK_SYMBOL}")
        if len(set(symbols)) != len(symbols):
            raise TokensError("an alphabet names every token once")
        self.symbols = tuple(symbols)
        self._subwords = subwords
        self._numbers = {symbol: number for number, symbol in enumerate(symbols)}

    @classmethod
    def learn(cls, texts: Iterable[str], config: TokensConfig | None = None) -> "Tokens":
        """Learn the alphabet of training transcripts: each character in them, or subwords by byte-pair encoding.

        Raises:
            TokensError: there are no characters, or subwords are asked for and `tokenizers` is not installed.
        """
        config = config or TokensConfig()
        if config.kind == "subwords":
            return _learn_subwords(texts, config.size)
        characters = sorted({character for text in texts for character in text})
        if not characters:
            raise TokensError("the training transcripts are empty: there is no alphabet to learn")
        return cls([BLANK_SYMBOL, *characters])

    def __len__(self) -> int:
        return len(self.symbols)

    def encode(self, text: str, where: str = "") -> list[int]:
        """Return the token numbers of a text.

        Args:
            text: the text.
            where: the words that open an error message, such as the name of an utterance.

        Raises:
            TokensError: characters are outside the alphabet; the message names them.
        """
        unknown = self.unknown(text)
        if unknown:
            raise TokensError(
                f"{where + ': ' if where else ''}the text {text!r} has characters outside the model's alphabet: "
                f"{' '.join(repr(character) for character in unknown)}. The alphabet is {self.describe()}. "
                "Correct the text (letter case? punctuation?), or train on data that has these characters."
            )
        if self._subwords:
            return [self._numbers[piece] for piece in self._segmenter().encode(text).tokens]
        return [self._numbers[character] for character in text]

    def encode_known(self, text: str) -> list[int]:
        """Return the token numbers of a text, without the characters that the alphabet lacks."""
        unknown = set(self.unknown(text))
        return self.encode("".join(character for character in text if character not in unknown))

    def unknown(self, text: str) -> list[str]:
        """Return the characters of a text that the alphabet lacks, each once and sorted."""
        characters = set(text)
        if self._subwords:
            return sorted(characters - {" "} - {c for symbol in self.symbols[1:] for c in symbol})
        return sorted(characters - self._numbers.keys())

    def decode(self, numbers: Iterable[int]) -> str:
        """Return the text of token numbers; blanks are left out."""
        text = "".join([self.texts[number] for number in numbers])
        return text.strip() if self._subwords else text

    def words(self, numbers: Sequence[int]) -> list[list[int]]:
        """Return the positions in `numbers` of each word's tokens: characters between spaces, or joined subwords."""
        words: list[list[int]] = []
        word: list[int] = []
        edges = self._edges
        for position, number in enumerate(numbers):
            begins, has_letters = edges[number]
            if begins and word:
                words.append(word)
                word = []
            if has_letters:
                word.append(position)
        return [*words, word] if word else words

    @cached_property
    def _edges(self) -> list[tuple[bool, bool]]:
        """For each token, whether a word begins with it or after it, and whether it has letters of a word."""
        return [
            (
                symbol == " " or (bool(self._subwords) and symbol.startswith(_WORD_START)),
                symbol not in (" ", _WORD_START),
            )
            for symbol in self.symbols
        ]

    @cached_property
    def texts(self) -> list[str]:
        """The text that each token writes: nothing for the blank; a space first for a subword that begins a word."""
        mark = _WORD_START if self._subwords else " "
        return ["", *(symbol.replace(mark, " ") for symbol in self.symbols[1:])]

    def describe(self) -> str:
        """Return the symbols for a person to read, shortened where there are many."""
        symbols = ["space" if symbol == " " else symbol for symbol in self.symbols[1:]]
        shown = " ".join(symbols[:60])
        return shown if len(symbols) <= 60 else f"{shown} … ({len(symbols)} in all)"

    def save(self, path: Path) -> None:
        """Write the alphabet to a file as JSON."""
        tree: dict[str, object] = {"symbols": self.symbols}
        if self._subwords:
            tree["subwords"] = json.loads(self._subwords)
        write_text(path, json.dumps(tree, ensure_ascii=False, indent=1) + "\n")

    @classmethod
    def load(cls, path: Path) -> "Tokens":
        """Read an alphabet that `save` wrote.

        Raises:
            TokensError: the file is missing or damaged.
        """
        try:
            tree = json.loads(path.read_text(encoding="utf-8"))
            subwords = tree.get("subwords")
            return cls(tree["symbols"], json.dumps(subwords) if subwords else None)
        except FileNotFoundError:
            raise TokensError(f"{path}: the alphabet is missing; is {path.parent} a finished run?") from None
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise TokensError(f"{path}: not an alphabet that training wrote: {error}") from error

    def _segmenter(self):  # type: ignore[no-untyped-def]  # the library is an extra, and not imported here
        return _tokenizers().Tokenizer.from_str(self._subwords)


_WORD_START = "▁"


def _tokenizers():  # type: ignore[no-untyped-def]  # as above
    try:
        import tokenizers
    except ImportError:
        raise TokensError("subwords need the extra: pip install 'sluice-speech[subwords]'") from None
    return tokenizers


def _learn_subwords(texts: Iterable[str], size: int) -> Tokens:
    """Learn subwords by byte-pair encoding (Sennrich et al. 2016); a mark begins each word."""
    library = _tokenizers()
    segmenter = library.Tokenizer(library.models.BPE())
    segmenter.pre_tokenizer = library.pre_tokenizers.Metaspace(replacement=_WORD_START)
    trainer = library.trainers.BpeTrainer(vocab_size=size, special_tokens=[BLANK_SYMBOL], show_progress=False)
    segmenter.train_from_iterator(texts, trainer)
    numbers = segmenter.get_vocab()
    return Tokens(sorted(numbers, key=numbers.__getitem__), segmenter.to_str())
