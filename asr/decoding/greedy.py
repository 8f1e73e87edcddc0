"""Best-path decoding: the likeliest token of every step, collapsed (Graves et al. 2006, section 3.2)."""

import numpy as np
from torch import Tensor

from asr.acoustic.ctc import BLANK
from asr.decoding.hypothesis import Hypothesis


def greedy_decode(log_probs: Tensor, lengths: Tensor) -> list[Hypothesis]:
    """Decode a batch.

    Args:
        log_probs: `[batch, steps, tokens]` natural logs.
        lengths: `[batch]` int64 steps of each utterance; what stands past them is not read.

    Returns:
        One hypothesis an utterance; its score is the log-probability of the best path.
    """
    scores, paths = (tensor.cpu().numpy() for tensor in log_probs.detach().max(dim=2))
    return [
        _collapse_path(path[:length], score[:length])
        for path, score, length in zip(paths, scores, lengths.tolist(), strict=True)
    ]


def _collapse_path(path: np.ndarray, scores: np.ndarray) -> Hypothesis:
    """Collapse one path `[steps]` with the log-probability of each step `[steps]`."""
    score = float(scores.sum())
    edges = np.flatnonzero(np.diff(path, prepend=-1, append=-1))  # where runs of one token begin, and the end
    starts, ends = edges[:-1], edges[1:]
    peaks = np.exp(np.maximum.reduceat(scores, starts)) if len(starts) else scores
    emitted = path[starts] != BLANK
    tokens, starts, ends, peaks = (each[emitted].tolist() for each in (path[starts], starts, ends, peaks))
    return Hypothesis(tuple(tokens), tuple(starts), tuple(ends), tuple(peaks), score, score)
