"""From log-probabilities of tokens to hypotheses: greedy, prefix beam search with shallow fusion, forced alignment."""

from asr.decoding.beam import BeamSearch
from asr.decoding.decoder import Decoder, GreedySearch, make_decoder
from asr.decoding.greedy import greedy_decode
from asr.decoding.hot_words import HotWords
from asr.decoding.hypothesis import Hypothesis
from asr.decoding.lexicon import Lexicon

__all__ = [
    "BeamSearch",
    "Decoder",
    "GreedySearch",
    "HotWords",
    "Hypothesis",
    "Lexicon",
    "greedy_decode",
    "make_decoder",
]
