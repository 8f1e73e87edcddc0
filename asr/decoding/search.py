"""Prefix beam search of CTC (Graves 2008, section 5.3; Hannun et al. 2014, algorithm 1), compiled.

A prefix's probability is kept apart for paths that end in a blank and paths that end in its last token: only the
former can emit that token once more. All paths of a prefix are summed, however they come.

Probabilities are float64 and not logarithms: each step divides them by the largest and adds its logarithm to a sum.
Logarithms of them are what log space would have, to the last bits, without an exp and a log for every addition.
The difference is at the lower end: a prefix less likely than the best of its step by a factor of 1e-300 (690 nats)
becomes impossible. With a beam threshold, which is some 20 nats, it has been dropped long before.

Prefixes are nodes of a trie in one growing table.
"""

from typing import NamedTuple

import numpy as np

from asr.compiling import compiled, compiled_part
from asr.ctc import BLANK
from asr.decoding.alphabet import SPACE
from asr.decoding.language import advance, finish, largest_factors, new_cache, settle

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
        ("lent", np.float64),
        ("factor", np.float64),
        ("ahead", np.float64),
    ]
)
"""A prefix; -1 stands for none. child: its youngest child; sibling: the next older one of its parent. slot: where in
the beam it is. context, place, hot, ahead: its language state (asr/decoding/language.py). language: its language score
so far; lent: the same with what is only lent to it, as it is in its probability; factor: what the last token changed
that by, as a factor."""

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
"""A prefix in the beam. blank, label: probabilities of its paths that end in a blank, and in its last token. child: a
slot of the beam whose prefix is one token longer; sibling: the next of those with the same parent."""

CANDIDATE = np.dtype([("score", np.float64), ("slot", np.int32), ("token", np.int32)])
"""A prefix that may enter the beam: one of the beam, at a slot, and one more token."""

ROOT = 0
FIRST_NODES = 4096
"""Rows of the tables at first."""
TINY = 1e-300
"""What is less likely than the best of its step by this factor is dropped."""


class Scratch(NamedTuple):
    """Arrays that are used anew in each step."""

    probabilities: np.ndarray
    """float64 `[tokens]`; -1 where not computed yet."""
    order: np.ndarray
    """The tokens that may extend prefixes: those that grow a word, then those that begin with a space."""
    marks: np.ndarray
    """int64 `[tokens]`: the last prefix (by a count) whose extension by it is in the beam itself."""
    letters: np.ndarray
    """int64 `[characters]`: the last prefix (by the same count) whose word may go on by it."""
    candidates: np.ndarray
    """CANDIDATE."""
    ranks: np.ndarray
    """float64: what `kth_largest` puts in order."""


@compiled
def new_scratch(size, width, fusion):  # type: ignore[no-untyped-def]
    """Room for `size` tokens and a beam of `width`."""
    most = width * (size - 1)
    return Scratch(
        np.empty(size),
        np.empty(size, np.int32),
        np.full(size, -1, np.int64),
        np.full(len(fusion.hot.column), -1, np.int64),
        np.empty(most, CANDIDATE),
        np.empty(width + most),
    )


@compiled
def new_tree(fusion, rows):  # type: ignore[no-untyped-def]
    """The trie of prefixes with the empty one in it."""
    tree = np.empty(rows, NODE)
    root = tree[ROOT]
    root.parent = root.token = root.child = root.sibling = root.slot = -1
    root.context, root.place, root.hot = fusion.model.start, 0, fusion.hot.start
    root.language, root.lent, root.factor, root.ahead = 0.0, 0.0, 1.0, 1.0
    return tree


@compiled
def grown(tree):  # type: ignore[no-untyped-def]
    """The table with room for as many nodes again."""
    larger = np.empty(2 * len(tree), NODE)
    for number in range(len(tree)):
        larger[number] = tree[number]
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
            if fusion.tracks_words and fusion.letters[start].character == SPACE:
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
def stay(row, kept, beam, after, tree, scratch):  # type: ignore[no-untyped-def]
    """Probabilities of the beam's own prefixes after a step, put in `after` by slot.

    A prefix stays by a blank, by its last token again, and as an extension of the prefix one token shorter where
    that is in the beam too.
    """
    for slot in range(kept):
        tree[beam[slot].node].slot = slot
        beam[slot].child = -1
    blank = probability(row, BLANK, scratch)
    for slot in range(kept):
        entry, node, new = beam[slot], tree[beam[slot].node], after[slot]
        new.node, new.label = entry.node, 0.0
        new.blank = (entry.blank + entry.label) * blank
        if entry.node == ROOT:
            continue
        emitted = probability(row, node.token, scratch)
        new.label = entry.label * emitted
        source = tree[node.parent].slot
        if source >= 0:
            before = beam[source].blank
            if tree[node.parent].token != node.token:
                before += beam[source].label
            new.label += before * emitted * node.factor
            entry.sibling = beam[source].child
            beam[source].child = slot


