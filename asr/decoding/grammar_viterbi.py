"""Viterbi search with a beam along a grammar's automaton, compiled.

Each position of the automaton has two states, as in forced alignment: its label, and the blank after it. A path goes
from a label to the same label, to its blank, or to the next label; to an equal label only over the blank. Where the k
best sentences are wanted, each state keeps its k best paths that differ in the words behind them (Schwartz and Chow
1990, "The N-best algorithm"); without a beam, the k sentences found are the best of the grammar, exactly.
"""

from typing import NamedTuple

import numpy as np

from asr.acoustic.ctc import BLANK
from asr.decoding.grammar_automaton import NOTHING, TokenAutomaton
from sluice_core.jit import compiled, compiled_part

LABEL, AFTER = 0, 1
"""The two states of a position."""
ROOT = -1
"""The history of paths that have completed no word."""
BINS = 256
"""Levels of score by which the most likely positions are found when there are too many."""


class Beam(NamedTuple):
    """The positions in the search at one step, and their paths, best first."""

    state: np.ndarray
    """int32 `[slots]`: the state of the graph."""
    node: np.ndarray
    """int32 `[slots]`: the node of its trie."""
    score: np.ndarray
    """float64 `[slots, 2, k]`; -inf where there are fewer paths."""
    history: np.ndarray
    """int32 `[slots, 2, k]`: the words completed, an entry of `Histories`."""
    words: np.ndarray
    """int64 `[slots, 2, k]`: a hash of these words; paths of one state with the same hash are the same sentence."""


class Histories(NamedTuple):
    """Words completed, each with what came before it."""

    before: np.ndarray
    """int32: the entry of the words before; `ROOT` for none."""
    arc: np.ndarray
    """int32: the arc of the word."""


class ViterbiWorkspace(NamedTuple):
    """Memory of one thread's searches."""

    slot: np.ndarray
    """int32 `[positions]`: the slot of each position in the next beam; -1 outside of a step."""
    now: Beam
    then: Beam
    histories: Histories
    counts: np.ndarray
    """int64 `[BINS]`."""


class Ending(NamedTuple):
    """Sentences that may end with the utterance, not sorted; several entries may be the same sentence."""

    score: np.ndarray
    history: np.ndarray
    arc: np.ndarray
    """int32: the arc of the last word, which is in no history; -1 for the sentence without words."""
    words: np.ndarray


def new_workspace(automaton: TokenAutomaton, k: int) -> ViterbiWorkspace:
    """Make memory for searches that keep k paths in each state; they enlarge it as they need."""
    histories = Histories(np.empty(1024, np.int32), np.empty(1024, np.int32))
    slot, counts = np.full(automaton.positions, -1, np.int32), np.zeros(BINS, np.int64)
    return ViterbiWorkspace(slot, _new_beam(64, k), _new_beam(64, k), histories, counts)


@compiled
def _new_beam(size, k):  # type: ignore[no-untyped-def]
    return Beam(
        np.empty(size, np.int32),
        np.empty(size, np.int32),
        np.empty((size, 2, k)),
        np.empty((size, 2, k), np.int32),
        np.empty((size, 2, k), np.int64),
    )


@compiled
def search(log_probs, automaton, threshold, most, workspace):  # type: ignore[no-untyped-def]
    """Search the best sentences of one utterance.

    Args:
        log_probs: `[time, tokens]` float32, without NaN.
        automaton: what may be said.
        threshold: positions whose best path is this far behind the best are dropped.
        most: if more positions are left after a step, about this many are kept.
        workspace: made for this automaton.

    Returns:
        What may end with the utterance, and the workspace, parts of which may be larger now.
    """
    slot, now, then, histories, counts = workspace
    count, made = 1, 0
    now.state[0], now.node[0] = 0, automaton.start
    now.score[0], now.history[0], now.words[0] = -np.inf, ROOT, 0
    now.score[0, AFTER, 0] = 0.0
    for step in range(len(log_probs)):
        slots, words = _room(count, now, automaton)
        if slots > len(then.state):
            then = _larger(then, slots)
        if made + words > len(histories.arc):
            histories = _more_histories(histories, made, made + words)
        count, made = _take_step(
            log_probs[step], count, made, threshold, most, now, then, automaton, slot, histories, counts
        )
        now, then = then, now
        if count == 0:
            break
    ending = _end(count, now, automaton)
    return ending, ViterbiWorkspace(slot, now, then, histories, counts)


