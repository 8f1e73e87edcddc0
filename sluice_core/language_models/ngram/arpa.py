r"""ARPA files: the text form of back-off n-grams that every toolkit reads and writes.

They hold log10 of each n-gram's probability, the n-gram, and, for all but the longest, log10 of the back-off weight:
first `\data\` with counts such as `ngram 1=200`, then a section `\1-grams:` and so on for each order, then `\end\`.
"""

import gzip
import logging
import math
import re
from array import array
from collections.abc import Iterator
from itertools import islice, pairwise
from pathlib import Path
from typing import IO, NoReturn

import numpy as np

from sluice_core.language_models.ngram.model import NGram
from sluice_core.language_models.ngram.trie import Level, RepeatedError, assemble, sort_levels
from sluice_core.language_models.text import open_lines
from sluice_core.language_models.units import END, NEVER, RESERVED, START, UNKNOWN, LanguageModelError, Unit

log = logging.getLogger(__name__)

SPACE = "<space>"
"""How an ARPA file of characters writes the space."""
LN_10 = math.log(10)
ROUNDING = 1e-5
"""A log-probability that lies no farther above 0 than this is taken for 0: it was rounded."""
MANY = 1_000_000
"""Reading this many n-grams takes seconds, which the log then announces."""
CHUNK = 1 << 14
"""How many lines are read or written at a time."""


def read_arpa(path: Path) -> NGram:
    """Read an ARPA file, plain or compressed by gzip, as KenLM, SRILM and others write it.

    A vocabulary of single characters with `<space>` among them makes it a character model.

    Raises:
        LanguageModelError: the file is not as it should be; the line is named.
    """
    with open_lines(path) as lines:
        reader = _Reader(path, lines)
        counts = reader.read_counts()
        if sum(counts) > MANY:
            log.info(
                "reading %.1f million n-grams from %s; a binary made by `sluice lm convert` opens at once",
                sum(counts) / 1e6, path,
            )  # fmt: skip
        levels = [reader.read_level(order, counts) for order in range(1, len(counts) + 1)]
        reader.read_end()
    for word in (UNKNOWN, START, END):
        if word not in reader.given:
            log.log(
                logging.WARNING if word == END else logging.INFO,
                "%s: there is no %s; its probability is taken to be nearly nothing", path, word,
            )  # fmt: skip
    words = reader.words
    unit = _unit(words)
    if unit == "character":
        words[words.index(SPACE)] = " "
    try:
        return NGram(len(levels), unit, words, assemble(sort_levels(levels, len(words))))
    except RepeatedError as error:
        reader.number = reader.places[error.order - 1][error.place]
        reader.fail(f"this {error.order}-gram stands in the file twice")


def _unit(words: list[str]) -> Unit:
    """Tell whether a vocabulary is one of words or of characters."""
    rest = words[len(RESERVED) :]
    single = all(len(word) == 1 for word in rest if word != SPACE)
    return "character" if SPACE in rest and single else "word"


class _Entries:
    """The n-grams of one order, as far as they have been read."""

    def __init__(self) -> None:
        self.ids = array("i")
        self.log_probs = array("d")
        self.backoffs = array("d")
        self.places = array("q")
        """The line of each n-gram."""


