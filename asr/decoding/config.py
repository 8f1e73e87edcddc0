"""Settings of decoding and of word confidences."""

from pathlib import Path
from typing import Literal

from pydantic import Field

from sluice_core.config import Settings


class ConfidenceConfig(Settings):
    """Weights of the logistic regression that makes word confidences probabilities; each weighs a log-odds."""

    bias: float = Field(0.0, description="log-odds of a word before the other features are added")
    lowest: float = Field(
        0.0, description="weight of the lowest posterior among the word's letters and the spaces around it"
    )
    mean: float = Field(0.0, description="weight of the geometric mean of the posteriors of its letters")
    share: float = Field(
        0.0, description="weight of the share of the n-best list that has this word in this place"
    )


class DecodingConfig(Settings):
    """Settings of decoding: `decoding.yaml` of a run directory, which `sluice tune` writes."""

    method: Literal["greedy", "beam"] = Field(
        "greedy", description="the likeliest token of each step, or prefix beam search"
    )
    beam: int = Field(64, ge=1, le=100_000, description="prefixes kept after each step")
    beam_threshold: float = Field(
        20.0, gt=0, description="prefixes this far (natural log) behind the best are dropped; .inf keeps all"
    )
    token_threshold: float = Field(
        1e-5,
        ge=0,
        lt=1,
        description="tokens of lower posterior do not extend a prefix; the likeliest always does",
    )
    language_model: Path | None = Field(
        None, description="n-gram (of sluice lm, or ARPA); a relative path starts at the run directory"
    )
    weight: float = Field(
        0.5, ge=0, le=100, description="weight of the language model's natural log-probabilities"
    )
    word_bonus: float = Field(
        0.0, ge=-100, le=100, description="added for each word (or token, with a character model)"
    )
    unknown_score: float = Field(
        -10.0,
        le=0,
        description="largest natural log-probability of a word that the language model does not have",
    )
    lexicon: Path | None = Field(
        None, description="word list; the output has no other words. Any word is possible if there is none"
    )
    hot_words: dict[str, float] = Field(
        {}, description="phrases with their boosts (natural log), such as {taipei: 3}"
    )
    confidence: ConfidenceConfig | None = Field(
        None, description="turns confidences into probabilities; fitted on dev"
    )

    def describe(self) -> str:
        """Return the settings in a few words, for tables.

        Example:
            >>> DecodingConfig(method="beam", beam=16).describe()
            'beam 16'
        """
        if self.method == "greedy":
            return "greedy"
        with_model = f", {self.language_model.name} x {self.weight:g}" if self.language_model else ""
        return f"beam {self.beam}{with_model}{', lexicon' if self.lexicon else ''}"


class GrammarDecodingConfig(Settings):
    """Settings of decoding along a grammar."""

    beam_threshold: float = Field(
        20.0, gt=0, description="positions this far (natural log) behind the best are dropped; .inf keeps all"
    )
    beam: int = Field(4_000, ge=1, description="about this many positions are kept after each step, at most")
    weight: float = Field(0.5, ge=0, le=100, description="weight of the grammar's natural log-probabilities")
