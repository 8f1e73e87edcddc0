"""Sentences to train or score: one a line, divided into words or characters."""

import gzip
import sys
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from io import BufferedReader
from pathlib import Path
from typing import Literal, cast
from unicodedata import normalize

from sluice_core.language_models.units import RESERVED, LanguageModelError, Unit

Case = Literal["keep", "lower", "upper"]
CASES: dict[Case, Callable[[str], str]] = {"keep": str, "lower": str.lower, "upper": str.upper}
GZIP_MAGIC = b"\x1f\x8b"


@contextmanager
def open_lines(path: Path) -> Iterator[Iterator[tuple[int, bytes]]]:
    """The lines of a file, plain or compressed by gzip, with their numbers from 1; `-` is standard input.

    Raises:
        LanguageModelError: the file cannot be read; is cut off or damaged, as far as gzip notices.
    """
    try:
        # Standard input stays open: it is not ours.
        opened = nullcontext(cast(BufferedReader, sys.stdin.buffer)) if str(path) == "-" else path.open("rb")
        with opened as plain:
            packed = plain.peek(len(GZIP_MAGIC)).startswith(GZIP_MAGIC)
            yield _number(path, gzip.GzipFile(fileobj=plain) if packed else plain)
    except OSError as error:
        raise LanguageModelError(f"{path}: cannot read: {error.strerror or error}") from error


def _number(path: Path, file: Iterable[bytes]) -> Iterator[tuple[int, bytes]]:
    number = 0
    try:
        for number, line in enumerate(file, start=1):
            yield number, line
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise LanguageModelError(
            f"{path}: the compressed file is cut off or damaged after line {number}: {error}"
        ) from error


def read_sentences(paths: Iterable[Path], unit: Unit, case: Case = "keep") -> Iterator[list[str]]:
    """The sentences of text files, one a line; empty lines are passed over.

    Raises:
        LanguageModelError: a file cannot be read, is not UTF-8, or has a reserved word; names the line.
    """
    for path in paths:
        with open_lines(path) as lines:
            for number, line in lines:
                where = f"{path}, line {number}"
                try:
                    text = line.decode("utf-8")
                except UnicodeDecodeError as error:
                    raise LanguageModelError(f"{where}: not UTF-8: {error.reason}") from None
                sentence = divide(text, unit, case, where)
                if sentence:
                    yield sentence


def divide(text: str, unit: Unit, case: Case = "keep", where: str = "") -> list[str]:
    """The words of a text, or its characters with single spaces between words.

    >>> divide(" to  Oslo", "character", "lower")
    ['t', 'o', ' ', 'o', 's', 'l', 'o']

    Raises:
        LanguageModelError: a word is one that language models keep for themselves; `where` opens the message.
    """
    words = normalize("NFC", CASES[case](text)).split()  # as transcripts are
    for word in (*RESERVED, "<UNK>"):  # which ARPA files have for <unk>
        if word in words:
            raise LanguageModelError(
                f"{where or repr(text)}: the text has {word!r}, a word that language models keep for themselves. "
                "Take it out: the start and end of a line are understood, and so are unknown words."
            )
    return words if unit == "word" else list(" ".join(words))
