"""Prefix beam search of CTC (Graves 2008, section 5.3; Hannun et al. 2014, algorithm 1), compiled.

A prefix has two probabilities, one of its paths that end in a blank and one of its paths that end in its last token:
only the former can emit that token once more. Each sums all paths of the prefix.

Probabilities are float64 and not logarithms, which saves an exp and a log for every addition. Whenever the largest has
become small, all are divided by it, and its logarithm is added to a sum. The results differ from those in log space in
the last bits only, except at the lower end: a prefix that is less likely than the best of its step by a factor of
1e-200 (460 nats) becomes impossible. A beam threshold of some 20 nats has dropped it long before.

Prefixes are nodes of a trie in one growing table.
"""

from typing import NamedTuple

import numpy as np

from asr.acoustic.ctc import BLANK
from asr.decoding.alphabet import SPACE
from asr.decoding.language_score import (
    OUTSIDE,
    advance,
    find_letter,
    finish,
    largest_factors,
    lent_score,
    new_cache,
    settle,
)
from sluice_core.jit import compiled, compiled_part

NODE = np.dtype(
    [
        ("parent", np.int32),
        ("token", np.int32),
        ("child", np.int32),
        ("sibling", np.int32),
        ("slot", np.int32),
        ("context", np.int32),
        ("place", np.int32),
        ("hot", np.int32),
        ("language", np.float64),
        ("factor", np.float64),
        ("ahead", np.float64),
    ]
)
"""A prefix; -1 stands for none. `child` is its youngest child, `sibling` the next older child of its parent. `slot` is
its place in the beam. `context`, `place`, `hot` and `ahead` are its language state (see `asr.decoding.language_score`).
`language` is its language score so far. `factor` is the factor by which its last token changed its probability, besides
the posteriors; the product over all tokens is e to the sum of language score and loans (`lent_score`)."""

ENTRY = np.dtype(
    [
        ("node", np.int32),
        ("child", np.int32),
        ("sibling", np.int32),
        ("unused", np.int32),
        ("blank", np.float64),
        ("label", np.float64),
    ]
)
"""A prefix in the beam. `blank` and `label` are the probabilities of its paths that end in a blank, and in its last
token. `child` is a slot of the beam whose prefix is one token longer, `sibling` the next such slot with the same
parent."""

REACH = np.dtype(
    [("total", np.float64), ("growing", np.float64), ("ending", np.float64), ("leaving", np.float64)]
)
"""A prefix's probability, and the highest that it can reach by a token with a posterior of 1: one that grows a word,
one that begins with a space, or one that leads out of the trie."""

CANDIDATE = np.dtype([("score", np.float64), ("slot", np.int32), ("token", np.int32)])
"""A prefix that may enter the beam: the prefix at a slot of the beam, and one more token."""

ROOT = 0
FIRST_NODES = 1024
"""The number of rows that the table of prefixes has at first."""
TINY, SMALL, LARGE = 1e-280, 1e-80, 1e80
"""Prefixes below the first are dropped; where the largest probability is outside the other two, it divides all."""


class Scratch(NamedTuple):
    """Arrays that are filled anew in each step."""

    emitted: np.ndarray
    """float64 `[tokens]`: probabilities of the tokens that may extend prefixes; 0 for others."""
    order: np.ndarray
    """The tokens that may extend prefixes: those that grow a word, then those that begin with a space; each likeliest
    first."""
    marks: np.ndarray
    """int64 `[tokens]`: the number of the last prefix that the token need not extend."""
    tried: np.ndarray
    """The tokens to extend a prefix by."""
    factors: np.ndarray
    """float64: the language factor of each token to try; -1 where `advance` must compute it."""
    reach: np.ndarray
    """REACH: one entry for each slot of the beam."""
    candidates: np.ndarray
    """CANDIDATE."""
    ranks: np.ndarray
    """float64: probabilities of the beam's prefixes, then of the candidates; `kth_largest` reorders them."""


class Workspace(NamedTuple):
    """All memory that a search writes to."""

    tree: np.ndarray
    """NODE: the prefixes."""
    beam: np.ndarray
    """ENTRY."""
    after: np.ndarray
    """ENTRY: the beam of the next step."""
    cache: np.ndarray
    """SCORE, see `asr.decoding.language_score`."""
    scratch: Scratch


@compiled
def new_scratch(size, width):  # type: ignore[no-untyped-def]
    """Return arrays for `size` tokens and a beam of `width` prefixes."""
    most = width * (size - 1)
    return Scratch(
        np.empty(size),
        np.empty(size, np.int32),
        np.full(size, -1, np.int64),
        np.empty(size, np.int32),
        np.empty(size),
        np.empty(width, REACH),
        np.empty(most, CANDIDATE),
        np.empty(width + most),
    )


@compiled_part
def plant(tree, fusion):  # type: ignore[no-untyped-def]
    """Start the trie of prefixes with the empty prefix."""
    root = tree[ROOT]
    root.parent = root.token = root.child = root.sibling = root.slot = -1
    root.context, root.place, root.hot = fusion.model.start, 0, fusion.hot.start
    root.language, root.factor, root.ahead = 0.0, 1.0, 1.0