@compiled_part
def _room(count, now, automaton):  # type: ignore[no-untyped-def]
    """Return how many slots the next beam may need, and how many words may be completed."""
    slots, words = count, 0
    for place in range(count):
        state, node = now.state[place], now.node[place]
        slots += automaton.last_child[node] - automaton.first_child[node]
        for end in range(automaton.first_end[node], automaton.first_end[node + 1]):
            root = automaton.root[automaton.arc_to[automaton.first_arc[state] + automaton.ends[end]]]
            fan = automaton.last_child[root] - automaton.first_child[root]
            fan = fan if automaton.space == NOTHING else min(1, fan)
            slots += fan
            words += fan * 2 * now.score.shape[2]
    return min(slots, automaton.positions), words


@compiled_part
def _take_step(row, count, made, threshold, most, now, then, automaton, slot, histories, counts):  # type: ignore[no-untyped-def]
    """Fill the next beam; return the number of its positions and the number of histories."""
    likeliest = -np.inf
    for token in range(1, len(row)):
        likeliest = max(likeliest, row[token])
    highest = _stay(row, count, now, then, automaton, slot)
    used = count
    for place in range(count):
        top = max(now.score[place, LABEL, 0], now.score[place, AFTER, 0])
        if top + likeliest >= highest - threshold:
            used, made, highest = _go_on(
                row, place, now, then, used, automaton, slot, histories, made, highest, threshold
            )
    count = _prune(used, then, highest - threshold, highest, most, automaton, slot, counts)
    return count, made


@compiled_part
def _position(state, node, automaton):  # type: ignore[no-untyped-def]
    """Return the position of a node in the trie of a state."""
    return automaton.positions - 1 if node == automaton.start else automaton.base[state] + node


@compiled_part
def _stay(row, count, now, then, automaton, slot):  # type: ignore[no-untyped-def]
    """Put the paths that stay at their positions in the next beam; return the highest score."""
    highest = -np.inf
    k = now.score.shape[2]
    for place in range(count):
        state, node = now.state[place], now.node[place]
        slot[_position(state, node, automaton)] = place
        then.state[place], then.node[place] = state, node
        for rank in range(k):
            then.score[place, LABEL, rank] = -np.inf
            then.score[place, AFTER, rank] = -np.inf
        if now.score[place, LABEL, 0] > -np.inf:
            label = row[automaton.token[node]]
            for rank in range(k):
                then.score[place, LABEL, rank] = now.score[place, LABEL, rank] + label
                then.history[place, LABEL, rank] = now.history[place, LABEL, rank]
                then.words[place, LABEL, rank] = now.words[place, LABEL, rank]
            highest = max(highest, then.score[place, LABEL, 0])
        for kind in range(2):
            _pass_on(now, place, kind, then, place, AFTER, row[BLANK])
        highest = max(highest, then.score[place, AFTER, 0])
    return highest


@compiled_part
def _pass_on(now, place, kind, then, target, target_kind, gain):  # type: ignore[no-untyped-def]
    """Let all paths of one state go to another, with a gain, without completing a word."""
    for rank in range(now.score.shape[2]):
        score = now.score[place, kind, rank] + gain
        history, words = now.history[place, kind, rank], now.words[place, kind, rank]
        if not _insert(then, target, target_kind, score, history, words):
            break


@compiled_part
def _insert(beam, place, kind, score, history, words):  # type: ignore[no-untyped-def]
    """Put a path among the k best of a state, once for each sentence; return False if it is worse than all of them."""
    last = beam.score.shape[2] - 1
    if score <= beam.score[place, kind, last]:
        return False
    hole = last  # where the path that leaves the list is
    for rank in range(last + 1):
        if beam.score[place, kind, rank] > -np.inf and beam.words[place, kind, rank] == words:
            if beam.score[place, kind, rank] >= score:
                return True
            hole = rank
            break
    while hole > 0 and beam.score[place, kind, hole - 1] < score:
        beam.score[place, kind, hole] = beam.score[place, kind, hole - 1]
        beam.history[place, kind, hole] = beam.history[place, kind, hole - 1]
        beam.words[place, kind, hole] = beam.words[place, kind, hole - 1]
        hole -= 1
    beam.score[place, kind, hole] = score
    beam.history[place, kind, hole] = history
    beam.words[place, kind, hole] = words
    return True