@compiled_part
def lowest_entry(kept, after, drop):  # type: ignore[no-untyped-def]
    """A probability that candidates must exceed to enter the beam, as far as can be said before they are known."""
    least, most = np.inf, 0.0
    for slot in range(kept):
        total = after[slot].blank + after[slot].label
        least, most = min(least, total), max(most, total)
    return max(least if kept == len(after) else 0.0, most * drop)


@compiled_part
def extend(kept, inside, stop, floor, beam, tree, fusion, cache, scratch, count):  # type: ignore[no-untyped-def]
    """Extend every prefix by every chosen token, but where the longer prefix is in the beam; how many may enter it.

    Tokens come likeliest first, so that once one is too unlikely, whatever the language says, so are all after it.
    The n-gram is only asked about those that are not.
    """
    plain = not (fusion.tracks_words or fusion.scores_characters or fusion.has_hot_words)
    found = 0
    for slot in range(kept):
        node, blank = tree[beam[slot].node], beam[slot].blank
        total = blank + beam[slot].label
        growing, ending, leaving = 1.0, 1.0, 1.0
        if not plain:
            growing, ending, leaving = largest_factors(fusion, node.place, node.hot, node.ahead)
        marked = False
        rank, end, most = 0, inside, total * growing
        while True:
            if rank == end or most * scratch.probabilities[scratch.order[rank]] <= floor:
                if end == stop:
                    break
                rank, end, most = inside, stop, total * ending  # on to the tokens that begin with a space
                continue
            token = scratch.order[rank]
            rank += 1
            if not marked:
                marked = True
                mark_longer(beam, slot, tree, scratch, count + slot)
                if leaving < growing:
                    mark_letters(fusion, node.place, scratch, count + slot)
            if scratch.marks[token] == count + slot:
                continue
            emitted = scratch.probabilities[token]
            if leaving < growing and rank <= inside:  # most letters lead out of the trie
                letter = fusion.letters[fusion.first[token]].character
                if scratch.letters[letter] != count + slot and total * leaving * emitted <= floor:
                    continue
            score = (blank if token == node.token else total) * emitted
            if not plain and score > 0.0:
                score *= advance(fusion, cache, node.context, node.place, node.hot, node.ahead, token)[0]
            if score > floor:
                candidate = scratch.candidates[found]
                candidate.score, candidate.slot, candidate.token = score, slot, token
                found += 1
    return found


@compiled_part
def mark_longer(beam, slot, tree, scratch, mark):  # type: ignore[no-untyped-def]
    """Mark the tokens that lead from a prefix of the beam to others of it."""
    longer = beam[slot].child
    while longer >= 0:
        scratch.marks[tree[beam[longer].node].token] = mark
        longer = beam[longer].sibling


@compiled_part
def mark_letters(fusion, place, scratch, mark):  # type: ignore[no-untyped-def]
    """Mark the characters that a word may go on by without leaving the trie."""
    for child in range(fusion.trie[place].first_child, fusion.trie[place + 1].first_child):
        scratch.letters[fusion.trie[child].character] = mark


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
def lowest_kept(kept, found, after, drop, scratch):  # type: ignore[no-untyped-def]
    """What it takes to be kept: at least this probability, and how many of just that may be."""
    size, most, ranks = kept + found, 0.0, scratch.ranks
    for place in range(size):
        if place < kept:
            ranks[place] = after[place].blank + after[place].label
        else:
            ranks[place] = scratch.candidates[place - kept].score
        most = max(most, ranks[place])
    limit, room = max(most * drop, TINY), len(after)
    if size > room:
        limit = max(limit, kth_largest(ranks, size, room - 1))
    above = 0
    for place in range(size):
        above += ranks[place] > limit
    return limit, room - above


