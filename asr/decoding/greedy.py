"""Best-path decoding: the likeliest token of every step, collapsed (Graves et al. 2006, section 3.2)."""

import numpy as np

from asr.acoustic.ctc import BLANK
from asr.decoding.hypothesis import Hypothesis


def greedy_decode(log_probs: np.ndarray, lengths: np.ndarray) -> list[Hypothesis]:
    """Decode a batch.

    Args:
        log_probs: `[batch, time, tokens]` natural logs.
        lengths: `[batch]` int64, the number of steps of each utterance; the steps past it are not read.

    Returns:
        One hypothesis for each utterance; its score is the log-probability of the best path.

    Example:
        >>> log_probs = np.log(np.array([[[0.1, 0.8, 0.1], [0.7, 0.2, 0.1]]]))
        >>> greedy_decode(log_probs, np.array([2]))[0].tokens
        (1,)
    """
    log_probs = np.asarray(log_probs)
    paths = log_probs.argmax(axis=2)
    scores = np.take_along_axis(log_probs, paths[..., None], axis=2)[..., 0]
    return [
        _collapse_path(path[:length], score[:length])
        for path, score, length in zip(paths, scores, lengths.tolist(), strict=True)
    ]


def _collapse_path(path: np.ndarray, scores: np.ndarray) -> Hypothesis:
    """Collapse one path `[time]` that has the log-probability `scores` `[time]` in each step."""
    score = float(scores.sum())
    edges = np.flatnonzero(np.diff(path, prepend=-1, append=-1))  # where runs of one token begin, and the end
    starts, ends = edges[:-1], edges[1:]
    peaks = np.exp(np.maximum.reduceat(scores, starts)) if len(starts) else scores
    emitted = path[starts] != BLANK
    tokens, starts, ends, peaks = (each[emitted].tolist() for each in (path[starts], starts, ends, peaks))
    return Hypothesis(tuple(tokens), tuple(starts), tuple(ends), tuple(peaks), score, score)
