"""The settings of a corpus of labelled sentences."""

from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator

from slot_filling.schemes import SchemeName
from sluice_core.config import Settings

CorpusKind = Literal["travel", "spoken_travel", "atis", "snips", "conll", "jsonl"]


class CorpusConfig(Settings):
    """Where labelled sentences come from and how they are divided into train, dev and test."""

    kind: CorpusKind
    data: Path | None = Field(
        None, description="folder with all parts, or one file to divide; none for the embedded corpus"
    )
    train: Path | None = Field(None, description="file (or seq.in folder) of the training part")
    dev: Path | None = Field(None, description="file (or folder) of dev; taken from train if not given")
    test: Path | None = Field(None, description="file (or folder) of test, optional")
    scheme: SchemeName | None = Field(None, description="how the tags are written; detected if not given")
    columns: list[str] | list[int] = Field(
        [],
        description="kind conll: names of the columns, among them word and tag, as in [word, pos, tag]; or the "
        "numbers of those two, from 0, -1 for the last, which is the default: [0, -1]",
    )
    dev_fraction: float = Field(0.1, gt=0, lt=1, description="share of the training sentences for dev")
    split_seed: int = Field(17, description="decides the division and the embedded corpus")
    sentences: int = Field(6000, ge=20, description="size of the embedded corpus, a fifth of it dev and test")

    @field_validator("columns")
    @classmethod
    def _have_word_and_tag(cls, columns: list[str] | list[int]) -> list[str] | list[int]:
        by_number = all(isinstance(column, int) for column in columns)
        if columns and not by_number and (columns.count("word"), columns.count("tag")) != (1, 1):  # type: ignore[arg-type]
            raise ValueError("name one column word and one tag, as in [word, pos, tag]")
        if columns and by_number and len(set(columns)) != 2:
            raise ValueError("give two numbers, the word's column and the tag's, as in [0, -1]")
        return columns
