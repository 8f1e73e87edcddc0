"""Prefix beam search of CTC (Graves 2008, section 5.3; Hannun et al. 2014, algorithm 1), compiled.

A prefix has two probabilities, one of its paths that end in a blank and one of its paths that end in its last token:
only the former can emit that token once more. Each sums all paths of the prefix.

Probabilities are float64 and not logarithms, which saves an exp and a log for every addition. Whenever the largest has
become small, all are divided by it, and its logarithm is added to a sum. The results differ from those in log space in
the last bits only, except at the lower end: a prefix that is less likely than the best of its step by a factor of
1e-200 (460 nats) becomes impossible. A beam threshold of some 20 nats has dropped it long before.
"""

import numpy as np

from asr.acoustic.ctc import BLANK
from asr.decoding.extensions import choose_tokens, extend, measure_reach
from asr.decoding.language_score import advance, finish, lent_score, new_cache
from asr.decoding.prefixes import ROOT, child_of, grown, plant
from sluice_core.jit import compiled, compiled_part

TINY, SMALL, LARGE = 1e-280, 1e-80, 1e80
"""Prefixes below the first are dropped; where the largest probability is outside the other two, it divides all."""


@compiled
def search(probabilities, drop, least, fusion, workspace):  # type: ignore[no-untyped-def]
    """Decode one utterance.

    Args:
        probabilities: `[time, tokens]` float64, without NaN.
        drop: prefixes less likely than the best by this factor are dropped.
        least: tokens below this probability do not extend a prefix, but the likeliest always does.
        fusion: language model, lexicon and hot words.
        workspace: memory made for this fusion, the number of tokens, and the number of prefixes to keep.

    Returns:
        The trie of prefixes, which is the workspace's or a larger one; the nodes of the prefixes left; for each its
        acoustic score, its language score, and whether a text may end here.
    """
    tree, beam, after, cache, scratch = workspace
    width = len(beam)
    plant(tree, fusion)
    scratch.marks[:] = -1
    one = np.int64(1)  # literals would have each function compiled once more, for them
    kept, used, count, scale = one, one, one, 0.0
    beam[0].node, beam[0].blank, beam[0].label = ROOT, 1.0, 0.0
    for step in range(len(probabilities)):
        if used + width > len(tree):
            tree = grown(tree)
        count += width
        row = probabilities[step]
        kept, used, most = take_step(
            row, least, drop, kept, used, count, beam, after, tree, fusion, cache, scratch
        )
        if most != 1.0:
            scale += np.log(most) if most > 0.0 else -np.inf
        beam, after = after, beam
        if most == 0.0:
            break
    nodes, acoustic, language, possible = scores_of(kept, scale, beam, tree, fusion, cache)
    return tree, nodes, acoustic, language, possible


@compiled_part
def take_step(row, least, drop, kept, used, count, beam, after, tree, fusion, cache, scratch):  # type: ignore[no-untyped-def]
    """Take one step and put the next beam in `after`.

    Returns:
        The number of prefixes kept, the number of nodes used, and the divisor of the probabilities. The divisor is 0
        where nothing is possible; the empty prefix alone is left then.
    """
    lowest, highest = stay(row, kept, beam, after, tree, scratch.ranks)
    # A lower bound on what candidates must exceed, before they are known.
    floor = max(lowest if kept == len(after) else 0.0, highest * drop)
    growing, ending = measure_reach(kept, beam, tree, fusion, scratch)
    inside, stop = choose_tokens(row, least, floor, growing, ending, fusion, scratch)
    found = extend(kept, inside, stop, floor, beam, tree, fusion, cache, scratch, count)
    for place in range(found):
        highest = max(highest, scratch.candidates[place].score)
    limit = max(highest * drop, TINY)
    kept, used, most = select(kept, found, limit, beam, after, tree, used, fusion, cache, scratch)
    if most == 0.0:
        after[0].node, after[0].blank, after[0].label = ROOT, 1.0, 0.0
        return 1, used, 0.0
    if SMALL < most < LARGE:
        return kept, used, 1.0
    for slot in range(kept):
        after[slot].blank /= most
        after[slot].label /= most
    return kept, used, most


@compiled_part
def stay(row, kept, beam, after, tree, ranks):  # type: ignore[no-untyped-def]
    """Put the probabilities of the beam's own prefixes after a step in `after` by slot; return the lowest and highest.

    A prefix stays by a blank, by its last token again, and as an extension of the prefix that is one token shorter,
    where that one is in the beam too.
    """
    for slot in range(kept):
        tree[beam[slot].node].slot = slot
        beam[slot].child = -1
    lowest, highest = np.inf, 0.0
    for slot in range(kept):
        entry, node, new = beam[slot], tree[beam[slot].node], after[slot]
        new.node, new.label = entry.node, 0.0
        new.blank = (entry.blank + entry.label) * row[BLANK]
        if entry.node != ROOT:
            before, source = entry.label, tree[node.parent].slot
            if source >= 0:
                passed = beam[source].blank
                if tree[node.parent].token != node.token:
                    passed += beam[source].label
                before += passed * node.factor
                entry.sibling = beam[source].child
                beam[source].child = slot
            new.label = before * row[node.token]
        ranks[slot] = new.blank + new.label
        lowest, highest = min(lowest, ranks[slot]), max(highest, ranks[slot])
    return lowest, highest


