"""Shallow fusion: what a language model, a lexicon and hot words add to a prefix's score, as flat arrays.

The arrays are for compiled code: `asr.decoding.language_score` reads them.
"""

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from asr.decoding.alphabet import Alphabet, name_characters
from asr.decoding.config import DecodingConfig
from asr.decoding.hot_words import Automaton, HotWords, HotWordsError, build_automaton
from asr.decoding.lexicon import Lexicon, WordTrie, build_word_trie
from sluice_core.errors import UserError

if TYPE_CHECKING:
    from sluice_core.language_models.ngram import NGram

UNKNOWN, START, END = 0, 1, 2
"""Numbers of the words that every n-gram has: `<unk>`, `<s>`, `</s>`."""

NEVER = -98 * np.log(10)
"""A model does not predict what has a log-probability below this; ARPA files write 10^-99 for it."""


class FusionError(UserError):
    """A language model does not fit the alphabet of the acoustic model."""


class NGramArrays(NamedTuple):
    """The arrays of an n-gram (see `NGram`), and the node where a text starts."""

    first_child: np.ndarray
    word: np.ndarray
    log_prob: np.ndarray
    backoff: np.ndarray
    suffix: np.ndarray
    start: int


LETTER = np.dtype([("character", np.int32), ("unit", np.int32)])
"""One character of a token; `unit` is its number as a word of a character model."""

BRANCH = np.dtype(
    [
        ("first_child", np.int32),
        ("character", np.int32),
        ("word", np.int32),
        ("only", np.int32),
        ("ahead", np.float64),
        ("ending", np.float64),
    ]
)
"""A node of the trie of words (see `WordTrie`). `ahead` is the look-ahead as a factor: e to the best score that a word
at or below this node can have. `ending` is e to the highest score that a word which ends here can have in any context.
"""


class ShallowFusion(NamedTuple):
    """Everything that changes a prefix's score besides its posteriors; compiled code reads it by field."""

    first: np.ndarray
    letters: np.ndarray
    """LETTER array; the characters of token n are `letters[first[n]:first[n + 1]]`."""
    plain: bool
    """True where nothing changes any score."""
    single: bool
    """True where each token is one character of its own; `token_of` then maps a character to its token."""
    token_of: np.ndarray
    tracks_words: bool
    """True where words are followed through the trie: for a word model, a lexicon or the word bonus."""
    closed: bool
    """True where only words of the trie are possible."""
    scores_words: bool
    """True where the n-gram is one of words."""
    scores_characters: bool
    """True where the n-gram is one of characters."""
    skips_space: bool
    """True where subwords begin with a space: the character model then ignores a space at the start of the text and a
    space after a space."""
    weight: float
    word_bonus: float
    word_factor: float
    """e to `word_bonus`."""
    token_bonus: float
    token_factor: float
    """e to the largest bonus that one token can bring."""
    unknown_score: float
    knows_unknown: bool
    """True where the n-gram gives unknown words a probability; elsewhere they have the unknown score."""
    unknown_ahead: float
    """The look-ahead, as a factor, of a word outside the trie."""
    trie: np.ndarray
    """BRANCH array with one row more than there are nodes."""
    model: NGramArrays
    has_hot_words: bool
    hot: Automaton


