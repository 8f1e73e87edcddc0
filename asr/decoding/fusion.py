"""What a search knows of language, put together as flat arrays for compiled code: n-gram, lexicon, hot words."""

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from asr.config import DecodingConfig
from asr.decoding.alphabet import Alphabet, name_characters
from asr.decoding.hot_words import Automaton, HotWords, HotWordsError, build_automaton
from asr.decoding.lexicon import Lexicon, Trie, build_trie
from sluice_core.errors import UserError

if TYPE_CHECKING:
    from sluice_core.language_models.ngram import NGram

UNKNOWN, START, END = 0, 1, 2
"""Words of every n-gram: `<unk>`, `<s>`, `</s>`."""

NEVER = -98 * np.log(10)
"""Log-probabilities below are those of what a model does not predict; ARPA files write 10^-99."""


class FusionError(UserError):
    """A language model does not go with the model's alphabet."""


class Model(NamedTuple):
    """An n-gram's arrays (see `NGram`), and where it begins."""

    first_child: np.ndarray
    word: np.ndarray
    log_prob: np.ndarray
    backoff: np.ndarray
    suffix: np.ndarray
    start: int


LETTER = np.dtype([("character", np.int32), ("unit", np.int32)])
"""A character of a token, and its number as a word of a character model."""

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
"""A node of the trie of words (see `Trie`). ahead: e to the best that a word here can still score, its look-ahead.
ending: e to the most that a word's end here can score, in any context."""


class Fusion(NamedTuple):
    """All that changes a prefix's score beside its posteriors; numba reads it by field."""

    first: np.ndarray
    letters: np.ndarray
    """LETTER: those of token n are `letters[first[n]:first[n + 1]]`."""
    plain: bool
    """Nothing changes any score."""
    single: bool
    """Each token is one character of its own, and `token_of` says which token a character is."""
    token_of: np.ndarray
    tracks_words: bool
    """Words are followed through the trie, for a word model, a lexicon or the bonus."""
    closed: bool
    """Only words of the trie are possible."""
    scores_words: bool
    """The n-gram is one of words."""
    scores_characters: bool
    """The n-gram is one of characters."""
    skips_space: bool
    """A space at the text's start, or doubled, is none to the character model: so where subwords begin with one."""
    weight: float
    word_bonus: float
    word_factor: float
    """e to that."""
    token_bonus: float
    token_factor: float
    """e to the largest bonus of a token."""
    unknown_score: float
    knows_unknown: bool
    """The n-gram gives unknown words a probability; where it has none the unknown score stands alone."""
    unknown_ahead: float
    """The look-ahead of a word outside the trie."""
    trie: np.ndarray
    """BRANCH, one row more than nodes."""
    model: Model
    has_hot_words: bool
    hot: Automaton


def fuse(
    alphabet: Alphabet,
    settings: DecodingConfig,
    language_model: "NGram | None" = None,
    lexicon: Lexicon | None = None,
) -> Fusion:
    """Put together what is given; hot words come by `with_hot_words`.

    Raises:
        FusionError, LexiconError: it does not go with the alphabet.
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
    return Fusion(
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
    fusion: Fusion, hot_words: HotWords, alphabet: Alphabet, lexicon: Lexicon | None = None
) -> Fusion:
    """The same with these hot words and no others.

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
    """The array as compiled code takes it: all read-only, memory-mapped or not, so that one version will do."""
    flat = np.ascontiguousarray(array, kind).view(np.ndarray).view()
    flat.setflags(write=False)
    return flat


def _automaton(boosts: dict[str, float], alphabet: Alphabet) -> Automaton:
    start, *arrays = build_automaton(boosts, alphabet)
    return Automaton(start, *map(_flat, arrays))


def _unknown_log_prob(model: "NGram") -> float:
    """Of `<unk>` without context."""
    unigrams = slice(model.first_child[0], model.first_child[1])
    return float(model.log_prob[unigrams][model.word[unigrams] == UNKNOWN].max(initial=-np.inf))


def _arrays(model: "NGram | None") -> Model:
    """The n-gram's arrays; without one, arrays of its types that are never read."""
    if model is None:
        nothing, zero = np.zeros(1, np.int32), np.zeros(1, np.float32)
        return Model(_flat(nothing), _flat(nothing), _flat(zero), _flat(zero), _flat(nothing), 0)
    return Model(
        _flat(model.first_child, np.int32),
        _flat(model.word, np.int32),
        _flat(model.log_prob, np.float32),
        _flat(model.backoff, np.float32),
        _flat(model.suffix, np.int32),
        int(model.start_state),
    )


def _weighted(log_probs: np.ndarray | float, settings: DecodingConfig) -> np.ndarray:
    """Times the weight; nothing where that is 0, even of what is impossible."""
    return np.asarray(settings.weight * log_probs if settings.weight else np.zeros_like(log_probs))


def _words(
    alphabet: Alphabet, settings: DecodingConfig, model: "NGram | None", lexicon: Lexicon | None
) -> np.ndarray:
    """The trie of the words that can be told apart."""
    words = lexicon.words if lexicon else model.words[END + 1 :] if model else ()
    if model is None:
        trie = build_trie(words, np.arange(len(words)), np.zeros(len(words)), alphabet)
        ending = np.where(trie.word >= 0, settings.word_bonus, -np.inf)
        return _branches(trie, np.zeros(len(trie.word)), ending)
    ids = np.array([model.ids.get(word, UNKNOWN) for word in words], np.int32)
    alone, most = _bounds(model, settings)
    trie = build_trie(words, ids, _weighted(alone[ids], settings), alphabet)
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


def _branches(trie: Trie, ahead: np.ndarray, ending: np.ndarray) -> np.ndarray:
    """The trie as one array; `ahead` and `ending` are natural logs here."""
    branches = np.zeros(len(trie.first_child), BRANCH)
    branches["first_child"] = trie.first_child
    for name, values in (("character", trie.character), ("word", trie.word), ("only", trie.only)):
        branches[name][:-1] = values
    branches["ahead"][:-1], branches["ending"][:-1] = np.exp(ahead), np.exp(ending)
    return branches


def _bounds(model: "NGram", settings: DecodingConfig) -> tuple[np.ndarray, np.ndarray]:
    """Log-probability of each word without context, and the most that it is in any."""
    word, log_prob = np.asarray(model.word), np.asarray(model.log_prob, np.float64)
    alone = np.full(len(model.words), -np.inf)
    unigrams = slice(model.first_child[0], model.first_child[1])
    alone[word[unigrams]] = log_prob[unigrams]
    most = np.full(len(model.words), -np.inf)
    np.maximum.at(most, word[1:], log_prob[1:])
    # Where a model backs off by factors above 1, a word may be likelier than the model says anywhere.
    most = np.minimum(0.0, most + (model.order - 1) * max(0.0, float(np.max(model.backoff))))
    most[UNKNOWN] = settings.unknown_score
    alone[UNKNOWN] = (
        min(alone[UNKNOWN], settings.unknown_score) if alone[UNKNOWN] > NEVER else settings.unknown_score
    )
    return alone, most


def _letters(alphabet: Alphabet, model: "NGram | None") -> np.ndarray:
    """The characters of all tokens, with their numbers in a character model.

    Raises:
        FusionError: the model lacks more than half of the tokens.
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
