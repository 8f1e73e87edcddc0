"""The settings of a corpus of labelled sentences."""

import logging
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from slot_filling.schemes import SchemeName
from sluice_core.corpus_files import CorpusConfig

log = logging.getLogger("sluice")


class SentenceCorpusConfig(CorpusConfig):
    """Where labelled sentences come from and how they are divided into train, dev and test."""

    kind: Literal["grammar", "travel", "atis", "snips", "conll", "jsonl"] = Field(
        description="which corpus, or the format of your own"
    )
    scheme: SchemeName | None = Field(None, description="how the tags are written; detected if not given")
    columns: list[str] | list[int] = Field(
        [],
        description="kind conll: names of the columns, among them word and tag, as in [word, pos, tag]; or the "
        "numbers of those two, from 0, -1 for the last, which is the default: [0, -1]",
    )
    sentences: int = Field(
        6000,
        ge=20,
        description="kinds grammar and travel: how many are drawn, a fifth of them for dev and test",
    )

    @model_validator(mode="before")
    @classmethod
    def _with_new_kind(cls, tree: Any) -> Any:
        if isinstance(tree, dict) and tree.get("kind") == "spoken_travel":
            log.warning(
                "corpus.kind spoken_travel is now kind grammar with data travel; the old name is still read"
            )
            return {**tree, "kind": "grammar", "data": "travel"}
        return tree

    @field_validator("columns")
    @classmethod
    def _have_word_and_tag(cls, columns: list[str] | list[int]) -> list[str] | list[int]:
        by_number = all(isinstance(column, int) for column in columns)
        if columns and not by_number and (columns.count("word"), columns.count("tag")) != (1, 1):  # type: ignore[arg-type]
            raise ValueError("name one column word and one tag, as in [word, pos, tag]")
        if columns and by_number and len(set(columns)) != 2:
            raise ValueError("give two numbers, the word's column and the tag's, as in [0, -1]")
        return columns
