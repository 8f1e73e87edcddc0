"""Prefix beam search of CTC (Graves 2008, section 5.3; Hannun et al. 2014, algorithm 1), compiled.

A prefix's probability is kept apart for paths that end in a blank and paths that end in its last token: only the
former can emit that token once more. All paths of a prefix are summed, however they come.

Probabilities are float64 and not logarithms: each step divides them by the largest and adds its logarithm to a sum.
Logarithms of them are what log space would have, to the last bits, without an exp and a log for every addition.
The difference is at the lower end: a prefix less likely than the best of its step by a factor of 1e-300 (690 nats)
becomes impossible. With a beam threshold, which is some 20 nats, it has been dropped long before.

Prefixes are nodes of a trie, in two growing tables: `links` (integers) and `values` (numbers).
"""

from typing import NamedTuple

import numpy as np

from asr.compiling import compiled, compiled_part
from asr.ctc import BLANK
from asr.decoding.language import advance, finish, largest_factors, new_cache, settle

# Columns of links. CHILD is the youngest child, SIBLING the next older one of the same parent; SLOT is the place in
# the beam; CONTEXT, PLACE and HOT are the language state (asr/decoding/language.py). -1 stands for none.
PARENT, TOKEN, CHILD, SIBLING, SLOT, CONTEXT, PLACE, HOT = range(8)
# Columns of values. LANGUAGE is the language score so far, without what is only lent; LENT_TOO with it, as it is in the
# prefix's probability; FACTOR is what the last token changed that by, as a factor; AHEAD is the look-ahead in it.
LANGUAGE, LENT_TOO, FACTOR, AHEAD = range(4)

ROOT = 0
FIRST_NODES = 4096
"""Rows of the tables at first."""
TINY = 1e-300
"""What is less likely than the best of its step by this factor is dropped."""


class Beam(NamedTuple):
    """The prefixes of a step, as many as are kept; arrays of the beam's size."""

    nodes: np.ndarray
    blank: np.ndarray
    """float64: probability of the paths that end in a blank."""
    label: np.ndarray
    """float64: of those that end in the prefix's last token."""


class Candidates(NamedTuple):
    """Prefixes longer by a token that may enter the beam."""

    scores: np.ndarray
    slots: np.ndarray
    """The beam's slot of the prefix that grows."""
    tokens: np.ndarray


class Scratch(NamedTuple):
    """Arrays that are used anew in each step."""

    probabilities: np.ndarray
    """float64 `[tokens]`; -1 where not computed yet."""
    order: np.ndarray
    """The tokens that may extend prefixes: those that grow a word, then those that begin with a space."""
    marks: np.ndarray
    """int64 `[tokens]`: the last prefix (by a count) whose extension by it is in the beam itself."""
    child: np.ndarray
    """`[beam]`: the first of the beam's prefixes that are one token longer than this one."""
    sibling: np.ndarray
    """`[beam]`: the next of those with the same parent."""
    ranks: np.ndarray
    """float64: what `kth_largest` puts in order."""


@compiled_part
def new_beam(size):  # type: ignore[no-untyped-def]
    """An empty beam."""
    return Beam(np.zeros(size, np.int32), np.zeros(size), np.zeros(size))


@compiled_part
def new_tables(fusion, rows):  # type: ignore[no-untyped-def]
    """The trie of prefixes with the empty one in it."""
    links, values = np.empty((rows, 8), np.int32), np.empty((rows, 4), np.float64)
    links[ROOT] = -1
    links[ROOT, CONTEXT], links[ROOT, PLACE], links[ROOT, HOT] = fusion.model.start, 0, fusion.hot.start
    values[ROOT, LANGUAGE] = values[ROOT, LENT_TOO] = 0.0
    values[ROOT, FACTOR] = values[ROOT, AHEAD] = 1.0
    return links, values


