"""Which prefixes of the beam are extended by which tokens in one step of a prefix beam search."""

import numpy as np

from asr.acoustic.ctc import BLANK
from asr.decoding.alphabet import SPACE
from asr.decoding.language_score import OUTSIDE, advance, find_letter, largest_factors
from sluice_core.jit import compiled_part


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
def mark_longer(beam, slot, tree, scratch, mark):  # type: ignore[no-untyped-def]
    """Mark the tokens that lead from one prefix of the beam to another."""
    longer = beam[slot].child
    while longer >= 0:
        scratch.marks[tree[beam[longer].node].token] = mark
        longer = beam[longer].sibling


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
