"""Sentences as a file has them, and how they become the house's: scheme found, tags checked, IOB2."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from slot_filling.schemes import SchemeName, convert, detect, fault
from slot_filling.sentences import Sentence
from sluice_core.corpus_files import CorpusError

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class RawSentence:
    """Words and tags in the file's own scheme; `places[i]` is where word i is written."""

    words: tuple[str, ...]
    tags: tuple[str, ...]
    places: Sequence[str]
    intent: str | None = None


def settle(
    parts: Mapping[str, Sequence[RawSentence]], scheme: SchemeName | None, where: Path | str
) -> dict[str, list[Sentence]]:
    """Sentences with IOB2 tags.

    Args:
        parts: by name; all are in one scheme.
        scheme: of the tags; if None, the one that the fewest sentences break.
        where: the corpus, for the log.

    Raises:
        CorpusError: a tag does not fit the scheme; names its line and says what to write.
    """
    if scheme is None:
        scheme = detect(raw.tags for sentences in parts.values() for raw in sentences)
        if scheme != "IOB2":
            log.info("%s: the tags are %s (corpus.scheme)", where, scheme)
    return {part: [_settled(raw, scheme) for raw in sentences] for part, sentences in parts.items()}


def _settled(raw: RawSentence, scheme: SchemeName) -> Sentence:
    """One sentence, checked and converted."""
    found = fault(raw.tags, scheme)
    if found is not None:
        position, problem = found
        raise CorpusError(
            f"{raw.places[position]}: {problem}; at the word {raw.words[position]!r}. "
            "Correct the line, or set corpus.scheme to IOB1, IOB2 or BIOES if it was guessed wrongly"
        )
    tags = raw.tags if scheme == "IOB2" else tuple(convert(raw.tags, scheme, "IOB2"))
    return Sentence(raw.words, tags, raw.intent, raw.places[0] if raw.places else "")
