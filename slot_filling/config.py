"""The settings of a tagger, from corpus to training: what a recipe's YAML says."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import Field, ValidationError, ValidationInfo, field_validator

from slot_filling.corpora.config import SentenceCorpusConfig
from sluice_core.config import Settings
from sluice_core.run_directory import RunSettings
from sluice_core.stack_config import StackConfig
from sluice_core.training.config import TrainingConfig

HeadName = Literal["softmax", "crf", "perceptron", "max_margin", "softmax_margin"]


class VocabularyConfig(Settings):
    """Which words the tagger knows, and what it knows of them beforehand."""

    min_count: int = Field(
        2,
        ge=1,
        description="words that are rarer in training count as unknown, but their characters are still read",
    )
    vectors: Path | None = Field(
        None, description="word vectors to start from: GloVe's or fastText's text files"
    )


class EncoderConfig(StackConfig):
    """How words become vectors in their context."""

    word_size: int = Field(100, ge=1, description="size of the vector for a word")
    characters: Literal["none", "cnn", "lstm"] = Field(
        "cnn", description="network that reads the characters of a word"
    )
    character_size: int = Field(30, ge=1, description="size of the vector for a character")
    character_filters: int = Field(
        50, ge=1, description="filters of each width, or units of each direction (lstm)"
    )
    character_widths: list[int] = Field(
        [3], min_length=1, description="widths of the filters, in characters, odd"
    )
    shape_size: int = Field(
        10, ge=0, description="size of the vector for capitals and digits; 0 leaves it out"
    )
    window: int = Field(1, ge=1, description="words that a cell sees at once, odd; 7 helps simple cells")
    hidden_size: int = Field(200, ge=1, description="units in each direction")
    dropout: float = Field(0.5, ge=0, lt=1, description="variational dropout: one mask per sentence")
    word_dropout: float = Field(0.05, ge=0, lt=1, description="share of words that are unknown in training")
    rare_word_dropout: float = Field(
        0.0,
        ge=0,
        description="the a with which a word seen c times is unknown in a of a + c cases in training, if that is more",
    )

    @field_validator("window", "character_widths")
    @classmethod
    def _be_odd(cls, value: Any) -> Any:
        if any(width < 1 or width % 2 == 0 for width in (value if isinstance(value, list) else [value])):
            raise ValueError("an odd number from 1 up, so that there is a middle")
        return value


class HeadConfig(Settings):
    """What is predicted, and how the labels of a sentence depend on each other."""

    kind: HeadName = Field("crf", description="how scores of tags become paths, and the loss of training")
    label_components: bool = Field(
        True,
        description="tags share what is learned about components of their labels, such as toloc in B-toloc.city_name",
    )
    intent: bool = Field(True, description="predict the sentence's intent too, where the corpus has one")
    intent_limits: bool = Field(
        False, description="never answer with an intent and labels that do not occur together in training"
    )
    intent_weight: float = Field(
        0.5, ge=0, description="weight of the intent's loss; that of the labels has 1"
    )

    renamed: ClassVar[Mapping[str, str]] = {"parts": "label_components"}


class NoiseConfig(Settings):
    """Damage done to words of training sentences, so that misspelt and misheard ones do less harm in use."""

    edit: float = Field(0.0, ge=0, le=1, description="probability of a character edit, by word")
    sound: float = Field(0.0, ge=0, le=1, description="probability of a similar-sounding word, by word")
    sentences: float = Field(0.5, ge=0, le=1, description="share of sentences that are damaged at all")


class TaggerConfig(RunSettings):
    """A tagger's whole experiment: a recipe file, and the `config.yaml` of the run directory that it makes."""

    task: Literal["slots"] = Field("slots", description="tells a tagger's settings from a recognizer's")
    name: str = Field(min_length=1, pattern=r"^[\w.-]+$", description="the run directory is runs/NAME")
    corpus: SentenceCorpusConfig
    vocabulary: VocabularyConfig = VocabularyConfig()
    encoder: EncoderConfig = Field(default_factory=EncoderConfig)
    ensemble: list[dict[str, Any]] = Field(
        [{}],
        min_length=1,
        description="networks trained side by side whose scores are averaged: for each, what differs from `encoder`",
    )
    head: HeadConfig = HeadConfig()
    noise: NoiseConfig = NoiseConfig()
    training: TrainingConfig = TrainingConfig()

    renamed: ClassVar[Mapping[str, str]] = {"voices": "ensemble"}

    @field_validator("ensemble")
    @classmethod
    def _be_encoders(cls, ensemble: list[dict[str, Any]], info: ValidationInfo) -> list[dict[str, Any]]:
        for number, changes in enumerate(ensemble if "encoder" in info.data else []):
            try:
                _changed(info.data["encoder"], changes)
            except ValidationError as error:
                (first, *_) = error.errors()
                name = ".".join(map(str, first["loc"]))
                message = first["msg"].removeprefix("Value error, ")
                raise ValueError(f"of member {number}, {name}: {message}") from error
        return ensemble

    @property
    def encoders(self) -> list[EncoderConfig]:
        """The settings of each ensemble member's encoder."""
        return [_changed(self.encoder, changes) for changes in self.ensemble]


def _changed(encoder: EncoderConfig, changes: dict[str, Any]) -> EncoderConfig:
    return EncoderConfig.model_validate(encoder.model_dump() | changes)
