"""The recursions of a chain, compiled for a CPU: one sentence after the other, on one thread, without Python's lock.

Shapes: `emissions [B, T, K]`, `transitions [K, K]` (from, to), `start [K]`, `end [K]`, `lengths [B]`; nothing past a
length is read. Four predecessors go into a row at once: it is then loaded and stored a quarter as often, which is
what such loops spend their time on. Two threads gained nothing beside torch's own, which wait busily for its next
operation.
"""

import heapq

import numpy as np

from sluice_core.jit import compiled_sums

LEAST = {np.dtype(np.float32): 1e-30, np.dtype(np.float64): 1e-290}
"""The least scaled forward value that counts as exact: what underflows beside it is lost in its rounding anyway."""


@compiled_sums
def _add_products(total, weights, rows):  # type: ignore[no-untyped-def]
    """Compute `total [K] += weights [K] @ rows [K, K]`."""
    size = len(total)
    whole = size - size % 4
    for i in range(0, whole, 4):
        a, b, c, d = weights[i], weights[i + 1], weights[i + 2], weights[i + 3]
        row_a, row_b, row_c, row_d = rows[i], rows[i + 1], rows[i + 2], rows[i + 3]
        for j in range(size):
            total[j] += a * row_a[j] + b * row_b[j] + c * row_c[j] + d * row_d[j]
    for i in range(whole, size):
        a, row_a = weights[i], rows[i]
        for j in range(size):
            total[j] += a * row_a[j]


@compiled_sums
def scaled_forward(  # type: ignore[no-untyped-def]
    emissions, transitions, start, end, lengths, reachable, least, alphas, scales
):
    """Run the forward recursion over weights (not their logs), scaled to sum to one at each step (Rabiner 1989, V.A).

    Fills `alphas [B, T, K]`, and `scales [B, T + 1]`: what each step was divided by, and at `T` the weight of the
    ends. Returns whether no value that must be positive fell below `least`; all is exact then but for rounding,
    for sums of positive numbers lose nothing else.
    """
    steps, tags = emissions.shape[1:]
    values = np.empty(tags, emissions.dtype)
    for sentence in range(len(lengths)):
        length = lengths[sentence]
        for step in range(length):
            for tag in range(tags):
                values[tag] = start[tag] if step == 0 else 0
            if step:
                _add_products(values, alphas[sentence, step - 1], transitions)
            emission, needed = emissions[sentence, step], reachable[step]
            total, lost = values[0] * 0, 0
            for tag in range(tags):
                values[tag] *= emission[tag]
                total += values[tag]
                lost += needed[tag] and not values[tag] >= least  # so that what is not a number counts
            if lost or not least <= total < np.inf:
                return False
            scales[sentence, step] = total
            alpha, factor = alphas[sentence, step], 1 / total
            for tag in range(tags):
                alpha[tag] = values[tag] * factor
        if length:
            total, alpha = 0.0, alphas[sentence, length - 1]
            for tag in range(tags):
                total += alpha[tag] * end[tag]
            scales[sentence, steps] = total
            if not total >= least:
                return False
    return True


@compiled_sums
def scaled_backward(emissions, transposed, end, lengths, alphas, scales, marginals, onward):  # type: ignore[no-untyped-def]
    """Run the backward recursion on the scales of the forward one.

    Fills `marginals [B, T, K]` and `onward [B, T, K]`, with which the probability of tag i at step t - 1 and tag j
    at step t is `alphas[t - 1, i] * transitions[i, j] * onward[t, j]`. As alphas and transitions are at most 1, what
    underflows here is a probability that rounds to zero; and as alphas are at least `least`, nothing overflows.
    """
    steps, tags = emissions.shape[1:]
    betas = np.empty(tags, emissions.dtype)
    for sentence in range(len(lengths)):
        for step in range(lengths[sentence] - 1, -1, -1):
            ends = step == lengths[sentence] - 1
            factor = 1 / scales[sentence, steps] if ends else 0.0
            for tag in range(tags):
                betas[tag] = end[tag] * factor
            if not ends:
                _add_products(betas, onward[sentence, step + 1], transposed)
            emission, alpha = emissions[sentence, step], alphas[sentence, step]
            marginal, forth = marginals[sentence, step], onward[sentence, step]
            factor = 1 / scales[sentence, step]  # float64, as its product with beta may need
            for tag in range(tags):
                # A tag that no path reaches has a beta without bound.
                beta = betas[tag] if alpha[tag] > 0.0 else 0.0
                marginal[tag] = alpha[tag] * beta
                forth[tag] = emission[tag] * (beta * factor)