class _Reader:
    """The state of reading an ARPA file: the present line, and the vocabulary so far."""

    def __init__(self, path: Path, lines: Iterator[tuple[int, bytes]]) -> None:
        self.path = path
        self.lines = lines
        self.number = 0
        self.fields: list[bytes] = []
        self.words = list(RESERVED)
        self.ids = {word.encode(): number for number, word in enumerate(RESERVED)}
        self.given: set[str] = set()
        """The reserved words that have a unigram in the file."""
        self.places: list[array[int]] = []
        """The line of each n-gram, by order."""

    def fail(self, problem: str) -> NoReturn:
        """Raise an error about the present line."""
        raise LanguageModelError(f"{self.path}, line {self.number}: {problem}")

    def advance(self, expected: str) -> bool:
        """Go to the next line that is not empty; return False if it opens a section (with a backslash)."""
        for self.number, line in self.lines:  # noqa: B020  # the number is what messages tell
            self.fields = line.split()
            if self.fields:
                return not self.fields[0].startswith(b"\\")
        self.fail(f"the file ends here, before {expected}; is it cut off?")

    def read_counts(self) -> list[int]:
        r"""Read the number of n-grams of each order from the lines after `\data\`."""
        for self.number, line in self.lines:  # noqa: B020
            if line.strip().removeprefix(b"\xef\xbb\xbf") == b"\\data\\":
                break
        else:
            raise LanguageModelError(
                f"{self.path}: neither an ARPA file (there is no line \\data\\) "
                "nor a language model in Sluice's own format"
            )
        counts: list[int] = []
        while self.advance("the counts of its n-grams"):
            match = re.fullmatch(rb"ngram (\d+) ?= ?(\d+)", b" ".join(self.fields))
            if not match:
                self.fail(f"expected a count such as 'ngram 1=200', found {_shown(self.fields)}")
            if int(match[1]) != len(counts) + 1:
                self.fail(
                    f"expected the count of {len(counts) + 1}-grams, found that of {int(match[1])}-grams"
                )
            counts.append(int(match[2]))
        if not counts:
            self.fail("there are no counts such as 'ngram 1=200' before the first section")
        return counts

    def read_level(self, order: int, counts: list[int]) -> Level:
        """Read the section of one order."""
        header = f"\\{order}-grams:".encode()
        if self.fields != [header]:
            self.fail(f"expected {header.decode()}, found {_shown(self.fields)}")
        count = counts[order - 1]
        closing = "\\end\\" if order == len(counts) else f"\\{order + 1}-grams:"
        level = _Entries()
        while missing := count - len(level.places):
            block = list(islice(self.lines, min(missing, CHUNK)))
            if not block:
                self.fail(f"the file ends here, before {closing}; is it cut off?")
            if not self._read_quickly(block, order, level):
                self._read_closely(block, order, level, count)
        if self.advance(closing):
            self.fail(f"a {order}-gram more than the {count} that the head of the file announces")
        self.places.append(level.places)
        ngrams = np.frombuffer(level.ids, np.int32).reshape(-1, order)
        values = (np.maximum(np.frombuffer(v) * LN_10, NEVER) for v in (level.log_probs, level.backoffs))
        return self._complete(Level(ngrams, *values)) if order == 1 else Level(ngrams, *values)

    def _read_quickly(self, block: list[tuple[int, bytes]], order: int, level: "_Entries") -> bool:
        """Read many lines by columns; return False, with nothing read, if one of them is not entirely regular."""
        rows = [line.split() for _, line in block]
        if order == 1 or not {len(row) for row in rows} <= {order + 1, order + 2}:
            return False
        try:
            log_probs = np.array([float(row[0]) for row in rows])
            backoffs = np.array([float(row[-1]) if len(row) > order + 1 else 0.0 for row in rows])
            columns = [[self.ids[row[place]] for row in rows] for place in range(1, order + 1)]
        except (ValueError, KeyError):
            return False
        if not ((log_probs <= 0) & (backoffs < math.inf)).all():
            return False
        level.ids.frombytes(np.array(columns, np.int32).T.tobytes())
        level.log_probs.frombytes(log_probs.tobytes())
        level.backoffs.frombytes(backoffs.tobytes())
        level.places.extend([number for number, _ in block])
        self.number = block[-1][0]
        return True

    def _read_closely(
        self, block: list[tuple[int, bytes]], order: int, level: "_Entries", count: int
    ) -> None:
        """Read lines one by one, and fail at the first that is wrong."""
        for self.number, line in block:  # the number is what messages tell
            self.fields = line.split()
            if not self.fields:
                continue
            if self.fields[0].startswith(b"\\"):
                found = len(level.places)
                self.fail(f"{found} {order}-grams before here, but the head of the file announces {count}")
            log_prob, backoff = self._values(order)
            level.log_probs.append(log_prob)
            level.backoffs.append(backoff)
            level.ids.extend(self._word_ids(order))
            level.places.append(self.number)

    def _values(self, order: int) -> tuple[float, float]:
        """Return the log10 of the probability and of the back-off weight on the present line."""
        fields = self.fields
        if not order < len(fields) <= order + 2:
            self.fail(
                f"expected a log-probability, {order} word{'s' if order > 1 else ''} and perhaps a back-off weight, "
                f"found {len(fields)} fields: {_shown(fields)}"
            )
        try:
            log_prob = float(fields[0])
            backoff = float(fields[-1]) if len(fields) == order + 2 else 0.0
        except ValueError:
            wrong = fields[-1] if _is_number(fields[0]) else fields[0]
            self.fail(f"{_shown([wrong])} is not a number (in {_shown(fields)})")
        if not log_prob <= ROUNDING:  # NaN fails too
            self.fail(f"the log-probability is {log_prob:g}; that of a probability is never above 0")
        if not backoff < math.inf:
            self.fail(f"the back-off weight is {backoff:g}")
        return min(log_prob, 0.0), backoff

    def _word_ids(self, order: int) -> list[int]:
        """Return the ids of the words on the present line; in the section of unigrams, add the word first."""
        words = self.fields[1 : order + 1]
        try:
            if order > 1:
                return [self.ids[word] for word in words]
            name = words[0].decode("utf-8")
        except KeyError as error:
            self.fail(f"the word {_shown([error.args[0]])} is not among the 1-grams")
        except UnicodeDecodeError as error:
            self.fail(f"not UTF-8: {error.reason} in the word {_shown(words)}")
        if name == "<UNK>":  # as some write it
            name = UNKNOWN
            self.ids[words[0]] = RESERVED.index(UNKNOWN)
        if name in self.given or (words[0] in self.ids and name not in RESERVED):
            self.fail(f"the word {name!r} stands among the 1-grams twice")
        if name in RESERVED:
            self.given.add(name)
        else:
            self.ids[words[0]] = len(self.words)
            self.words.append(name)
        return [self.ids[words[0]]]

    def _complete(self, unigrams: Level) -> Level:
        """Add the reserved words that have no unigram, and make `<s>` impossible, whatever the file says."""
        ids = unigrams.ngrams[:, 0]
        missing = [number for number, word in enumerate(RESERVED) if word not in self.given]
        log_prob = np.where(ids == RESERVED.index(START), NEVER, unigrams.log_prob)
        return Level(
            np.append(ids, missing).astype(np.int32)[:, None],
            np.append(log_prob, [NEVER] * len(missing)),
            np.append(unigrams.backoff, [0.0] * len(missing)),
        )

    def read_end(self) -> None:
        r"""Read the line `\end\` and whatever follows: only the end of a compressed file tells whether it is whole."""
        if self.fields != [b"\\end\\"]:
            self.fail(f"expected \\end\\, found {_shown(self.fields)}")
        for _ in self.lines:
            pass


