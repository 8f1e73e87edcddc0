"""From posteriors to text."""

from asr.decoding.decoder import Decoder, GreedySearch, make_decoder
from asr.decoding.greedy import greedy_decode
from asr.decoding.hypothesis import Hypothesis

__all__ = ["Decoder", "GreedySearch", "Hypothesis", "greedy_decode", "make_decoder"]