def fuse(
    alphabet: Alphabet,
    settings: DecodingConfig,
    language_model: "NGram | None" = None,
    lexicon: Lexicon | None = None,
) -> ShallowFusion:
    """Prepare shallow fusion with a language model and a lexicon, either of which may be missing.

    Hot words are added by `with_hot_words`.

    Raises:
        FusionError: the language model does not fit the alphabet.
        LexiconError: the lexicon does not fit the alphabet.
    """
    unit = language_model.unit if language_model is not None else None
    if lexicon is not None:
        lexicon.check(alphabet)
    by_characters = unit == "character"
    word_bonus = 0.0 if by_characters else settings.word_bonus
    longest = int(np.diff(alphabet.first).max())
    single = longest == 1 and len(alphabet.tokens) == 1 + len(set(alphabet.characters.tolist()))
    token_of = np.zeros(len(alphabet), np.int32)
    if single:
        token_of[alphabet.characters] = np.arange(1, len(alphabet.tokens))
    return ShallowFusion(
        first=_flat(alphabet.first, np.int32),
        letters=_flat(_letters(alphabet, language_model if by_characters else None)),
        plain=lexicon is None and unit is None and word_bonus == 0,
        single=single,
        token_of=_flat(token_of),
        tracks_words=lexicon is not None or unit == "word" or word_bonus != 0,
        closed=lexicon is not None,
        scores_words=unit == "word",
        scores_characters=by_characters,
        skips_space=any(len(text) > 1 and text[0] == " " for text in alphabet.tokens.texts),
        weight=float(settings.weight),
        word_bonus=float(word_bonus),
        word_factor=float(np.exp(word_bonus)),
        token_bonus=float(settings.word_bonus if by_characters else 0.0),
        token_factor=float(np.exp(max(0.0, settings.word_bonus) * longest)) if by_characters else 1.0,
        unknown_score=float(settings.unknown_score),
        knows_unknown=language_model is not None and _unknown_log_prob(language_model) > NEVER,
        unknown_ahead=float(np.exp(_weighted(settings.unknown_score, settings))) if unit == "word" else 1.0,
        trie=_flat(_words(alphabet, settings, None if by_characters else language_model, lexicon)),
        model=_arrays(language_model),
        has_hot_words=False,
        hot=_automaton({}, alphabet),
    )


def with_hot_words(
    fusion: ShallowFusion, hot_words: HotWords, alphabet: Alphabet, lexicon: Lexicon | None = None
) -> ShallowFusion:
    """Return the same fusion with these hot words and no others.

    Raises:
        HotWordsError: a phrase has characters that the alphabet lacks, or a word that the lexicon lacks.
    """
    hot_words.check(alphabet)
    if lexicon is not None:
        lacking = sorted(
            {word for phrase in hot_words.boosts for word in phrase.split()} - set(lexicon.words)
        )
        if lacking:
            raise HotWordsError(
                f"hot words: {', '.join(map(repr, lacking[:20]))} cannot be heard, as {lexicon.source} has no such "
                "word; add it there, or decode without a lexicon"
            )
    return fusion._replace(
        plain=not (hot_words.boosts or fusion.tracks_words or fusion.scores_characters),
        has_hot_words=bool(hot_words.boosts),
        hot=_automaton(hot_words.boosts, alphabet),
    )


def _flat(array: np.ndarray, kind: type | None = None) -> np.ndarray:
    """Return the array as compiled code takes it: contiguous and read-only, so that one compiled version is enough."""
    flat = np.ascontiguousarray(array, kind).view(np.ndarray).view()
    flat.setflags(write=False)
    return flat


def _automaton(boosts: dict[str, float], alphabet: Alphabet) -> Automaton:
    start, *arrays = build_automaton(boosts, alphabet)
    return Automaton(start, *map(_flat, arrays))


def _unknown_log_prob(model: "NGram") -> float:
    """Return the log-probability of `<unk>` without context; -inf if the model has none."""
    unigrams = slice(model.first_child[0], model.first_child[1])
    return float(model.log_prob[unigrams][model.word[unigrams] == UNKNOWN].max(initial=-np.inf))


def _arrays(model: "NGram | None") -> NGramArrays:
    """Return the arrays of an n-gram; without one, arrays of the same types that are never read."""
    if model is None:
        nothing, zero = np.zeros(1, np.int32), np.zeros(1, np.float32)
        return NGramArrays(_flat(nothing), _flat(nothing), _flat(zero), _flat(zero), _flat(nothing), 0)
    return NGramArrays(
        _flat(model.first_child, np.int32),
        _flat(model.word, np.int32),
        _flat(model.log_prob, np.float32),
        _flat(model.backoff, np.float32),
        _flat(model.suffix, np.int32),
        int(model.start_state),
    )