def _is_number(field: bytes) -> bool:
    try:
        float(field)
    except ValueError:
        return False
    return True


def _shown(fields: list[bytes]) -> str:
    """Quote fields in a message, at most 60 characters of them."""
    text = b" ".join(fields).decode("utf-8", "replace")
    return repr(text if len(text) <= 60 else text[:60] + "…")


def write_arpa(path: Path, model: NGram, *, packed: bool = False) -> None:
    """Write a model as an ARPA file, compressed by gzip if `packed`."""
    with path.open("wb") as plain:
        if not packed:
            write_arpa_to(plain, model)
            return
        # Neither time nor name is written, so that the same model makes the same bytes.
        with gzip.GzipFile(filename="", mode="wb", fileobj=plain, compresslevel=6, mtime=0) as zipped:
            write_arpa_to(zipped, model)


def write_arpa_to(file: IO[bytes] | gzip.GzipFile, model: NGram) -> None:
    """Write a model as ARPA text to an open file."""
    bounds = list(pairwise(model.level_bounds))
    head = ["\\data\\", *(f"ngram {order}={end - begin}" for order, (begin, end) in enumerate(bounds, 1))]
    file.write("\n".join([*head, ""]).encode())
    names = [SPACE if word == " " else word for word in model.words]
    parents = np.repeat(np.arange(len(model.word)), np.diff(model.first_child))  # of each node but the root
    for order, (begin, end) in enumerate(bounds, start=1):
        file.write(f"\n\\{order}-grams:\n".encode())
        for start in range(begin, end, CHUNK):
            nodes = np.arange(start, min(start + CHUNK, end))
            file.write("".join(_lines(model, names, parents, nodes, order)).encode())
    file.write(b"\n\\end\\\n")


def _lines(
    model: NGram, names: list[str], parents: np.ndarray, nodes: np.ndarray, order: int
) -> Iterator[str]:
    """Yield one line for each of `nodes`."""
    columns = [nodes]
    for _ in range(order - 1):
        columns.insert(0, parents[columns[0] - 1])
    ngrams = np.stack([model.word[column] for column in columns], axis=1).tolist()
    log_probs = (model.log_prob[nodes].astype(float) / LN_10).tolist()
    backoffs = (model.backoff[nodes].astype(float) / LN_10).tolist()
    for ngram, log_prob, backoff in zip(ngrams, log_probs, backoffs, strict=True):
        text = " ".join([names[word] for word in ngram])
        weight = f"\t{backoff:.7g}" if order < model.order or backoff else ""
        yield f"{log_prob:.7g}\t{text}{weight}\n"
