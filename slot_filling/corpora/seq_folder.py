"""Read folders in the format of ATIS and SNIPS: `seq.in` (words), `seq.out` (tags), `label` (intents, optional).

Line n of each file belongs to the same sentence; words and tags are separated by spaces.
"""

import re
from pathlib import Path

from slot_filling.corpora.config import SentenceCorpusConfig
from slot_filling.corpora.tag_conversion import RawSentence
from sluice_core.corpus_files import CorpusError, corpus_folder, read_lines
from sluice_core.wording import plural


def read(folder: Path, config: SentenceCorpusConfig) -> list[RawSentence]:
    """Read the sentences of one folder.

    Raises:
        CorpusError: a file is missing or empty, or the lines of the files do not belong together.
    """
    corpus_folder(folder, config.kind, ("seq.in", "seq.out"))
    words = _lines(folder / "seq.in")
    tags = _lines(folder / "seq.out", len(words))
    intents = _lines(folder / "label", len(words)) if (folder / "label").exists() else [""] * len(words)
    for name, lines in (("seq.out", tags), ("label", intents)):
        if len(lines) != len(words):
            raise CorpusError(
                f"{folder / name}: {plural(len(lines), 'line')}, but seq.in has {len(words)}: "
                "each sentence has one in each"
            )
    sentences = []
    for number, rows in enumerate(zip(words, tags, intents, strict=True), 1):
        if any(rows):
            sentences.append(_sentence(folder, number, *rows))
    if not sentences:
        raise CorpusError(f"{folder / 'seq.in'}: the file is empty; it has one sentence a line")
    return sentences


def _sentence(folder: Path, number: int, words: str, tags: str, intent: str) -> RawSentence:
    """Return the sentence on one line of the three files."""
    separated, tags_separated = (re.findall(r"[^ \t]+", line) for line in (words, tags))
    if len(separated) != len(tags_separated):
        raise CorpusError(
            f"{folder / 'seq.out'}, line {number}: {plural(len(tags_separated), 'tag')}, but that line of seq.in has "
            f"{plural(len(separated), 'word')}: each word needs one ({words[:60]!r})"
        )
    place = f"{folder / 'seq.out'}, line {number}"
    return RawSentence(
        tuple(separated), tuple(tags_separated), [place] * len(separated), intent.strip() or None
    )


def _lines(path: Path, count: int = 0) -> list[str]:
    """Return the lines of a file; past the first `count`, empty lines at its end are left out."""
    lines = [line.strip(" \t\r\n") for _, line in read_lines(path)]
    while len(lines) > count and not lines[-1]:
        lines.pop()
    return lines
