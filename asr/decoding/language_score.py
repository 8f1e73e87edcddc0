"""The change that one more token makes to a prefix's language score: words, characters and hot words, compiled.

A prefix's language state is four numbers. `context` is the node of the n-gram. `place` is the node of the growing word
in the trie of words: 0 where no word has begun, -1 where the word has left the trie. `hot` is the state of the
automaton of hot words. `ahead` is the look-ahead as a factor: e to the best score that the growing word can still have.
It is lent to the prefix until the word ends, when the word's own probability replaces it.
"""

import numpy as np

from asr.decoding.alphabet import SPACE
from asr.decoding.shallow_fusion import END, UNKNOWN
from sluice_core.jit import compiled, compiled_part
from sluice_core.language_models.ngram import lookup

OUTSIDE = -1
"""The place of a word that is not in the trie."""
CACHE_SIZE = 1 << 10
SMALLEST = 1e-300
"""The smallest look-ahead, which other factors are divided by."""


SCORE = np.dtype([("key", np.int64), ("score", np.float64), ("factor", np.float64), ("context", np.int64)])
"""An entry of the cache of n-gram scores, which has one place for each hash of a key: the score with weight and bonus,
e to it, and the context that follows."""


@compiled
def new_cache(fusion):  # type: ignore[no-untyped-def]
    """Return an empty cache of scores; one entry where nothing is scored."""
    cache = np.empty(CACHE_SIZE if fusion.scores_words or fusion.scores_characters else 1, SCORE)
    for slot in range(len(cache)):
        cache[slot].key = -1
    return cache


@compiled_part
def score_unit(fusion, cache, context, unit):  # type: ignore[no-untyped-def]
    """Return the place in the cache of word `unit` after `context`; compute its score if it is not there."""
    key = (np.int64(context) << 32) | unit
    slot = (((key ^ (key >> 29)) * 0x9E3779B97F4A7C1) >> 20) & (len(cache) - 1)
    if cache[slot].key == key:
        return slot
    model = fusion.model
    log_prob, following = lookup(
        model.first_child, model.word, model.log_prob, model.backoff, model.suffix, context, unit
    )
    if unit == UNKNOWN and (log_prob > fusion.unknown_score or not fusion.knows_unknown):
        log_prob = fusion.unknown_score
    score = fusion.weight * log_prob if fusion.weight > 0 else 0.0
    if unit != END:
        score += fusion.token_bonus if fusion.scores_characters else fusion.word_bonus
    cache[slot].key = key
    cache[slot].score = score
    cache[slot].factor = np.exp(score)
    cache[slot].context = following
    return slot


@compiled_part
def find_letter(trie, place, character):  # type: ignore[no-untyped-def]
    """Return the child of a place that a character leads to, or OUTSIDE."""
    low, high = trie[place].first_child, trie[place + 1].first_child
    while high - low > 8:
        middle = (low + high) >> 1
        if trie[middle].character <= character:
            low = middle
        else:
            high = middle
    while low < high:
        if trie[low].character == character:
            return low
        low += 1
    return OUTSIDE


@compiled_part
def end_word(fusion, cache, context, place, ahead):  # type: ignore[no-untyped-def]
    """End the word at `place`; return (factor, score, context), with a factor of 0 if no word may end here."""
    word = fusion.trie[place].word if place > 0 else -1
    if word < 0:
        if fusion.closed:
            return 0.0, 0.0, context
        word = UNKNOWN
    if not fusion.scores_words:
        return fusion.word_factor / ahead, fusion.word_bonus, context
    slot = score_unit(fusion, cache, context, word)
    return cache[slot].factor / ahead, cache[slot].score, cache[slot].context


@compiled_part
def grow_word(fusion, place, ahead, character):  # type: ignore[no-untyped-def]
    """Add a letter to the word at `place`; return (factor, place, ahead), with a factor of 0 if no word goes on so."""
    following = OUTSIDE
    if place != OUTSIDE:
        following = find_letter(fusion.trie, place, character)
    if following == OUTSIDE:
        if fusion.closed:
            return 0.0, OUTSIDE, ahead
        return fusion.unknown_ahead / ahead, OUTSIDE, fusion.unknown_ahead
    if place > 0 and fusion.trie[place].only >= 0:
        return 1.0, following, ahead  # the only word there is: `settle` has looked at it already
    return fusion.trie[following].ahead / ahead, following, fusion.trie[following].ahead


