"""Read CoNLL columns: one word with its tag on each line, and an empty line between sentences.

Columns are separated by tabs or, in a line without tabs, by spaces. `-DOCSTART-` lines and comments
(`# …`) are skipped; the comment `# intent: NAME` before or in a sentence gives its intent.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from slot_filling.corpora.config import SentenceCorpusConfig
from slot_filling.corpora.tag_conversion import RawSentence
from sluice_core.corpus_files import CorpusError, read_lines

INTENT = re.compile(r"#\s*intent\s*[:=]\s*(\S.*?)\s*$", re.IGNORECASE)
TAG = re.compile(r"O|[BIES]-\S.*")


@dataclass
class Block:
    """The lines of a sentence that is being read."""

    words: list[str] = field(default_factory=list)
    tags: list[str] = field(default_factory=list)
    places: list[str] = field(default_factory=list)
    intent: str | None = None

    def sentence(self) -> RawSentence:
        """Return what was read."""
        return RawSentence(tuple(self.words), tuple(self.tags), tuple(self.places), self.intent)


def read(path: Path, config: SentenceCorpusConfig) -> list[RawSentence]:
    """Read the sentences of one file.

    Raises:
        CorpusError: the file cannot be read, is empty, or a line lacks a column; the message names the line.
    """
    sentences = list(_sentences(path, config.columns))
    if not sentences:
        raise CorpusError(f"{path}: there is no sentence in it: a word and its tag on each line are needed")
    return sentences


def _sentences(path: Path, columns: Sequence[str] | Sequence[int]) -> Iterator[RawSentence]:
    """Yield sentence by sentence."""
    block, width = Block(), len(columns) if columns and isinstance(columns[0], str) else 0
    word_at, tag_at = _positions(columns)
    for number, line in read_lines(path):
        fields = _fields(line.strip("\r\n"))
        if not fields or fields[0] == "-DOCSTART-":
            if block.words:
                yield block.sentence()
                block = Block()
        elif _is_comment(fields, width, tag_at):
            intent = INTENT.match(line)
            block.intent = intent[1] if intent else block.intent
        else:
            width = width or len(fields)
            _check_row(fields, width, (word_at, tag_at), f"{path}, line {number}")
            block.words.append(fields[word_at])
            block.tags.append(fields[tag_at])
            block.places.append(f"{path}, line {number}")
    if block.words:
        yield block.sentence()


def _fields(line: str) -> list[str]:
    """Return the columns of a line; none if it is empty."""
    if not line.strip():
        return []
    if "\t" in line:
        return [item.strip(" ") for item in line.split("\t")]
    return re.split(" +", line.strip(" "))


def _positions(columns: Sequence[str] | Sequence[int]) -> tuple[int, int]:
    """Return the columns of the word and of the tag."""
    if not columns:
        return 0, -1
    if isinstance(columns[0], str):
        return columns.index("word"), columns.index("tag")
    return columns[0], columns[1]  # type: ignore[return-value]


def _is_comment(fields: Sequence[str], width: int, tag_at: int) -> bool:
    """Tell whether a line that begins with # is a comment and not the word "#" (or "#1") with its tag."""
    if not fields[0].startswith("#"):
        return False
    has_tag = -len(fields) <= tag_at < len(fields) and TAG.fullmatch(fields[tag_at])
    return not (has_tag and len(fields) == (width or len(fields)) >= 2)


def _check_row(fields: Sequence[str], width: int, positions: tuple[int, int], where: str) -> None:
    """Raise if a line lacks the columns that it needs."""
    if len(fields) != width:
        raise CorpusError(
            f"{where}: {len(fields)} column{'s' * (len(fields) != 1)} where {width} are expected: "
            f"{' '.join(fields)[:60]!r}; write every row with the same columns (corpus.columns names them)"
        )
    for position, what in zip(positions, ("word", "tag"), strict=True):
        if not -width <= position < width or width < 2:
            raise CorpusError(
                f"{where}: no column {position} for the {what}: the row has {width} (corpus.columns)"
            )
        if not fields[position]:
            raise CorpusError(f"{where}: the {what} is missing: {' '.join(fields)[:60]!r}")
