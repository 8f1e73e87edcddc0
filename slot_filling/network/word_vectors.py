"""Read pretrained word vectors from the text files of GloVe and fastText (plain or .gz)."""

import gzip
import zlib
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import IO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from slot_filling.vocabulary import Vocabulary
from slot_filling.word_shapes import fold
from sluice_core.corpus_files import CorpusError


class WordVectors(NamedTuple):
    """Vectors in the order of the vocabulary's word numbers."""

    matrix: NDArray[np.float32]
    """`[words, dimensions]`, zero where the file has no such word."""
    found: NDArray[np.bool_]
    """`[words]`: whether the file has the word."""


def read_vectors(path: str | Path, vocabulary: Vocabulary) -> WordVectors:
    """Return the vectors of the vocabulary's words; the file is read as a stream, and other words are skipped.

    A first line of two numbers (fastText: how many, how long) is a header. Where the file has a word in
    several letter cases, the one in lower case is taken, else the first.

    Raises:
        CorpusError: the file is missing or a line is not a word and its numbers; the message names the line.
    """
    path = Path(path)
    numbers = {word: number for number, word in enumerate(vocabulary.words, 2)}
    dimensions = 0
    matrix = np.zeros((len(vocabulary.words) + 2, 0), np.float32)
    found = np.zeros(len(vocabulary.words) + 2, bool)
    for line, text in _lines(path):
        fields = text.split(" ")
        if line == 1 and len(fields) == 2 and all(field.isdecimal() for field in fields):
            dimensions = int(fields[1])
            continue
        if not matrix.shape[1]:
            dimensions = dimensions or len(fields) - 1
            matrix = np.zeros((len(matrix), dimensions), np.float32)
        if len(fields) <= dimensions or not dimensions:
            raise CorpusError(
                f"{path}, line {line}: a word and {dimensions} numbers are needed: {text[:60]!r}"
            )
        word = " ".join(fields[:-dimensions])
        number = numbers.get(fold(word))
        if number is not None and (not found[number] or word == vocabulary.words[number - 2]):
            matrix[number] = _vector(fields[-dimensions:], f"{path}, line {line}")
            found[number] = True
    if not matrix.shape[1]:
        raise CorpusError(f"{path}: there are no word vectors in it")
    return WordVectors(matrix, found)


def _vector(fields: list[str], where: str) -> NDArray[np.float32]:
    """Return numbers from their texts."""
    try:
        vector = np.array([float(field) for field in fields], np.float32)
    except ValueError as error:
        raise CorpusError(f"{where}: not numbers after the word: {error}") from error
    if not np.isfinite(vector).all():
        raise CorpusError(f"{where}: a number of the vector is infinite or not a number")
    return vector


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the lines that are not empty, numbered from 1, ends stripped."""
    number = 0
    try:
        with closing(_open(path)) as file:
            for number, line in enumerate(file, 1):
                text = line.decode("utf-8").strip(" \r\n")
                if text:
                    yield number, text
    except (OSError, EOFError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or error
        raise CorpusError(f"{path}: cannot be read after line {number}: {reason}") from error
    except UnicodeDecodeError as error:
        raise CorpusError(
            f"{path}, line {number}: not UTF-8 text; GloVe's and fastText's .txt or .vec files are read, .bin is not"
        ) from error


def _open(path: Path) -> IO[bytes]:
    return gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb")  # type: ignore[return-value]
