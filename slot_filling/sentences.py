"""What a tagger learns from and answers with: words, their tags, spans of them, an intent."""

from dataclasses import dataclass
from typing import NamedTuple

from sluice_core.errors import UserError


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

    `tags` is None where nobody has labelled the words; `where` says where the sentence was read
    ("train.conll, line 12"), for messages.

    Raises:
        SentenceError: as many tags as words are needed.
    """

    words: tuple[str, ...]
    tags: tuple[str, ...] | None
    intent: str | None = None
    where: str = ""

    def __post_init__(self) -> None:
        if self.tags is not None and len(self.tags) != len(self.words):
            raise SentenceError(
                f"{self.where + ': ' if self.where else ''}{len(self.words)} words but {len(self.tags)} tags: "
                "each word needs one"
            )

    @property
    def text(self) -> str:
        """The words with one space between."""
        return " ".join(self.words)