@compiled
def grown(tree):  # type: ignore[no-untyped-def]
    """Return the table with room for twice as many nodes."""
    larger = np.empty(2 * len(tree), NODE)
    for number in range(len(tree)):
        larger[number] = tree[number]
    return larger


@compiled_part
def sort_tokens(order, start, stop, emitted):  # type: ignore[no-untyped-def]
    """Sort `order[start:stop]` by falling probability (Shell 1959)."""
    gap = 1
    while gap < (stop - start) // 3:
        gap = 3 * gap + 1
    while gap > 0:
        for place in range(start + gap, stop):
            token, hole = order[place], place
            while hole >= start + gap and emitted[order[hole - gap]] < emitted[token]:
                order[hole] = order[hole - gap]
                hole -= gap
            order[hole] = token
        gap //= 3


@compiled_part
def measure_reach(kept, beam, tree, fusion, scratch):  # type: ignore[no-untyped-def]
    """Fill `reach`; return its highest `growing` and its highest `ending`."""
    growing, ending = 0.0, 0.0
    for slot in range(kept):
        reach, node = scratch.reach[slot], tree[beam[slot].node]
        total = beam[slot].blank + beam[slot].label
        reach.total = total
        if fusion.plain:
            reach.growing = reach.ending = reach.leaving = total
        else:
            grows, ends, leaves = largest_factors(fusion, node.place, node.hot, 1.0 / node.ahead)
            reach.growing, reach.ending, reach.leaving = total * grows, total * ends, total * leaves
        growing, ending = max(growing, reach.growing), max(ending, reach.ending)
    return growing, ending


@compiled_part
def choose_tokens(row, least, floor, growing, ending, fusion, scratch):  # type: ignore[no-untyped-def]
    """Choose the tokens that may extend prefixes at a step, likeliest first.

    Args:
        row: `[tokens]` probabilities of the step.
        least: the lowest probability of a token that extends a prefix; the likeliest always does.
        floor: tokens that bring no prefix above this probability do not extend one either.
        growing: the highest probability of a prefix with a token of posterior 1 that grows a word.
        ending: the same with a token that begins with a space.
        fusion: tells these two kinds of tokens apart.
        scratch: `emitted` and `order` are filled.

    Returns:
        The number of tokens in `order` that grow a word, and the number of all.
    """
    highest = 0.0
    for token in range(len(row)):
        highest = max(highest, row[token])
    least = min(least, highest)
    inside, spaces = np.int64(0), len(row)
    for token in range(len(row)):
        scratch.emitted[token] = 0.0
        if row[token] < least or token == BLANK:
            continue
        if fusion.tracks_words and fusion.letters[fusion.first[token]].character == SPACE:
            if row[token] * ending > floor:
                spaces -= 1
                scratch.order[spaces] = token
                scratch.emitted[token] = row[token]
        elif row[token] * growing > floor:
            scratch.order[inside] = token
            scratch.emitted[token] = row[token]
            inside += 1
    stop = inside
    for place in range(spaces, len(row)):
        scratch.order[stop] = scratch.order[place]
        stop += 1
    sort_tokens(scratch.order, np.int64(0), inside, scratch.emitted)
    sort_tokens(scratch.order, inside, stop, scratch.emitted)
    return inside, stop


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
def extend(kept, inside, stop, floor, beam, tree, fusion, cache, scratch, count):  # type: ignore[no-untyped-def]
    """Extend every prefix by every token that may bring it into the beam; return the number of candidates.

    Candidates must be likelier than `floor`. The n-gram is asked only about tokens that may reach it.
    """
    found = 0
    likeliest = scratch.emitted[scratch.order[0]] if inside > 0 else 0.0
    space = scratch.emitted[scratch.order[inside]] if stop > inside else 0.0
    for slot in range(kept):
        reach = scratch.reach[slot]
        if max(reach.growing * likeliest, reach.ending * space) <= floor:
            continue
        node, blank, mark = tree[beam[slot].node], beam[slot].blank, count + slot
        mark_longer(beam, slot, tree, scratch, mark)
        size = tokens_to_try(reach, floor, inside, stop, node, fusion, scratch, mark)
        for rank in range(size):
            token = scratch.tried[rank]
            factor = scratch.factors[rank]
            if factor < 0.0:
                factor = advance(fusion, cache, node.context, node.place, node.hot, node.ahead, token)[0]
            score = (blank if token == node.token else reach.total) * scratch.emitted[token] * factor
            if score > floor:
                candidate = scratch.candidates[found]
                candidate.score, candidate.slot, candidate.token = score, slot, token
                scratch.ranks[kept + found] = score
                found += 1
    return found


