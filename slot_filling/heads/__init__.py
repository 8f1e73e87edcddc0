"""Structured prediction of tags: softmax, CRF, structured perceptron, max-margin, softmax-margin.

A head (`head.py`) holds what is learned of moves from tag to tag, and the losses (`loss.py`); these need torch. What
comes after the scores takes numpy alone: `Chain` (`chain.py`) holds the scores of a batch, from which `viterbi.py`
finds the best paths and `posterior.py` computes probabilities.
"""