@compiled_part
def grown(table):  # type: ignore[no-untyped-def]
    """The table with room for as many rows again."""
    larger = np.empty((2 * table.shape[0], table.shape[1]), table.dtype)
    larger[: table.shape[0]] = table
    return larger


@compiled_part
def sort_tokens(order, start, stop, probabilities):  # type: ignore[no-untyped-def]
    """Sort `order[start:stop]` by falling probability (Shell 1959)."""
    gap = 1
    while gap < (stop - start) // 3:
        gap = 3 * gap + 1
    while gap > 0:
        for place in range(start + gap, stop):
            token, hole = order[place], place
            while hole >= start + gap and probabilities[order[hole - gap]] < probabilities[token]:
                order[hole] = order[hole - gap]
                hole -= gap
            order[hole] = token
        gap //= 3


@compiled_part
def choose_tokens(row, least, fusion, scratch):  # type: ignore[no-untyped-def]
    """Choose the tokens that may extend prefixes at a step, likeliest first.

    Args:
        row: `[tokens]` log-probabilities of the step.
        least: tokens below this do not extend a prefix; the likeliest always does.
        fusion: tells tokens that grow a word from those that begin with a space.
        scratch: `probabilities` and `order` are filled.

    Returns:
        How many of `order` grow a word, and how many there are in all.
    """
    likeliest = np.argmax(row)
    first = np.int64(0)
    inside, spaces = first, len(row)
    for token in range(len(row)):
        if row[token] >= least or token == likeliest:
            scratch.probabilities[token] = np.exp(np.float64(row[token]))
            if token == BLANK:
                continue
            start = fusion.first[token]
            if fusion.tracks_words and fusion.characters[start] == 0:
                spaces -= 1
                scratch.order[spaces] = token
            else:
                scratch.order[inside] = token
                inside += 1
        else:
            scratch.probabilities[token] = -1.0
    stop = inside
    for place in range(spaces, len(row)):
        scratch.order[stop] = scratch.order[place]
        stop += 1
    sort_tokens(scratch.order, first, inside, scratch.probabilities)
    sort_tokens(scratch.order, inside, stop, scratch.probabilities)
    return inside, stop


@compiled_part
def probability(row, token, scratch):  # type: ignore[no-untyped-def]
    """A token's probability at this step, computed when first asked for."""
    if scratch.probabilities[token] < 0.0:
        scratch.probabilities[token] = np.exp(np.float64(row[token]))
    return scratch.probabilities[token]


@compiled_part
def stay(row, kept, beam, after, links, values, scratch):  # type: ignore[no-untyped-def]
    """Probabilities of the beam's own prefixes after a step, put in `after` by slot.

    A prefix stays by a blank, by its last token again, and as an extension of the prefix one token shorter where
    that is in the beam too.
    """
    for slot in range(kept):
        links[beam.nodes[slot], SLOT] = slot
        scratch.child[slot] = -1
    blank = probability(row, BLANK, scratch)
    for slot in range(kept):
        node = beam.nodes[slot]
        after.nodes[slot] = node
        after.blank[slot] = (beam.blank[slot] + beam.label[slot]) * blank
        after.label[slot] = 0.0
        if node == ROOT:
            continue
        token, parent = links[node, TOKEN], links[node, PARENT]
        emitted = probability(row, token, scratch)
        after.label[slot] = beam.label[slot] * emitted
        source = links[parent, SLOT]
        if source >= 0:
            before = beam.blank[source]
            if links[parent, TOKEN] != token:
                before += beam.label[source]
            after.label[slot] += before * emitted * values[node, FACTOR]
            scratch.sibling[slot] = scratch.child[source]
            scratch.child[source] = slot


@compiled_part
def lowest_entry(kept, after, drop):  # type: ignore[no-untyped-def]
    """A probability that candidates must exceed to enter the beam, as far as can be said before they are known."""
    least, most = np.inf, 0.0
    for slot in range(kept):
        total = after.blank[slot] + after.label[slot]
        least, most = min(least, total), max(most, total)
    return max(least if kept == len(after.nodes) else 0.0, most * drop)


