"""Heads that turn scores of tags into paths: softmax, CRF, structured perceptron, max-margin, softmax-margin."""

from slot_filling.heads.head import HEADS, Head, TaggedSpan, make_head

__all__ = ["HEADS", "Head", "TaggedSpan", "make_head"]
