"""The interface of decoders, and the choice of the decoder that settings ask for."""

from pathlib import Path
from typing import Protocol

import numpy as np

from asr.decoding.config import DecodingConfig
from asr.decoding.greedy import greedy_decode
from asr.decoding.hypothesis import Hypothesis
from asr.tokens import Tokens


class Decoder(Protocol):
    """Turns log-probabilities of tokens into hypotheses."""

    def decode(
        self, log_probs: np.ndarray, lengths: np.ndarray, *, n_best: int = 1
    ) -> list[list[Hypothesis]]:
        """Return the best hypotheses of each utterance, best first; at least one for each.

        Args:
            log_probs: `[batch, time, tokens]` natural logs.
            lengths: `[batch]` int64, the number of steps of each utterance; the steps past it are not read.
            n_best: the most hypotheses of an utterance; no two have the same text.
        """
        ...


class GreedySearch:
    """Best-path decoding as a decoder, with one hypothesis for each utterance."""

    def decode(
        self, log_probs: np.ndarray, lengths: np.ndarray, *, n_best: int = 1
    ) -> list[list[Hypothesis]]:
        """Return a list of one hypothesis for each utterance, whatever `n_best` is; see `Decoder`."""
        return [[hypothesis] for hypothesis in greedy_decode(log_probs, lengths)]


def make_decoder(settings: DecodingConfig, tokens: Tokens, directory: Path = Path()) -> Decoder:
    """Make the decoder that settings ask for; relative paths in them start at `directory`.

    Raises:
        UserError: the language model, the lexicon or a hot word is not available, or does not fit the alphabet.
    """
    if settings.method == "greedy":
        return GreedySearch()
    from asr.decoding.beam import BeamSearch
    from asr.decoding.lexicon import Lexicon
    from sluice_core.language_models.ngram import load_ngram

    language_model, lexicon = None, None
    if settings.language_model:
        language_model = load_ngram(directory / settings.language_model)
    if settings.lexicon:
        lexicon = Lexicon.read(directory / settings.lexicon)
    return BeamSearch(tokens, settings, language_model, lexicon)