@compiled_part
def extend(kept, inside, stop, floor, beam, links, values, fusion, cache, scratch, candidates, count):  # type: ignore[no-untyped-def]
    """Extend every prefix by every chosen token, but where the longer prefix is in the beam; how many may enter it.

    Tokens come likeliest first, so that once one is too unlikely, whatever the language says, so are all after it.
    The n-gram is only asked about those that are not.
    """
    plain = not (fusion.tracks_words or fusion.scores_characters or fusion.has_hot_words)
    found = 0
    for slot in range(kept):
        node = beam.nodes[slot]
        last, total = links[node, TOKEN], beam.blank[slot] + beam.label[slot]
        context, place, hot = links[node, CONTEXT], links[node, PLACE], links[node, HOT]
        ahead = values[node, AHEAD]
        growing, ending = (1.0, 1.0) if plain else largest_factors(fusion, place, hot, ahead)
        marked = False
        for part in range(2):
            start, end, most = (0, inside, growing * total) if part == 0 else (inside, stop, ending * total)
            for rank in range(start, end):
                token = scratch.order[rank]
                emitted = scratch.probabilities[token]
                if most * emitted <= floor:
                    break
                if not marked:
                    marked = True
                    longer = scratch.child[slot]
                    while longer >= 0:
                        scratch.marks[links[beam.nodes[longer], TOKEN]] = count + slot
                        longer = scratch.sibling[longer]
                if scratch.marks[token] == count + slot:
                    continue
                score = (beam.blank[slot] if token == last else total) * emitted
                if not plain and score > 0.0:
                    score *= advance(fusion, cache, context, place, hot, ahead, token)[0]
                if score > floor:
                    candidates.scores[found] = score
                    candidates.slots[found] = slot
                    candidates.tokens[found] = token
                    found += 1
    return found


@compiled_part
def kth_largest(numbers, size, k):  # type: ignore[no-untyped-def]
    """The k-th largest (from 0) of `numbers[:size]`, which are put in another order (Hoare 1961)."""
    low, high = 0, size - 1
    while low < high:
        pivot = numbers[(low + high) >> 1]
        left, right = low, high
        while left <= right:
            while numbers[left] > pivot:
                left += 1
            while numbers[right] < pivot:
                right -= 1
            if left <= right:
                numbers[left], numbers[right] = numbers[right], numbers[left]
                left += 1
                right -= 1
        if k <= right:
            high = right
        elif k >= left:
            low = left
        else:
            break
    return numbers[k]


@compiled_part
def entry(kept, found, after, candidates, drop, ranks):  # type: ignore[no-untyped-def]
    """What it takes to be kept: at least this probability, and how many of just that may be."""
    size, most = 0, 0.0
    for slot in range(kept):
        ranks[size] = after.blank[slot] + after.label[slot]
        most = max(most, ranks[size])
        size += 1
    for place in range(found):
        ranks[size] = candidates.scores[place]
        most = max(most, ranks[size])
        size += 1
    limit, room = max(most * drop, TINY), len(after.nodes)
    if size > room:
        limit = max(limit, kth_largest(ranks, size, room - 1))
    above = 0
    for place in range(size):
        above += ranks[place] > limit
    return limit, room - above


