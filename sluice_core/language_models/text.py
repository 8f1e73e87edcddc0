"""Read sentences to train on or to score, one a line, as words or characters."""

import gzip
import sys
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, nullcontext
from io import BufferedReader
from pathlib import Path
from typing import cast

from sluice_core.language_models.units import RESERVED, LanguageModelError, Unit
from sluice_core.normalization.text import Case, normalize_text

GZIP_MAGIC = b"\x1f\x8b"


@contextmanager
def open_lines(path: Path) -> Iterator[Iterator[tuple[int, bytes]]]:
    """Open a file, plain or compressed by gzip, as its lines with their numbers from 1; `-` is standard input.

    Raises:
        LanguageModelError: the file cannot be read, or is cut off or damaged as far as gzip notices.
    """
    try:
        # Standard input stays open: the program that calls this may read on.
        opened = nullcontext(cast(BufferedReader, sys.stdin.buffer)) if str(path) == "-" else path.open("rb")
        with opened as plain:
            packed = plain.peek(len(GZIP_MAGIC)).startswith(GZIP_MAGIC)
            yield _number(path, gzip.GzipFile(fileobj=plain) if packed else plain)
    except OSError as error:
        raise LanguageModelError(f"{path}: cannot read: {error.strerror or error}") from error


def _number(path: Path, file: Iterable[bytes]) -> Iterator[tuple[int, bytes]]:
    """Number the lines of an open file."""
    number = 0
    try:
        for number, line in enumerate(file, start=1):
            yield number, line
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise LanguageModelError(
            f"{path}: the compressed file is cut off or damaged after line {number}: {error}"
        ) from error


def read_sentences(paths: Iterable[Path], unit: Unit, case: Case = "keep") -> Iterator[list[str]]:
    """Read the sentences of text files, one a line; empty lines are skipped.

    Raises:
        LanguageModelError: a file cannot be read, is not UTF-8, or has a reserved word; the line is named.
    """
    for path in paths:
        with open_lines(path) as lines:
            for number, line in lines:
                where = f"{path}, line {number}"
                try:
                    text = line.decode("utf-8")
                except UnicodeDecodeError as error:
                    raise LanguageModelError(f"{where}: not UTF-8: {error.reason}") from None
                sentence = split_units(text, unit, case, where)
                if sentence:
                    yield sentence


def split_units(text: str, unit: Unit, case: Case = "keep", where: str = "") -> list[str]:
    """Split a text into words, or into characters with single spaces between words.

    >>> split_units(" to  Oslo", "character", "lower")
    ['t', 'o', ' ', 'o', 's', 'l', 'o']

    Raises:
        LanguageModelError: the text has a word that is reserved; the message begins with `where`.
    """
    normal = normalize_text(text, case)
    words = normal.split()
    for word in (*RESERVED, "<UNK>"):  # ARPA files may have <UNK> for <unk>
        if word in words:
            raise LanguageModelError(
                f"{where or repr(text)}: the text has {word!r}, a word that language models reserve for themselves. "
                "Take it out: the start and end of a line are understood, and so are unknown words."
            )
    return words if unit == "word" else list(normal)
