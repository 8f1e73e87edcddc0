"""Settings of decoding and of word confidences."""

from pathlib import Path
from typing import Literal

from pydantic import Field

from sluice_core.config import Settings


class ConfidenceConfig(Settings):
    """Weights of the logistic regression that makes word confidences probabilities; each weighs a log-odds."""

    bias: float = Field(0.0, description="log-odds of a word of which the others say nothing")
    lowest: float = Field(0.0, description="of the lowest posterior of the word's letters and spaces around")
    mean: float = Field(0.0, description="of the geometric mean of the posteriors of its letters")
    share: float = Field(0.0, description="of the share of the n-best list that has this word at this place")


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
    weight: float = Field(0.5, ge=0, le=100, description="of the language model's natural log-probabilities")
    word_bonus: float = Field(
        0.0, ge=-100, le=100, description="added for each word (or token, with a character model)"
    )
    unknown_score: float = Field(
        -10.0, le=0, description="natural log-probability, at most, of a word that the model lacks"
    )
    lexicon: Path | None = Field(
        None, description="word list; the output keeps to it. Open vocabulary if none"
    )
    hot_words: dict[str, float] = Field(
        {}, description="phrase: boost (natural log) whenever it is heard, such as {taipei: 3}"
    )
    confidence: ConfidenceConfig | None = Field(
        None, description="makes confidences probabilities; fitted on dev"
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
