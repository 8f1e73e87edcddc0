"""The recursions of a chain, compiled for a CPU, without Python's lock.

Shapes: `emissions [B, T, K]`, `start [K]`, `end [K]`, `lengths [B]`; nothing past a length is read. `rows` are the
transitions (from, to) and `columns` those transposed, both as `tiles.padded` makes them; `order [B]` has the numbers
of the sentences, the longest first, for they go side by side, some at a time.
"""

import heapq

import numpy as np

from slot_filling.heads.tiles import SENTENCES, add_products, raise_to_best
from sluice_core.jit import compiled_sums

WORDS = 128
"""How many words go into a product at once: what is known of them then fits into the second cache."""

LEAST = {np.dtype(np.float32): 1e-30, np.dtype(np.float64): 1e-290}
"""The least scaled forward value that counts as exact: what underflows beside it is lost in its rounding anyway."""


@compiled_sums
def scaled_forward(  # type: ignore[no-untyped-def]
    emissions, rows, start, end, lengths, order, reachable, least, alphas, scales
):
    """Run the forward recursion over weights (not their logs), scaled to sum to one at each step (Rabiner 1989, V.A).

    Fills `alphas [B, T, K]`, zero past the lengths, and `scales [B, T + 1]`: what each step was divided by, and at `T`
    the weight of the ends, one where there is none. Returns whether no value that must be positive fell below `least`;
    all is exact then but for rounding, for sums of positive numbers lose nothing else.
    """
    steps, tags = emissions.shape[1:]
    values, totals = np.zeros((SENTENCES, tags), rows.dtype), np.zeros((SENTENCES, rows.shape[1]), rows.dtype)
    for first in range(0, len(order), SENTENCES):
        tile = order[first : first + SENTENCES]
        for sentence in tile:
            scales[sentence] = 1.0
            alphas[sentence, lengths[sentence] :] = 0
        for step in range(lengths[tile[0]]):
            if step:
                totals[:] = 0
                add_products(totals, values, rows)
            for place in range(len(tile)):
                sentence = tile[place]
                if step >= lengths[sentence]:
                    break
                before = totals[place, :tags] if step else start
                emission, needed, value = emissions[sentence, step], reachable[step], values[place]
                total, lost = value[0] * 0, 0
                for tag in range(tags):
                    value[tag] = before[tag] * emission[tag]
                    total += value[tag]
                    lost += needed[tag] and not value[tag] >= least  # so that what is not a number counts
                if lost or not least <= total < np.inf:
                    return False
                scales[sentence, step] = total
                alpha, factor = alphas[sentence, step], 1 / total
                for tag in range(tags):
                    value[tag] *= factor
                    alpha[tag] = value[tag]
        for sentence in tile:
            if lengths[sentence]:
                total, alpha = 0.0, alphas[sentence, lengths[sentence] - 1]
                for tag in range(tags):
                    total += alpha[tag] * end[tag]
                scales[sentence, steps] = total
                if not total >= least:
                    return False
    return True


@compiled_sums
def scaled_backward(emissions, columns, end, lengths, order, alphas, scales, marginals, onward):  # type: ignore[no-untyped-def]
    """Run the backward recursion on the scales of the forward one.

    Fills `marginals [B, T, K]` and `onward [B, T, K]`, with which the probability of tag i at step t - 1 and tag j
    at step t is `alphas[t - 1, i] * transitions[i, j] * onward[t, j]`; both are zero past the lengths. As alphas and
    transitions are at most 1, what underflows here is a probability that rounds to zero; and as alphas are at least
    `least`, nothing overflows. `columns` are the rows of the transposed matrix.
    """
    steps, tags = emissions.shape[1:]
    values = np.zeros((SENTENCES, tags), columns.dtype)
    totals = np.zeros((SENTENCES, columns.shape[1]), columns.dtype)
    for first in range(0, len(order), SENTENCES):
        tile = order[first : first + SENTENCES]
        for sentence in tile:
            marginals[sentence, lengths[sentence] :] = 0
            onward[sentence, lengths[sentence] :] = 0
        for step in range(lengths[tile[0]] - 1, -1, -1):
            totals[:] = 0
            if step < lengths[tile[0]] - 1:
                add_products(totals, values, columns)
            for place in range(len(tile)):
                sentence = tile[place]
                if step >= lengths[sentence]:
                    break
                beta = totals[place]
                if step == lengths[sentence] - 1:
                    factor = 1 / scales[sentence, steps]
                    for tag in range(tags):
                        beta[tag] = end[tag] * factor
                _take_back(
                    emissions[sentence, step],
                    alphas[sentence, step],
                    beta,
                    1 / scales[sentence, step],  # float64, as its product with beta may need
                    marginals[sentence, step],
                    values[place],
                )
                forth, value = onward[sentence, step], values[place]
                for tag in range(tags):  # as one assignment, it would take seconds to compile
                    forth[tag] = value[tag]