@compiled_part
def child_of(node, token, links, values, used, fusion, cache):  # type: ignore[no-untyped-def]
    """The prefix one token longer, made if it has never been there; and how many nodes are used then."""
    child = links[node, CHILD]
    while child >= 0 and links[child, TOKEN] != token:
        child = links[child, SIBLING]
    if child >= 0:
        return child, used
    child, ahead_before = used, values[node, AHEAD]
    factor, context, place, hot, ahead, score = advance(
        fusion, cache, links[node, CONTEXT], links[node, PLACE], links[node, HOT], ahead_before, token
    )
    settled = settle(fusion, cache, context, links[node, PLACE], place, ahead)
    factor *= settled / ahead
    links[child, PARENT], links[child, TOKEN] = node, token
    links[child, CHILD], links[child, SIBLING], links[child, SLOT] = -1, links[node, CHILD], -1
    links[child, CONTEXT], links[child, PLACE], links[child, HOT] = context, place, hot
    links[node, CHILD] = child
    values[child, LANGUAGE] = values[node, LANGUAGE] + score
    values[child, LENT_TOO] = values[node, LENT_TOO] + (np.log(factor) if factor != 1.0 else 0.0)
    values[child, FACTOR], values[child, AHEAD] = factor, settled
    return child, used + 1


@compiled_part
def select(row, kept, found, drop, beam, after, links, values, used, fusion, cache, scratch, candidates):  # type: ignore[no-untyped-def]
    """Keep the best prefixes: the next beam, in `after`; how many they are, nodes used, and the largest probability."""
    limit, ties = entry(kept, found, after, candidates, drop, scratch.ranks)
    for slot in range(kept):
        links[beam.nodes[slot], SLOT] = -1
    size, most = 0, 0.0
    for slot in range(kept):
        total = after.blank[slot] + after.label[slot]
        if total > limit or (total == limit and ties > 0):
            ties -= total == limit
            after.nodes[size], after.blank[size], after.label[size] = (
                after.nodes[slot],
                after.blank[slot],
                after.label[slot],
            )
            size += 1
            most = max(most, total)
    for place in range(found):
        total = candidates.scores[place]
        if total > limit or (total == limit and ties > 0):
            ties -= total == limit
            slot, token = candidates.slots[place], candidates.tokens[place]
            node = beam.nodes[slot]
            child, used = child_of(node, token, links, values, used, fusion, cache)
            before = beam.blank[slot] + (beam.label[slot] if links[node, TOKEN] != token else 0.0)
            after.nodes[size], after.blank[size] = child, 0.0
            after.label[size] = before * scratch.probabilities[token] * values[child, FACTOR]
            most = max(most, after.label[size])
            size += 1
    return size, used, most


@compiled
def search(log_probs, width, beam_threshold, token_threshold, fusion):  # type: ignore[no-untyped-def]
    """Decode one utterance.

    Args:
        log_probs: `[steps, tokens]` float32 natural logs; no NaN.
        width: prefixes kept after each step.
        beam_threshold: prefixes this far (natural log) behind the best are dropped.
        token_threshold: natural log; tokens below do not extend a prefix, but the likeliest always does.
        fusion: what is known of language.

    Returns:
        The trie's links; nodes of the prefixes that are left; of each the acoustic score, the language score and
        whether it may end here.
    """
    size = log_probs.shape[1]
    cache = new_cache(fusion)
    links, values = new_tables(fusion, FIRST_NODES + width)
    beam, after = new_beam(width), new_beam(width)
    most_found = width * (size - 1)
    candidates = Candidates(
        np.empty(most_found), np.empty(most_found, np.int32), np.empty(most_found, np.int32)
    )
    scratch = Scratch(
        np.empty(size),
        np.empty(size, np.int32),
        np.full(size, -1, np.int64),
        np.empty(width, np.int32),
        np.empty(width, np.int32),
        np.empty(width + most_found),
    )
    one = np.int64(1)  # literals would have each function compiled once more, for them
    kept, used, count, scale, drop = one, one, one, 0.0, np.exp(-beam_threshold)
    beam.nodes[0], beam.blank[0] = ROOT, 1.0
    for step in range(len(log_probs)):
        row = log_probs[step]
        inside, stop = choose_tokens(row, token_threshold, fusion, scratch)
        stay(row, kept, beam, after, links, values, scratch)
        floor = lowest_entry(kept, after, drop)
        found = extend(
            kept, inside, stop, floor, beam, links, values, fusion, cache, scratch, candidates, count
        )
        count += kept
        while used + found > len(links):
            links, values = grown(links), grown(values)
        kept, used, most = select(
            row, kept, found, drop, beam, after, links, values, used, fusion, cache, scratch, candidates
        )
        beam, after = after, beam
        if most == 0.0:  # nothing is possible at this step
            scale, kept, beam.nodes[0], beam.blank[0], beam.label[0] = -np.inf, one, ROOT, 1.0, 0.0
            break
        scale += np.log(most)
        for slot in range(kept):
            beam.blank[slot] /= most
            beam.label[slot] /= most
    nodes, acoustic, language, possible = scores_of(kept, scale, beam, links, values, fusion, cache)
    return links, nodes, acoustic, language, possible