@compiled_part
def _go_on(row, place, now, then, used, automaton, slot, histories, made, highest, threshold):  # type: ignore[no-untyped-def]
    """Let the paths at a position go on to the labels that may follow it, in its word or in the next.

    Returns:
        The number of slots used in the next beam, the number of histories, and the highest score.
    """
    state, node = now.state[place], now.node[place]
    top = max(now.score[place, LABEL, 0], now.score[place, AFTER, 0])
    for child in range(automaton.first_child[node], automaton.last_child[node]):
        gain = row[automaton.token[child]] + automaton.ahead[child] - automaton.ahead[node]
        if top + gain < highest - threshold or top + gain == -np.inf:
            continue
        target, used = _slot_of(state, child, then, used, automaton, slot)
        _pass_on(now, place, AFTER, then, target, LABEL, gain)
        if automaton.token[child] != automaton.token[node]:
            _pass_on(now, place, LABEL, then, target, LABEL, gain)
        highest = max(highest, then.score[target, LABEL, 0])
    for end in range(automaton.first_end[node], automaton.first_end[node + 1]):
        arc = automaton.first_arc[state] + automaton.ends[end]
        to = automaton.arc_to[arc]
        root = automaton.root[to]
        first, last = automaton.first_child[root], automaton.last_child[root]
        if first == last:
            continue  # no sentence goes on from there
        if automaton.space != NOTHING:
            first, last = root, root + 1
        before = automaton.arc_score[arc] - automaton.ahead[node]
        for child in range(first, last):
            gain = row[automaton.token[child]] + before + automaton.ahead[child]
            if top + gain < highest - threshold or top + gain == -np.inf:
                continue
            target, used = _slot_of(to, child, then, used, automaton, slot)
            made = _complete(now, place, AFTER, then, target, gain, arc, automaton, histories, made)
            if automaton.token[child] != automaton.token[node]:
                made = _complete(now, place, LABEL, then, target, gain, arc, automaton, histories, made)
            highest = max(highest, then.score[target, LABEL, 0])
    return used, made, highest


@compiled_part
def _slot_of(state, node, then, used, automaton, slot):  # type: ignore[no-untyped-def]
    """Return the slot of a position in the next beam, a new one if need be, and the number of slots used."""
    position = _position(state, node, automaton)
    place = slot[position]
    if place >= 0:
        return place, used
    slot[position] = used
    then.state[used], then.node[used] = state, node
    for rank in range(then.score.shape[2]):
        then.score[used, LABEL, rank] = -np.inf
        then.score[used, AFTER, rank] = -np.inf
    return np.int32(used), used + 1


@compiled_part
def _complete(now, place, kind, then, target, gain, arc, automaton, histories, made):  # type: ignore[no-untyped-def]
    """Let all paths of a state complete a word and go on to a label of the next; return the number of histories."""
    for rank in range(now.score.shape[2]):
        score = now.score[place, kind, rank] + gain
        if score == -np.inf:
            break
        words = hash_with(now.words[place, kind, rank], automaton.arc_word[arc])
        if not _insert(then, target, LABEL, score, np.int32(made), words):
            break
        histories.before[made], histories.arc[made] = now.history[place, kind, rank], arc
        made += 1
    return made


@compiled_part
def hash_with(words, word):  # type: ignore[no-untyped-def]
    """Return the hash of some words with one more (after splitmix64; Steele, Lea and Flood 2014)."""
    mixed = (words + np.int64(word) + np.int64(1)) * np.int64(-7046029254386353131)
    mixed = (mixed ^ (mixed >> np.int64(30))) * np.int64(-4658895280553007687)
    return mixed ^ (mixed >> np.int64(27))


