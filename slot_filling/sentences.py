"""Sentences that a tagger learns from: words, their tags or labelled spans, and an intent."""

from dataclasses import dataclass
from typing import NamedTuple

from sluice_core.errors import UserError
from sluice_core.wording import plural


class SentenceError(UserError):
    """A sentence's words and tags do not belong together."""


class Span(NamedTuple):
    """A labelled stretch of words: `words[start:end]`."""

    label: str
    start: int
    end: int


@dataclass(frozen=True)
class Sentence:
    """Words with their tags, always IOB2 (`slot_filling.schemes`), and an intent where there is one.

    `tags` is None where the words are not labelled; `where` says where the sentence was read
    ("train.conll, line 12"), for messages.

    Raises:
        SentenceError: there are more or fewer tags than words.
    """

    words: tuple[str, ...]
    tags: tuple[str, ...] | None
    intent: str | None = None
    where: str = ""

    def __post_init__(self) -> None:
        if self.tags is not None and len(self.tags) != len(self.words):
            raise SentenceError(
                f"{self.where + ': ' if self.where else ''}{plural(len(self.words), 'word')} but "
                f"{plural(len(self.tags), 'tag')}: each word needs one"
            )

    @property
    def text(self) -> str:
        """The words, joined by single spaces."""
        return " ".join(self.words)
