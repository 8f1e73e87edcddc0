"""The decoder that settings ask for."""

from pathlib import Path
from typing import Protocol

from torch import Tensor

from asr.config import DecodingConfig
from asr.decoding.greedy import greedy_decode
from asr.decoding.hypothesis import Hypothesis
from asr.tokens import Tokens


class Decoder(Protocol):
    """Posteriors to hypotheses."""

    def decode(self, log_probs: Tensor, lengths: Tensor, *, n_best: int = 1) -> list[list[Hypothesis]]:
        """The best hypotheses of each utterance, best first; at least one each.

        Args:
            log_probs: `[batch, steps, tokens]` natural logs.
            lengths: `[batch]` int64 steps of each utterance; what stands past them is not read.
            n_best: most hypotheses of an utterance; no two have the same text.
        """
        ...


class GreedySearch:
    """Best-path decoding as a decoder: one hypothesis an utterance."""

    def decode(self, log_probs: Tensor, lengths: Tensor, *, n_best: int = 1) -> list[list[Hypothesis]]:
        """See `Decoder`; there is never more than one."""
        return [[hypothesis] for hypothesis in greedy_decode(log_probs, lengths)]


def make_decoder(settings: DecodingConfig, tokens: Tokens, directory: Path = Path()) -> Decoder:
    """The decoder that settings ask for; paths in them start at `directory`.

    Raises:
        UserError: a language model, lexicon or hot word is not to be had, or does not fit the alphabet.
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
