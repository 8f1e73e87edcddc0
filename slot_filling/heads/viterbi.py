"""The best path of each sentence, and the k best."""

import numpy as np
import torch
from torch import Tensor

from slot_filling.heads import kernels
from slot_filling.heads.chain import Chain
from slot_filling.heads.semirings import Best, prefixes


def best_paths(chain: Chain) -> tuple[Tensor, Tensor]:
    """The best path of each sentence.

    Returns:
        `[batch, time]` int64, 0 past the lengths, and their scores `[batch]`. Where no path is allowed the score is
        minus infinity, and the path means nothing.
    """
    if not chain.on_cpu:
        paths, scores = k_best_by_semiring(chain, 1)
        return paths[:, 0], scores[:, 0]
    paths = torch.zeros(chain.emissions.shape[:2], dtype=torch.int64)
    scores = torch.zeros(len(paths), dtype=torch.float64)
    lengths = chain.lengths.numpy()
    emissions, transitions = chain.emissions.numpy(), chain.transitions.numpy()
    start, end = chain.start.numpy(), chain.end.numpy()
    kernels.best_paths(emissions, transitions, start, end, lengths, paths.numpy(), scores.numpy())
    return paths, scores


def k_best_paths(chain: Chain, count: int) -> list[list[tuple[float, np.ndarray]]]:
    """Of each sentence the best `count` paths that are allowed, or as many as there are.

    Returns:
        Scores and paths `[length]` int64, best first.
    """
    lengths = chain.lengths.tolist()
    if not chain.on_cpu:
        paths, scores = (tensor.cpu().numpy() for tensor in k_best_by_semiring(chain, count))
        return [
            [(float(score), path[:length]) for score, path in zip(*each, strict=True) if score > -np.inf]
            for *each, length in zip(scores, paths, lengths, strict=True)
        ]
    transitions, start, end = chain.transitions.numpy(), chain.start.numpy(), chain.end.numpy()
    found: list[list[tuple[float, np.ndarray]]] = []
    for emissions, length in zip(chain.emissions.numpy(), lengths, strict=True):
        if not length:
            found.append([(0.0, np.zeros(0, np.int64))])
            continue
        best, values = kernels.k_best_paths(emissions[:length], transitions, start, end, count)
        found.append([(float(value), path) for value, path in zip(values, best, strict=True)])
    return found


def k_best_by_semiring(chain: Chain, count: int) -> tuple[Tensor, Tensor]:
    """The best `count` paths `[batch, count, time]` and their scores `[batch, count]`, on any device.

    Where there are fewer paths, minus infinity. The semiring keeps values alone: the one of rank r at a tag is the
    one of rank r among all that lead there, so that ordering these again finds the path.
    """
    found = prefixes(Best(count), chain)  # [batch, time, tags, count]
    batch, time = found.shape[:2]
    paths = torch.zeros(batch, count, time, dtype=torch.int64, device=found.device)
    ranks = torch.arange(count, device=found.device).expand(batch, count)
    scores = torch.full((batch, count), -torch.inf, dtype=found.dtype, device=found.device)
    scores[:, 0] = 0.0  # of empty sentences
    for step in range(time - 1, -1, -1):
        ends = (chain.lengths == step + 1)[:, None]
        tags = paths[:, :, min(step + 1, time - 1)]  # what comes after
        onward = torch.where(ends[..., None], chain.end, chain.transitions.T[tags])  # [batch, count, tags]
        candidates = (found[:, step, None] + onward[..., None]).flatten(2)
        ordered = candidates.sort(dim=2, descending=True, stable=True)
        values, places = (each.gather(2, ranks[..., None])[..., 0] for each in ordered)
        scores = torch.where(ends, values, scores)
        inside = (chain.lengths > step)[:, None]
        paths[:, :, step] = torch.where(inside, places // count, 0)
        ranks = torch.where(inside, places % count, ranks)
    return paths, scores