@compiled_part
def tokens_to_try(reach, floor, inside, stop, node, fusion, scratch, mark):  # type: ignore[no-untyped-def]
    """Put the tokens by which a prefix may exceed `floor` in `tried`; return their number.

    Where letters only grow a word, their factors are known here; elsewhere only an upper bound is.
    """
    if fusion.plain:
        return likely_tokens(0, stop, reach.total, 1.0, floor, scratch, mark, 0)
    known = fusion.single and not (fusion.has_hot_words or fusion.scores_characters)
    if reach.leaving < reach.growing and fusion.single:
        size = letters_to_try(reach, floor, inside, node, fusion, scratch, mark, known)
    else:
        factor = reach.growing / reach.total if known else -1.0
        size = likely_tokens(0, inside, reach.growing, factor, floor, scratch, mark, 0)
    factor = 1.0 if node.place == 0 and known else -1.0
    return likely_tokens(inside, stop, reach.ending, factor, floor, scratch, mark, size)


@compiled_part
def letters_to_try(reach, floor, inside, node, fusion, scratch, mark, known):  # type: ignore[no-untyped-def]
    """Do the same for tokens of one letter that grow a word of the trie, where few letters lead on in the trie."""
    size, settled, inverse = 0, node.place > 0 and fusion.trie[node.place].only >= 0, 1.0 / node.ahead
    leaving = reach.leaving / reach.total
    for rank in range(inside):
        token = scratch.order[rank]
        emitted = scratch.emitted[token]
        if reach.growing * emitted <= floor:
            break
        place = find_letter(fusion.trie, node.place, fusion.letters[fusion.first[token]].character)
        if place == OUTSIDE:
            most, factor = reach.leaving * emitted, leaving
        else:
            factor = 1.0 if settled else fusion.trie[place].ahead * inverse
            most = reach.growing * factor * emitted
        if most > floor and scratch.marks[token] != mark:
            scratch.tried[size] = token
            scratch.factors[size] = factor if known else -1.0
            size += 1
    return size


@compiled_part
def likely_tokens(start, stop, most, factor, floor, scratch, mark, size):  # type: ignore[no-untyped-def]
    """Add the tokens of `order[start:stop]` that are not marked and exceed the floor to `tried`; return its size.

    The likeliest come first, so the loop ends at the first token that is too unlikely.
    """
    for rank in range(start, stop):
        token = scratch.order[rank]
        if most * scratch.emitted[token] <= floor:
            break
        if scratch.marks[token] != mark:
            scratch.tried[size] = token
            scratch.factors[size] = factor
            size += 1
    return size


@compiled_part
def mark_longer(beam, slot, tree, scratch, mark):  # type: ignore[no-untyped-def]
    """Mark the tokens that lead from one prefix of the beam to another."""
    longer = beam[slot].child
    while longer >= 0:
        scratch.marks[tree[beam[longer].node].token] = mark
        longer = beam[longer].sibling


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
def child_of(number, token, tree, used, fusion, cache):  # type: ignore[no-untyped-def]
    """Return the prefix that is one token longer, made if there is none yet, and the number of nodes used."""
    node = tree[number]
    found = node.child
    while found >= 0 and tree[found].token != token:
        found = tree[found].sibling
    if found >= 0:
        return found, used
    child = tree[used]
    factor, context, place, hot, settled, score = 1.0, node.context, node.place, node.hot, 1.0, 0.0
    if not fusion.plain:
        factor, context, place, hot, ahead, score = advance(
            fusion, cache, node.context, node.place, node.hot, node.ahead, token
        )
        settled = settle(fusion, cache, context, place, node.place, ahead)
        factor *= settled / ahead
    child.parent, child.token, child.child, child.sibling, child.slot = number, token, -1, node.child, -1
    child.context, child.place, child.hot, child.ahead = context, place, hot, settled
    child.language, child.factor = node.language + score, factor
    node.child = used
    return used, used + 1


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


@compiled
def new_workspace(fusion, size, width):  # type: ignore[no-untyped-def]
    """Return the memory of searches for `size` tokens and a beam of `width` prefixes.

    One search after another may use it as long as the fusion is the same: allocating it costs a third of a short
    utterance's time, and the cached scores of one utterance serve the next.
    """
    return Workspace(
        np.empty(FIRST_NODES + width, NODE),
        np.empty(width, ENTRY),
        np.empty(width, ENTRY),
        new_cache(fusion),
        new_scratch(size, width),
    )


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
def labelling(tree, node):  # type: ignore[no-untyped-def]
    """Return the tokens of a prefix, in order."""
    length, above = 0, node
    while above != ROOT:
        length, above = length + 1, tree[above].parent
    tokens = np.empty(length, np.int64)
    while node != ROOT:
        length -= 1
        tokens[length], node = tree[node].token, tree[node].parent
    return tokens


@compiled
def complete_part(tree, node, fusion):  # type: ignore[no-untyped-def]
    """Return the longest beginning of a prefix at which a text may end: after a space or a whole word."""
    cache = new_cache(fusion)
    while not finish(fusion, cache, tree[node].context, tree[node].place, tree[node].hot, 0.0)[0]:
        node = tree[node].parent
    return node


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