@compiled_part
def select(kept, found, limit, beam, after, tree, used, fusion, cache, scratch):  # type: ignore[no-untyped-def]
    """Put the best prefixes in `after`; return their number, the number of nodes used, and the largest probability."""
    limit, ties = lowest_kept(kept + found, len(after), limit, scratch.ranks)
    for slot in range(kept):
        tree[beam[slot].node].slot = -1
    size, most = 0, 0.0
    for slot in range(kept):
        total = after[slot].blank + after[slot].label
        if total > limit or (total == limit and ties > 0):
            ties -= total == limit
            new, old = after[size], after[slot]
            new.node, new.blank, new.label = old.node, old.blank, old.label
            size += 1
            most = max(most, total)
    for place in range(found):
        candidate = scratch.candidates[place]
        if candidate.score > limit or (candidate.score == limit and ties > 0):
            ties -= candidate.score == limit
            source, token, new = beam[candidate.slot], candidate.token, after[size]
            new.node, used = child_of(source.node, token, tree, used, fusion, cache)
            before = source.blank + (source.label if tree[source.node].token != token else 0.0)
            new.blank, new.label = 0.0, before * scratch.emitted[token] * tree[new.node].factor
            most = max(most, new.label)
            size += 1
    return size, used, most


@compiled_part
def lowest_kept(size, room, limit, ranks):  # type: ignore[no-untyped-def]
    """Return the lowest probability that is kept of `ranks[:size]`, at least `limit`, and how many equal to it are."""
    if size <= room:
        return limit, size
    lowest = kth_largest(ranks, size, room - 1)
    if lowest < limit:
        return limit, size
    above = 0
    for place in range(room):  # those in front are not below it
        above += ranks[place] > lowest
    return lowest, room - above


@compiled_part
def kth_largest(numbers, size, k):  # type: ignore[no-untyped-def]
    """Return the k-th largest (from 0) of `numbers[:size]`, which are reordered (Hoare 1961)."""
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


@compiled
def scores_of(kept, scale, beam, tree, fusion, cache):  # type: ignore[no-untyped-def]
    """Return nodes, acoustic scores and language scores of the prefixes left, and whether a text may end at each."""
    nodes = np.empty(kept, np.int32)
    acoustic, language, possible = np.empty(kept), np.empty(kept), np.empty(kept, np.bool_)
    for slot in range(kept):
        nodes[slot] = beam[slot].node
        node, total = tree[beam[slot].node], beam[slot].blank + beam[slot].label
        lent = node.language + lent_score(fusion, node.hot, node.ahead)
        acoustic[slot] = (np.log(total) if total > 0.0 else -np.inf) + scale - lent
        possible[slot], language[slot] = finish(
            fusion, cache, node.context, node.place, node.hot, node.language
        )
    return nodes, acoustic, language, possible


@compiled
def forward_score(log_probs, tokens):  # type: ignore[no-untyped-def]
    """Return the log-probability of a labelling `[n]` on `log_probs [time, tokens]`, summed over all its paths.

    This is the forward recursion of Graves et al. 2006, section 4.1, in log space; even states are blanks.
    """
    states = 2 * len(tokens) + 1
    forward = np.full(states, -np.inf)
    if len(log_probs) == 0:
        return 0.0 if states == 1 else -np.inf
    forward[0] = log_probs[0, BLANK]
    if states > 1:
        forward[1] = log_probs[0, tokens[0]]
    for step in range(1, len(log_probs)):
        # Downward: the update is in place, and reads lower states of the step before.
        for state in range(states - 1, -1, -1):
            total = forward[state]
            if state > 0:
                total = np.logaddexp(total, forward[state - 1])
            if state % 2 and state > 1 and tokens[state // 2] != tokens[state // 2 - 1]:
                total = np.logaddexp(total, forward[state - 2])
            forward[state] = total + log_probs[step, tokens[state // 2] if state % 2 else BLANK]
    return np.logaddexp(forward[states - 1], forward[states - 2]) if states > 1 else forward[0]


@compiled
def language_score(tokens, fusion):  # type: ignore[no-untyped-def]
    """Return the language score of a labelling `[n]` at which a text may end."""
    cache = new_cache(fusion)
    context, place, hot, ahead, score = fusion.model.start, 0, fusion.hot.start, 1.0, 0.0
    for token in tokens:
        _, context, place, hot, ahead, added = advance(fusion, cache, context, place, hot, ahead, token)
        score += added
    return finish(fusion, cache, context, place, hot, score)[1]