@compiled_part
def scores_of(kept, scale, beam, links, values, fusion, cache):  # type: ignore[no-untyped-def]
    """Acoustic and language scores of the prefixes that are left, and whether each may end here."""
    acoustic, language, possible = np.empty(kept), np.empty(kept), np.empty(kept, np.bool_)
    for slot in range(kept):
        node = beam.nodes[slot]
        total = beam.blank[slot] + beam.label[slot]
        acoustic[slot] = (np.log(total) if total > 0.0 else -np.inf) + scale - values[node, LENT_TOO]
        possible[slot], language[slot] = finish(
            fusion, cache, links[node, CONTEXT], links[node, PLACE], links[node, HOT], values[node, LANGUAGE]
        )
    return beam.nodes[:kept], acoustic, language, possible


@compiled
def labelling(links, node):  # type: ignore[no-untyped-def]
    """The tokens of a prefix, in order."""
    length, above = 0, node
    while above != ROOT:
        length, above = length + 1, links[above, PARENT]
    tokens = np.empty(length, np.int64)
    while node != ROOT:
        length -= 1
        tokens[length], node = links[node, TOKEN], links[node, PARENT]
    return tokens


@compiled
def complete_part(links, node, fusion):  # type: ignore[no-untyped-def]
    """The longest prefix of a prefix that may end a text: after a space, or a whole word."""
    cache = new_cache(fusion)
    while not finish(fusion, cache, links[node, CONTEXT], links[node, PLACE], links[node, HOT], 0.0)[0]:
        node = links[node, PARENT]
    return node


@compiled
def forward_score(log_probs, tokens):  # type: ignore[no-untyped-def]
    """Log-probability of a labelling `[n]` on `log_probs [steps, tokens]`, over all its paths.

    The forward recursion of Graves et al. 2006, section 4.1, in log space; even states are blanks.
    """
    states = 2 * len(tokens) + 1
    forward = np.full(states, -np.inf)
    if len(log_probs) == 0:
        return 0.0 if states == 1 else -np.inf
    forward[0] = log_probs[0, BLANK]
    if states > 1:
        forward[1] = log_probs[0, tokens[0]]
    for step in range(1, len(log_probs)):
        for state in range(
            states - 1, -1, -1
        ):  # downward, for in place the lower must still be of the step before
            total = forward[state]
            if state > 0:
                total = np.logaddexp(total, forward[state - 1])
            if state % 2 and state > 1 and tokens[state // 2] != tokens[state // 2 - 1]:
                total = np.logaddexp(total, forward[state - 2])
            forward[state] = total + log_probs[step, tokens[state // 2] if state % 2 else BLANK]
    return np.logaddexp(forward[states - 1], forward[states - 2]) if states > 1 else forward[0]


@compiled
def language_score(tokens, fusion):  # type: ignore[no-untyped-def]
    """What language adds to a labelling `[n]` that may end a text."""
    cache = new_cache(fusion)
    context, place, hot, ahead, score = fusion.model.start, 0, fusion.hot.start, 1.0, 0.0
    for token in tokens:
        _, context, place, hot, ahead, added = advance(fusion, cache, context, place, hot, ahead, token)
        score += added
    return finish(fusion, cache, context, place, hot, score)[1]
