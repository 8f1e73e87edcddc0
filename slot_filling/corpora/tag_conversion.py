"""Convert sentences as a file has them to IOB2: find the scheme, check the tags, convert them."""

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
    """Words and tags in the file's own scheme; `places[i]` says where word i stands, such as "train.txt, line 3"."""

    words: tuple[str, ...]
    tags: tuple[str, ...]
    places: Sequence[str]
    intent: str | None = None


def to_iob2(
    splits: Mapping[str, Sequence[RawSentence]], scheme: SchemeName | None, where: Path | str
) -> dict[str, list[Sentence]]:
    """Return the sentences of all splits with IOB2 tags.

    Args:
        splits: sentences by the name of their split; all are in one scheme.
        scheme: of the tags; if None, the one that the fewest sentences break.
        where: the corpus, for the log.

    Raises:
        CorpusError: a tag does not fit the scheme; the message names its line and says what to write.
    """
    if scheme is None:
        scheme = detect(raw.tags for sentences in splits.values() for raw in sentences)
        if scheme != "IOB2":
            log.info("%s: the tags are %s (corpus.scheme)", where, scheme)
    return {split: [_converted(raw, scheme) for raw in sentences] for split, sentences in splits.items()}


def _converted(raw: RawSentence, scheme: SchemeName) -> Sentence:
    """Return one sentence, checked and converted."""
    found = fault(raw.tags, scheme)
    if found is not None:
        position, problem = found
        raise CorpusError(
            f"{raw.places[position]}: {problem}; at the word {raw.words[position]!r}. "
            "Correct the line, or set corpus.scheme to IOB1, IOB2 or BIOES if it was guessed wrongly"
        )
    tags = raw.tags if scheme == "IOB2" else tuple(convert(raw.tags, scheme, "IOB2"))
    return Sentence(raw.words, tags, raw.intent, raw.places[0] if raw.places else "")