@compiled_part
def child_of(number, token, tree, used, fusion, cache):  # type: ignore[no-untyped-def]
    """The prefix one token longer, made if it has never been there; and how many nodes are used then."""
    node = tree[number]
    found = node.child
    while found >= 0 and tree[found].token != token:
        found = tree[found].sibling
    if found >= 0:
        return found, used
    factor, context, place, hot, ahead, score = advance(
        fusion, cache, node.context, node.place, node.hot, node.ahead, token
    )
    settled = settle(fusion, cache, context, node.place, place, ahead)
    factor *= settled / ahead
    child = tree[used]
    child.parent, child.token, child.child, child.sibling, child.slot = number, token, -1, node.child, -1
    child.context, child.place, child.hot, child.ahead = context, place, hot, settled
    child.language, child.factor = node.language + score, factor
    child.lent = node.lent + (np.log(factor) if factor != 1.0 else 0.0)
    node.child = used
    return used, used + 1


@compiled_part
def select(kept, found, drop, beam, after, tree, used, fusion, cache, scratch):  # type: ignore[no-untyped-def]
    """Keep the best prefixes: the next beam, in `after`; how many they are, nodes used, and the largest probability."""
    limit, ties = lowest_kept(kept, found, after, drop, scratch)
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
            new.blank, new.label = 0.0, before * scratch.probabilities[token] * tree[new.node].factor
            most = max(most, new.label)
            size += 1
    return size, used, most


@compiled_part
def take_step(row, least, drop, kept, used, count, beam, after, tree, fusion, cache, scratch):  # type: ignore[no-untyped-def]
    """Take one step: the next beam in `after`; how many are kept, nodes used, and what probabilities are divided by.

    That is 0 where nothing is possible; the empty prefix is left then.
    """
    inside, stop = choose_tokens(row, least, fusion, scratch)
    stay(row, kept, beam, after, tree, scratch)
    floor = lowest_entry(kept, after, drop)
    found = extend(kept, inside, stop, floor, beam, tree, fusion, cache, scratch, count)
    kept, used, most = select(kept, found, drop, beam, after, tree, used, fusion, cache, scratch)
    if most == 0.0:
        kept = 1
        after[0].node, after[0].blank, after[0].label = ROOT, 1.0, 0.0
        return kept, used, most
    for slot in range(kept):
        after[slot].blank /= most
        after[slot].label /= most
    return kept, used, most


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
        The trie of prefixes; nodes of those that are left; of each the acoustic score, the language score and whether
        it may end here.
    """
    cache, tree = new_cache(fusion), new_tree(fusion, FIRST_NODES + width)
    beam, after = np.empty(width, ENTRY), np.empty(width, ENTRY)
    scratch = new_scratch(log_probs.shape[1], width, fusion)
    one = np.int64(1)  # literals would have each function compiled once more, for them
    kept, used, count, scale, drop = one, one, one, 0.0, np.exp(-beam_threshold)
    beam[0].node, beam[0].blank, beam[0].label = ROOT, 1.0, 0.0
    for step in range(len(log_probs)):
        if used + width > len(tree):
            tree = grown(tree)
        count += kept
        kept, used, most = take_step(
            log_probs[step],
            token_threshold,
            drop,
            kept,
            used,
            count,
            beam,
            after,
            tree,
            fusion,
            cache,
            scratch,
        )
        scale += np.log(most) if most > 0.0 else -np.inf
        beam, after = after, beam
        if most == 0.0:
            break
    nodes, acoustic, language, possible = scores_of(kept, scale, beam, tree, fusion, cache)
    return tree, nodes, acoustic, language, possible


@compiled
def scores_of(kept, scale, beam, tree, fusion, cache):  # type: ignore[no-untyped-def]
    """Acoustic and language scores of the prefixes that are left, and whether each may end here."""
    nodes = np.empty(kept, np.int32)
    acoustic, language, possible = np.empty(kept), np.empty(kept), np.empty(kept, np.bool_)
    for slot in range(kept):
        nodes[slot] = beam[slot].node
        node, total = tree[beam[slot].node], beam[slot].blank + beam[slot].label
        acoustic[slot] = (np.log(total) if total > 0.0 else -np.inf) + scale - node.lent
        possible[slot], language[slot] = finish(
            fusion, cache, node.context, node.place, node.hot, node.language
        )
    return nodes, acoustic, language, possible


@compiled
def labelling(tree, node):  # type: ignore[no-untyped-def]
    """The tokens of a prefix, in order."""
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
    """The longest prefix of a prefix that may end a text: after a space, or a whole word."""
    cache = new_cache(fusion)
    while not finish(fusion, cache, tree[node].context, tree[node].place, tree[node].hot, 0.0)[0]:
        node = tree[node].parent
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