@compiled_part
def move_hot(fusion, hot, character):  # type: ignore[no-untyped-def]
    """Follow the automaton of hot words by a character; return (factor, earned, state)."""
    automaton = fusion.hot
    if character == SPACE and automaton.states[hot].after_space:
        return 1.0, 0.0, hot
    following = automaton.following[hot, automaton.column[character]]
    factor, earned = (
        automaton.states[following].lent / automaton.states[hot].lent,
        automaton.states[following].earned,
    )
    if earned != 0.0:
        factor *= np.exp(earned)
    return factor, earned, following


@compiled_part
def advance(fusion, cache, context, place, hot, ahead, token):  # type: ignore[no-untyped-def]
    """Add a token to a prefix.

    Returns:
        The factor by which the prefix's probability changes (0 if the prefix becomes impossible); the new context,
        place, hot state and look-ahead; the part of the change that stays in the language score.
    """
    factor, score = 1.0, 0.0
    for position in range(fusion.first[token], fusion.first[token + 1]):
        character = fusion.letters[position].character
        if fusion.has_hot_words:
            change, earned, hot = move_hot(fusion, hot, character)
            factor *= change
            score += earned
        if fusion.scores_characters and not (fusion.skips_space and character == SPACE and place == 0):
            slot = score_unit(fusion, cache, context, fusion.letters[position].unit)
            factor *= cache[slot].factor
            score += cache[slot].score
            context = cache[slot].context
        if not fusion.tracks_words:
            place = 0 if character == SPACE else OUTSIDE
        elif character != SPACE:
            change, place, ahead = grow_word(fusion, place, ahead, character)
            factor *= change
        elif place != 0:
            change, added, context = end_word(fusion, cache, context, place, ahead)
            factor *= change
            score += added
            place, ahead = 0, 1.0
        if factor == 0.0:
            break
    return factor, context, place, hot, ahead, score


@compiled_part
def settle(fusion, cache, context, place, before, ahead):  # type: ignore[no-untyped-def]
    """Return the look-ahead of a new prefix; where only one word is left at its place, that word's own probability."""
    if not fusion.scores_words or place <= 0 or fusion.trie[place].only < 0:
        return ahead
    if before > 0 and fusion.trie[before].only >= 0:
        return ahead  # done already
    slot = score_unit(fusion, cache, context, fusion.trie[place].only)
    exact = max(cache[slot].factor / fusion.word_factor, SMALLEST)
    return exact if fusion.closed else max(exact, fusion.unknown_ahead)


@compiled_part
def finish(fusion, cache, context, place, hot, score):  # type: ignore[no-untyped-def]
    """End the text; return whether it may end here, and its language score."""
    if fusion.tracks_words and place != 0:
        factor, added, context = end_word(fusion, cache, context, place, 1.0)
        if factor == 0.0:
            return False, score
        score += added
    if fusion.scores_words or fusion.scores_characters:
        score += cache[score_unit(fusion, cache, context, END)].score
    if fusion.has_hot_words:
        score += move_hot(fusion, hot, SPACE)[1]
    return True, score


@compiled_part
def largest_factors(fusion, place, hot, inverse):  # type: ignore[no-untyped-def]
    """Return the largest factors by which one token can change a prefix's probability.

    Args:
        fusion: the language.
        place: the prefix's place in the trie of words.
        hot: its state of the automaton of hot words.
        inverse: 1 / its look-ahead.

    Returns:
        The factor of a token that grows a word, of one that begins with a space, and of one that leads out of the trie.
    """
    most = fusion.token_factor
    if fusion.has_hot_words:
        most *= fusion.hot.states[hot].most
    if not fusion.tracks_words:
        return most, most, most
    if place == OUTSIDE:
        return most, most * fusion.unknown_ahead * fusion.word_factor * inverse, most
    leaving = 0.0 if fusion.closed else most * fusion.unknown_ahead * inverse
    return most, most if place == 0 else most * fusion.trie[place].ending * inverse, leaving


@compiled_part
def lent_score(fusion, hot, ahead):  # type: ignore[no-untyped-def]
    """Return what a prefix has been lent on top of its language score: by its look-ahead and by partial hot words."""
    lent = np.log(ahead) if ahead != 1.0 else 0.0
    return lent + np.log(fusion.hot.states[hot].lent) if fusion.has_hot_words else lent