@compiled_sums
def _raise_to_best(best, values, rows):  # type: ignore[no-untyped-def]
    """Compute `best [K] = max(best, max over i of values [i] + rows [i])`."""
    size = len(best)
    whole = size - size % 4
    for i in range(0, whole, 4):
        a, b, c, d = values[i], values[i + 1], values[i + 2], values[i + 3]
        row_a, row_b, row_c, row_d = rows[i], rows[i + 1], rows[i + 2], rows[i + 3]
        for j in range(size):
            via_a, via_b, via_c, via_d = a + row_a[j], b + row_b[j], c + row_c[j], d + row_d[j]
            left = via_a if via_a > via_b else via_b
            right = via_c if via_c > via_d else via_d
            # The old best comes in here: as the last choice it would be a masked store, twice as slow.
            right = right if right > best[j] else best[j]
            best[j] = left if left > right else right
    for i in range(whole, size):
        a, row_a = values[i], rows[i]
        for j in range(size):
            via_a = a + row_a[j]
            best[j] = via_a if via_a > best[j] else best[j]


@compiled_sums
def _best_prefixes(emissions, transitions, start, length, prefixes):  # type: ignore[no-untyped-def]
    """Fill `prefixes [T, K]`: the best score of the words before a step and of the move to each tag, without the
    step's own emission. One sentence: `emissions [T, K]`.
    """
    values = np.empty(len(start))
    for step in range(length):
        for tag in range(len(start)):
            if step:
                values[tag] = prefixes[step - 1, tag] + emissions[step - 1, tag]
            prefixes[step, tag] = -np.inf if step else start[tag]
        if step:
            _raise_to_best(prefixes[step], values, transitions)


@compiled_sums
def best_paths(emissions, transitions, start, end, lengths, paths, scores):  # type: ignore[no-untyped-def]
    """Fill `paths [B, T]` and `scores [B]` (Viterbi 1967); among equal predecessors the lowest is taken.

    Only scores are kept on the way: on the way back one maximum a step finds the predecessor again.
    """
    steps, tags = emissions.shape[1:]
    prefixes = np.empty((steps, tags))
    for sentence in range(len(lengths)):
        length, emission = lengths[sentence], emissions[sentence]
        _best_prefixes(emission, transitions, start, length, prefixes)
        for step in range(length - 1, -1, -1):
            found, most = 0, -np.inf
            for tag in range(tags):
                onward = end[tag] if step == length - 1 else transitions[tag, paths[sentence, step + 1]]
                value = prefixes[step, tag] + emission[step, tag] + onward
                if value > most:
                    found, most = tag, value
            paths[sentence, step] = found
            if step == length - 1:
                scores[sentence] = most


@compiled_sums
def k_best_paths(emissions, transitions, start, end, count):  # type: ignore[no-untyped-def]
    """Return the best `count` paths `[n, T]` of one sentence `emissions [T, K]`, T > 0, and their scores `[n]`.

    Suffixes grow from the end, best first; what may come before each is known exactly from Viterbi's recursion
    (Soong and Huang 1991), so that only suffixes of the best paths are taken up.
    """
    steps, tags = emissions.shape
    prefixes = np.empty((steps, tags))
    _best_prefixes(emissions, transitions, start, steps, prefixes)
    paths, scores = np.empty((count, steps), np.int64), np.empty(count)
    tag_of, next_of = [0], [-1]  # each suffix: its first tag, and the suffix after that; 0 is the empty one
    heap = [(0.0, steps, 0)]  # minus the score, the step of the suffix's first tag, the suffix
    heap.pop()
    for tag in range(tags):
        score = prefixes[steps - 1, tag] + emissions[steps - 1, tag] + end[tag]
        if score > -np.inf:
            tag_of.append(tag)
            next_of.append(0)
            heapq.heappush(heap, (-score, steps - 1, len(tag_of) - 1))
    found = 0
    while heap and found < count:
        cost, step, suffix = heapq.heappop(heap)  # of equal scores the suffix that is longer
        if step == 0:
            scores[found] = -cost
            for place in range(steps):
                paths[found, place] = tag_of[suffix]
                suffix = next_of[suffix]
            found += 1
            continue
        tag = tag_of[suffix]
        for before in range(tags):
            # What the score loses by not coming from the best predecessor; zero, to the last bit, for that one.
            value = prefixes[step - 1, before] + emissions[step - 1, before] + transitions[before, tag]
            if value > -np.inf:
                tag_of.append(before)
                next_of.append(suffix)
                heapq.heappush(heap, (cost + (prefixes[step, tag] - value), step - 1, len(tag_of) - 1))
    return paths[:found], scores[:found]
