"""Paths of connectionist temporal classification (Graves et al. 2006), without torch.

A path emits one token, or the blank, in each step. Its labelling is what remains when repeats are merged and
blanks are dropped, so two equal tokens in a row need a blank between them: 好棒棒 takes at least four steps. The
losses are in `asr.acoustic.ctc_loss`.
"""

from collections.abc import Iterable, Sequence
from operator import eq

BLANK = 0
"""The number of the blank token."""


def collapse(path: Iterable[int]) -> list[int]:
    """Return the labelling of a path: merge repeats, then drop blanks.

    Example:
        >>> collapse([0, 1, 1, 0, 2, 0, 2])
        [1, 2, 2]
    """
    labels = []
    previous = BLANK
    for token in path:
        if token != previous and token != BLANK:
            labels.append(token)
        previous = token
    return labels


def required_steps(tokens: Sequence[int]) -> int:
    """Return the fewest steps in which CTC can emit `tokens`: one for each, and one for each blank between equal ones.

    Example:
        >>> required_steps([1, 2, 2])
        4
    """
    return len(tokens) + sum(map(eq, tokens, tokens[1:]))