@compiled_part
def _prune(used, then, limit, highest, most, automaton, slot, counts):  # type: ignore[no-untyped-def]
    """Drop positions below `limit`, and the least likely if more than `most` are left; return how many remain."""
    for place in range(used):
        slot[_position(then.state[place], then.node[place], automaton)] = -1
    if used > most:
        limit = _limit_of(used, then, limit, highest, most, counts)
    kept = 0
    for place in range(used):
        best = max(then.score[place, LABEL, 0], then.score[place, AFTER, 0])
        if best < limit or best == -np.inf:
            continue
        if kept < place:
            then.state[kept], then.node[kept] = then.state[place], then.node[place]
            for kind in range(2):
                for rank in range(then.score.shape[2]):
                    then.score[kept, kind, rank] = then.score[place, kind, rank]
                    then.history[kept, kind, rank] = then.history[place, kind, rank]
                    then.words[kept, kind, rank] = then.words[place, kind, rank]
        kept += 1
    return kept


@compiled_part
def _limit_of(used, then, limit, highest, most, counts):  # type: ignore[no-untyped-def]
    """Return the lowest score of about `most` positions, by a histogram (Steinbiss, Tran and Ney 1994)."""
    if limit == -np.inf:
        for place in range(used):
            best = max(then.score[place, LABEL, 0], then.score[place, AFTER, 0])
            if best > -np.inf:
                limit = best if limit == -np.inf else min(limit, best)
    if not highest > limit:
        return limit
    counts[:] = 0
    width = (highest - limit) / BINS
    for place in range(used):
        best = max(then.score[place, LABEL, 0], then.score[place, AFTER, 0])
        if best >= limit and best > -np.inf:
            counts[min(int((highest - best) / width), BINS - 1)] += 1
    total = 0
    for level in range(BINS):
        total += counts[level]
        if total > most:
            # At least the best level stays, however many have it.
            return max(limit, highest - max(level, 1) * width)
    return limit


@compiled
def _end(count, now, automaton):  # type: ignore[no-untyped-def]
    """Return the sentences that may end at the positions of a beam."""
    room = 0
    for place in range(count):
        node = now.node[place]
        room += 2 * now.score.shape[2] * max(1, automaton.first_end[node + 1] - automaton.first_end[node])
    found = Ending(
        np.empty(room), np.empty(room, np.int32), np.empty(room, np.int32), np.empty(room, np.int64)
    )
    size = 0
    for place in range(count):
        state, node = now.state[place], now.node[place]
        if node == automaton.start:
            found.score[size] = now.score[place, AFTER, 0] + automaton.final_score[0]
            found.history[size], found.arc[size], found.words[size] = ROOT, -1, 0
            size += found.score[size] > -np.inf
            continue
        for end in range(automaton.first_end[node], automaton.first_end[node + 1]):
            arc = automaton.first_arc[state] + automaton.ends[end]
            gain = (
                automaton.arc_score[arc]
                - automaton.ahead[node]
                + automaton.final_score[automaton.arc_to[arc]]
            )
            for kind in range(2):
                for rank in range(now.score.shape[2]):
                    score = now.score[place, kind, rank] + gain
                    if score > -np.inf:
                        found.score[size], found.history[size] = score, now.history[place, kind, rank]
                        found.arc[size] = arc
                        found.words[size] = hash_with(now.words[place, kind, rank], automaton.arc_word[arc])
                        size += 1
    return Ending(found.score[:size], found.history[:size], found.arc[:size], found.words[:size])


@compiled
def _larger(beam, least):  # type: ignore[no-untyped-def]
    """Return an empty beam with room for at least so many slots."""
    return _new_beam(max(least, 2 * len(beam.state)), beam.score.shape[2])


@compiled
def _more_histories(histories, made, least):  # type: ignore[no-untyped-def]
    """Return the first `made` histories with room for at least `least`."""
    size = max(least, 2 * len(histories.arc))
    before, arc = np.empty(size, np.int32), np.empty(size, np.int32)
    before[:made], arc[:made] = histories.before[:made], histories.arc[:made]
    return Histories(before, arc)