def _weighted(log_probs: np.ndarray | float, settings: DecodingConfig) -> np.ndarray:
    """Multiply log-probabilities by the weight; a weight of 0 gives 0, even for -inf."""
    return np.asarray(settings.weight * log_probs if settings.weight else np.zeros_like(log_probs))


def _words(
    alphabet: Alphabet, settings: DecodingConfig, model: "NGram | None", lexicon: Lexicon | None
) -> np.ndarray:
    """Build the BRANCH array of the lexicon's words, or of the model's where there is no lexicon."""
    words = lexicon.words if lexicon else model.words[END + 1 :] if model else ()
    if model is None:
        trie = build_word_trie(words, np.arange(len(words)), np.zeros(len(words)), alphabet)
        ending = np.where(trie.word >= 0, settings.word_bonus, -np.inf)
        return _branches(trie, np.zeros(len(trie.word)), ending)
    ids = np.array([model.ids.get(word, UNKNOWN) for word in words], np.int32)
    alone, most = _bounds(model, settings)
    trie = build_word_trie(words, ids, _weighted(alone[ids], settings), alphabet)
    if len(trie.word) == 1:
        raise FusionError(
            f"the language model has no word that the model's alphabet can write: its words are such as "
            f"{name_characters(words, 5)}, the alphabet is {alphabet.tokens.describe()}. Letter case? Another language?"
        )
    unknown = _weighted(settings.unknown_score, settings)
    best = trie.best if lexicon else np.maximum(trie.best, unknown)
    ending = np.where(trie.word >= 0, _weighted(most[trie.word], settings), -np.inf if lexicon else unknown)
    best[0] = 0.0  # no word has begun
    return _branches(trie, best, ending + settings.word_bonus)


def _branches(trie: WordTrie, ahead: np.ndarray, ending: np.ndarray) -> np.ndarray:
    """Return the trie as one BRANCH array; `ahead` and `ending` are natural logs here, one for each node."""
    branches = np.zeros(len(trie.first_child), BRANCH)
    branches["first_child"] = trie.first_child
    for name, values in (("character", trie.character), ("word", trie.word), ("only", trie.only)):
        branches[name][:-1] = values
    branches["ahead"][:-1], branches["ending"][:-1] = np.exp(ahead), np.exp(ending)
    return branches


def _bounds(model: "NGram", settings: DecodingConfig) -> tuple[np.ndarray, np.ndarray]:
    """Return each word's log-probability without context, and the highest that it can have in any context."""
    word, log_prob = np.asarray(model.word), np.asarray(model.log_prob, np.float64)
    alone = np.full(len(model.words), -np.inf)
    unigrams = slice(model.first_child[0], model.first_child[1])
    alone[word[unigrams]] = log_prob[unigrams]
    most = np.full(len(model.words), -np.inf)
    np.maximum.at(most, word[1:], log_prob[1:])
    # A model that backs off by factors above 1 can make a word likelier than any of its entries says.
    most = np.minimum(0.0, most + (model.order - 1) * max(0.0, float(np.max(model.backoff))))
    most[UNKNOWN] = settings.unknown_score
    alone[UNKNOWN] = (
        min(alone[UNKNOWN], settings.unknown_score) if alone[UNKNOWN] > NEVER else settings.unknown_score
    )
    return alone, most


def _letters(alphabet: Alphabet, model: "NGram | None") -> np.ndarray:
    """Return the LETTER array of all tokens, with the characters' numbers in a character model.

    Raises:
        FusionError: the model lacks characters of more than half of the tokens.
    """
    letters = np.zeros(len(alphabet.characters), LETTER)
    letters["character"] = alphabet.characters
    if model is None:
        return letters
    texts = alphabet.tokens.texts
    lacking = [text for text in texts if any(character not in model.ids for character in text)]
    if 2 * len(lacking) > len(texts) - 1:
        raise FusionError(
            f"the language model is of other characters than the model's alphabet: it lacks "
            f"{name_characters(lacking)}, and has such as {name_characters(model.words[END + 1 :], 10)}. "
            "Letter case? Another language? A model of words is one of unit word."
        )
    letters["unit"] = [model.ids.get(character, UNKNOWN) for text in texts for character in text]
    return letters