@compiled_sums
def _take_back(emission, alpha, betas, factor, marginal, value):  # type: ignore[no-untyped-def]
    """Fill one step's `marginal [K]` and what the step before it needs, `value [K]`."""
    for tag in range(len(alpha)):
        # A tag that no path reaches has a beta without bound.
        beta = betas[tag] if alpha[tag] > 0.0 else 0.0
        marginal[tag] = alpha[tag] * beta
        value[tag] = emission[tag] * (beta * factor)


@compiled_sums
def expected_moves(alphas, onward, lengths, weights, first, moves):  # type: ignore[no-untyped-def]
    """Add to `moves [n, columns]` the expected moves from `n` tags, the first of which is `first`, before they are
    multiplied by the transitions; `n` is a multiple of `SENTENCES`, and there may be fewer tags.
    """
    tags = alphas.shape[2]
    some = min(len(moves), tags - first)
    before = np.zeros((WORDS, len(moves)), moves.dtype)  # the alphas of some words
    after = np.zeros((WORDS, moves.shape[1]), moves.dtype)  # what comes onward of the words after them
    count = 0
    for sentence in range(len(lengths)):
        for step in range(1, lengths[sentence]):
            alpha, forth = alphas[sentence, step - 1], onward[sentence, step]
            for tag in range(some):
                before[count, tag] = alpha[first + tag] * weights[sentence]
            for tag in range(tags):
                after[count, tag] = forth[tag]
            count += 1
            if count == WORDS:
                _add_moves(moves, before, after)
                count = 0
    before[count:] = 0
    _add_moves(moves, before, after)


@compiled_sums
def _add_moves(moves, before, after):  # type: ignore[no-untyped-def]
    for line in range(0, len(moves), SENTENCES):
        add_products(moves[line : line + SENTENCES], before[:, line : line + SENTENCES].T, after)


@compiled_sums
def _best_prefixes(emissions, rows, start, lengths, tile, prefixes):  # type: ignore[no-untyped-def]
    """Fill `prefixes [SENTENCES, T, K]`: the best score of the words before a step and of the move to each tag,
    without the step's own emission, of the sentences whose numbers `tile` has.
    """
    tags = len(start)
    values, totals = np.zeros((SENTENCES, tags)), np.zeros((SENTENCES, rows.shape[1]))
    for step in range(lengths[tile[0]]):
        if step:
            totals[:] = -np.inf
            raise_to_best(totals, values, rows)
        for place in range(len(tile)):
            if step >= lengths[tile[place]]:
                break
            before = totals[place, :tags] if step else start
            emission, prefix, value = emissions[tile[place], step], prefixes[place, step], values[place]
            for tag in range(tags):
                prefix[tag] = before[tag]
                value[tag] = before[tag] + emission[tag]


@compiled_sums
def best_paths(emissions, rows, columns, start, end, lengths, order, paths, scores):  # type: ignore[no-untyped-def]
    """Fill `paths [B, T]` and `scores [B]` (Viterbi 1967); among equal predecessors the lowest is taken.

    Only scores are kept on the way: on the way back one maximum a step finds the predecessor again.
    """
    steps, tags = emissions.shape[1:]
    prefixes = np.empty((SENTENCES, steps, tags))
    for first in range(0, len(order), SENTENCES):
        tile = order[first : first + SENTENCES]
        _best_prefixes(emissions, rows, start, lengths, tile, prefixes)
        for place in range(len(tile)):
            sentence = tile[place]
            onward = end
            for step in range(lengths[sentence] - 1, -1, -1):
                prefix, emission = prefixes[place, step], emissions[sentence, step]
                found, most = 0, -np.inf
                for tag in range(tags):
                    value = prefix[tag] + emission[tag] + onward[tag]
                    if value > most:
                        found, most = tag, value
                paths[sentence, step] = found
                onward = columns[found, :tags]
                if step == lengths[sentence] - 1:
                    scores[sentence] = most


@compiled_sums
def k_best_paths(emissions, rows, start, end, count):  # type: ignore[no-untyped-def]
    """Return the best `count` paths `[n, T]` of one sentence `emissions [T, K]`, T > 0, and their scores `[n]`.

    Suffixes grow from the end, best first; what may come before each is known exactly from Viterbi's recursion
    (Soong and Huang 1991), so that only suffixes of the best paths are taken up.
    """
    steps, tags = emissions.shape
    tile = np.empty((SENTENCES, steps, tags))
    _best_prefixes(emissions.reshape(1, steps, tags), rows, start, np.array([steps]), np.array([0]), tile)
    prefixes = tile[0]
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
            value = prefixes[step - 1, before] + emissions[step - 1, before] + rows[before, tag]
            if value > -np.inf:
                tag_of.append(before)
                next_of.append(suffix)
                heapq.heappush(heap, (cost + (prefixes[step, tag] - value), step - 1, len(tag_of) - 1))
    return paths[:found], scores[:found]
