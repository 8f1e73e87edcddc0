"""Beam search with language models, a lexicon and hot words, against enumeration with plain Python's scores."""

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch

from asr.decoding import BeamSearch, HotWords, Lexicon
from asr.decoding.config import DecodingConfig
from asr.decoding.shallow_fusion import FusionError
from asr.tokens import BLANK_SYMBOL, Tokens
from sluice_core.language_models.ngram import NGram
from tests.asr.decoding.enumeration import all_labellings, distinct, hot_score, ranked, text_of, word_score
from tests.asr.decoding.test_beam import WIDE, alphabet, decode_one, plain_search, random_log_probs

SPACED = alphabet("ab ")
WORDS = ("a", "ab", "b", "ba", "bb")


def random_model(generator: np.random.Generator, unit: str, words: tuple[str, ...], order: int = 3) -> NGram:
    """A back-off model with random n-grams; not normalized, which scores need not be."""
    entries = {(word,): (generator.normal(-3, 1.5), generator.normal(-0.5, 0.5)) for word in words}
    entries |= {("<unk>",): (generator.normal(-6, 4), 0.0), ("</s>",): (generator.normal(-2, 1), 0.0)}
    entries |= {("<s>",): (-99 * math.log(10), generator.normal(-0.5, 0.5))}
    for size in range(2, order + 1):
        shorter = [
            ngram for ngram in entries if len(ngram) == size - 1 and ngram[-1] not in ("<unk>", "</s>")
        ]
        grown = [(*ngram, word) for ngram in shorter for word in (*words, "</s>") if generator.random() < 0.4]
        entries |= {ngram: (generator.normal(-2, 1.5), generator.normal(-0.3, 0.5)) for ngram in grown}
    return NGram.build(order, unit, entries)


def agree(search: BeamSearch, log_probs: np.ndarray, language: Callable[[tuple[int, ...]], float]) -> None:
    """Hold a search's n best against enumeration: texts, order, scores and their parts."""
    acoustic = all_labellings(log_probs[0])
    ranking = ranked(acoustic, language)
    wanted = distinct(ranking, search.tokens)
    found = decode_one(search, log_probs, n_best=10**6)
    assert {text_of(each.tokens, search.tokens) for each in found} == {text for text, _ in wanted}
    assert [each.score for each in found] == pytest.approx([score for _, score in wanted], abs=1e-5)
    for each in found:
        assert each.acoustic_score == pytest.approx(acoustic[each.tokens], abs=1e-5)
        assert each.language_score == pytest.approx(language(each.tokens), abs=1e-5)


def settings_of(generator: np.random.Generator) -> DecodingConfig:
    changes = {
        "weight": float(generator.choice([0.0, 0.4, 1.0, 1.7])),
        "word_bonus": float(generator.choice([-1.0, 0.0, 2.5])),
        "unknown_score": float(generator.choice([-8.0, -3.0, 0.0])),
    }
    return WIDE.model_copy(update=changes)


@pytest.mark.parametrize("kind", ["open", "closed", "closed, with words that the model lacks", "no model"])
def test_words(kind: str) -> None:
    generator = np.random.default_rng(len(kind))
    for case in range(120):
        model = random_model(generator, "word", WORDS) if kind != "no model" else None
        settings, lexicon = settings_of(generator), None
        if kind.startswith("closed"):
            lexicon = Lexicon([*WORDS[1:], *(["aab", "bab"] if "lacks" in kind else [])])
        search = BeamSearch(SPACED, settings, model, lexicon)

        def language(labelling: tuple[int, ...], model=model, settings=settings, lexicon=lexicon) -> float:  # type: ignore[no-untyped-def]
            words = text_of(labelling, SPACED).split()
            rest = (settings.weight, settings.word_bonus, settings.unknown_score)
            return word_score(words, model, *rest, lexicon is not None, lexicon.words if lexicon else ())

        for steps in (0, 1, case % 5, 5):
            log_probs = random_log_probs(generator, steps, 4, 1.0)
            if lexicon is None or steps > 2:
                agree(search, log_probs, language)


def test_a_lexicon_alone() -> None:
    generator, lexicon = np.random.default_rng(0), Lexicon(["ab", "b"])
    search = BeamSearch(SPACED, WIDE, lexicon=lexicon)
    for case in range(200):
        log_probs = random_log_probs(generator, 1 + case % 6, 4, 1.0)
        agree(
            search,
            log_probs,
            lambda labelling: word_score(
                text_of(labelling, SPACED).split(), None, closed=True, lexicon=lexicon.words
            ),
        )


def test_a_narrow_beam_with_a_lexicon_keeps_just_what_it_should() -> None:
    generator, lexicon = np.random.default_rng(0), Lexicon(["a", "ab", "abba", "bb", "bab", "baa"])
    settings = DecodingConfig(beam=30, beam_threshold=6.0, token_threshold=0.001)
    search = BeamSearch(SPACED, settings, lexicon=lexicon)

    def possible(prefix: tuple[int, ...]) -> bool:
        *whole, last = "".join(SPACED.symbols[token] for token in prefix).split(" ")
        return all(not word or word in lexicon.words for word in whole) and any(
            word.startswith(last) for word in lexicon.words
        )

    for _ in range(60):
        steps = [
            random_log_probs(generator, 1, 4, sharpness)
            for sharpness in generator.choice([0.5, 3.0, 9.0], 40)
        ]
        log_probs = np.concatenate(steps, axis=1)
        expected: dict[str, float] = {}
        for prefix, score in plain_search(log_probs[0], settings, possible).items():
            if possible((*prefix, 3)):
                text = text_of(prefix, SPACED)
                expected[text] = max(score, expected.get(text, -math.inf))
        if expected:
            found = {
                text_of(each.tokens, SPACED): each.score for each in decode_one(search, log_probs, n_best=99)
            }
            assert found == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("letters", ["ab ", "好棒嗎"])
def test_characters(letters: str) -> None:
    generator, tokens = np.random.default_rng(7), alphabet(letters)
    for case in range(120):
        known = letters if case % 3 else letters[1:]  # a character that the model lacks is unknown to it
        model, settings = random_model(generator, "character", tuple(known)), settings_of(generator)
        search = BeamSearch(tokens, settings, model)

        def language(labelling: tuple[int, ...], model=model, settings=settings) -> float:  # type: ignore[no-untyped-def]
            characters = [tokens.symbols[token] for token in labelling]
            return word_score(characters, model, settings.weight, settings.word_bonus, settings.unknown_score)

        agree(search, random_log_probs(generator, 1 + case % 5, 4, 1.0), language)


PHRASES = (
    {"ab": 3.0},
    {"a": 1.0, "ab": 2.0, "a b": 4.0},
    {"b a": 2.0, "a b": 3.0, "a b a": 1.5},
    {"aa": 2.0, "a aa": 5.0, "aa a": -1.0},
    {"b": -2.0, "bb": 0.5, "bab": 4.0},
)


@pytest.mark.parametrize("phrases", PHRASES, ids=str)
@pytest.mark.parametrize("model_kind", ["none", "word", "character"])
def test_hot_words(phrases: dict[str, float], model_kind: str) -> None:
    generator = np.random.default_rng(8)
    model = random_model(generator, model_kind, WORDS if model_kind == "word" else ("a", "b", " "))
    settings = WIDE.model_copy(update={"weight": 0.7, "word_bonus": 0.5})
    search = BeamSearch(
        SPACED, settings, None if model_kind == "none" else model, hot_words=HotWords(phrases)
    )

    def language(labelling: tuple[int, ...]) -> float:
        text, units = text_of(labelling, SPACED), [SPACED.symbols[token] for token in labelling]
        if model_kind != "character":
            units = text.split()
        return word_score(units, None if model_kind == "none" else model, 0.7, 0.5) + hot_score(text, phrases)

    for case in range(30):
        agree(search, random_log_probs(generator, 1 + case % 6, 4, 1.0), language)


def test_hot_words_without_spaces_match_anywhere() -> None:
    tokens, phrases = alphabet("台北市"), {"台北": 2.0, "北": 1.0, "北市台": 3.0}
    search, generator = BeamSearch(tokens, WIDE, hot_words=HotWords(phrases)), np.random.default_rng(9)
    for case in range(100):
        log_probs = random_log_probs(generator, 1 + case % 5, 4, 1.0)
        agree(
            search, log_probs, lambda labelling: hot_score(text_of(labelling, tokens), phrases, spaced=False)
        )


SUBWORDS = Tokens([BLANK_SYMBOL, "▁", "▁a", "a", "b", "▁ab"], subwords="{}")


@pytest.mark.parametrize("kind", ["word", "character"])
def test_subwords(kind: str) -> None:
    """However tokens cut a word, it is that word; n-best are texts, whose best labelling counts."""
    generator, phrases = np.random.default_rng(10), {"ab": 1.5, "a ab": 2.0}
    for _ in range(60):
        model = random_model(generator, kind, WORDS if kind == "word" else ("a", "b", " "))
        search = BeamSearch(
            SUBWORDS, WIDE.model_copy(update={"weight": 0.8}), model, hot_words=HotWords(phrases)
        )

        def language(labelling: tuple[int, ...], model=model) -> float:  # type: ignore[no-untyped-def]
            text = text_of(labelling, SUBWORDS)
            units = text.split() if kind == "word" else list(text)
            if kind == "character" and labelling and labelling[-1] == 1 and text:
                units.append(" ")  # the start of a word that never came
            return word_score(units, model, 0.8) + hot_score(text, phrases)

        agree(search, random_log_probs(generator, 4, 6, 1.0), language)


def test_weight_zero_and_nothing_hot_is_as_without_language() -> None:
    generator = np.random.default_rng(11)
    model = random_model(generator, "word", WORDS)
    plain = BeamSearch(SPACED, DecodingConfig(beam=10))
    fused = BeamSearch(SPACED, DecodingConfig(beam=10, weight=0.0), model)
    for _ in range(50):
        log_probs = random_log_probs(generator, 30, 4, 2.0)
        assert decode_one(fused, log_probs, 3) == decode_one(plain, log_probs, 3)


def test_hot_words_that_are_not_heard_leave_everything_as_it_is() -> None:
    generator, phrases = np.random.default_rng(12), HotWords({"bbbbbab": 4.0, "aa bb": 4.0})
    plain = BeamSearch(SPACED, DecodingConfig(beam=50))
    boosted = BeamSearch(SPACED, DecodingConfig(beam=50), hot_words=phrases)
    heard = 0
    for _ in range(200):
        log_probs = random_log_probs(generator, 12, 4, 6.0)
        (before,), (after,) = decode_one(plain, log_probs), decode_one(boosted, log_probs)
        heard += after.language_score > 0
        if after.language_score == 0:
            assert after.tokens == before.tokens
            assert after.score == pytest.approx(before.score, abs=0.2)  # other paths fell out of the beam
    assert heard > 3


def test_look_ahead_helps_before_the_last_letter() -> None:
    """Two beginnings, the wrong one a little likelier to the ear: a beam of one keeps the word that the model knows."""
    model = NGram.build(1, "word", {("abab",): (-1.0, 0.0), ("bbbb",): (-9.0, 0.0), ("</s>",): (-1.0, 0.0)})
    search = BeamSearch(alphabet("ab"), DecodingConfig(beam=1, weight=1.0), model)
    first = [0.01, 0.44, 0.55]
    rest = [[0.01, 0.1, 0.89], [0.01, 0.79, 0.2], [0.01, 0.1, 0.89]]
    (best,) = decode_one(search, np.log([[first, *rest]]))
    assert search.tokens.decode(best.tokens) == "abab"


def test_unknown_words_cost_their_score_at_most_what_the_model_says() -> None:
    entries = {("a",): (-1.0, 0.0), ("</s>",): (-1.0, 0.0)}
    closed = NGram.build(1, "word", entries)  # <unk> with nearly no probability, as in a closed vocabulary
    opened = NGram.build(1, "word", {**entries, ("<unk>",): (-20.0, 0.0)})
    log_probs = torch.tensor([[[0.0, 0.0, 1.0]]]).log().numpy()  # surely "b"

    def score(model: NGram, unknown: float) -> float:
        search = BeamSearch(
            alphabet("ab"), WIDE.model_copy(update={"unknown_score": unknown, "weight": 1.0}), model
        )
        return decode_one(search, log_probs)[0].language_score

    assert score(closed, -5.0) == pytest.approx(-6.0)
    assert score(opened, -5.0) == pytest.approx(-21.0)
    assert score(opened, -30.0) == pytest.approx(-31.0)


def test_incomplete_words_are_cut_off_at_the_end() -> None:
    lexicon = Lexicon(["ab", "abbb"])
    search = BeamSearch(SPACED, DecodingConfig(beam=1), lexicon=lexicon)

    def heard(path: list[int]) -> tuple[str, float]:
        log_probs = torch.nn.functional.one_hot(torch.tensor([path]), 4).float().mul(9).log_softmax(2).numpy()
        (best,) = decode_one(search, log_probs)
        return text_of(best.tokens, SPACED), best.score

    assert heard([1, 2, 3, 1, 2])[0] == "ab ab"
    assert heard([1, 2, 3, 1, 0])[0] == "ab"
    assert heard([1, 2, 0, 2])[0] == "ab"
    text, score = heard([1, 0])
    assert (text, math.isfinite(score)) == ("", True)
    log_probs = random_log_probs(np.random.default_rng(13), 6, 4, 1.0)
    best = decode_one(search, log_probs)[0]
    assert best.acoustic_score <= all_labellings(log_probs[0])[best.tokens] + 1e-5


def test_a_long_text_keeps_its_score_exact() -> None:
    """Thousands of nats: nothing under- or overflows, and the parts still add up."""
    generator = np.random.default_rng(14)
    model = random_model(generator, "word", WORDS)
    search = BeamSearch(SPACED, DecodingConfig(beam=30, weight=1.5, word_bonus=1.0), model)
    log_probs = random_log_probs(generator, 3000, 4, 1.0)
    best = decode_one(search, log_probs)[0]
    words = text_of(best.tokens, SPACED).split()
    assert len(words) > 100
    assert best.score < -1000
    assert best.language_score == pytest.approx(word_score(words, model, 1.5, 1.0), rel=1e-6)
    forward = torch.nn.functional.ctc_loss(
        torch.from_numpy(log_probs).double().transpose(0, 1),
        torch.tensor([best.tokens]),
        [3000],
        [len(best.tokens)],
        reduction="sum",
    )
    assert best.acoustic_score <= -float(forward) + 1e-6
    assert best.acoustic_score == pytest.approx(-float(forward), rel=0.15)  # of which a beam of 30 loses some


def test_models_of_another_alphabet_are_refused() -> None:
    upper = NGram.build(1, "word", {("TAIPEI",): (-1.0, 0.0), ("</s>",): (-1.0, 0.0)})
    with pytest.raises(FusionError, match=r"'TAIPEI'.*alphabet is a b.*[Ll]etter case"):
        BeamSearch(SPACED, DecodingConfig(), upper)
    characters = NGram.build(1, "character", {(c,): (-1.0, 0.0) for c in ("A", "B", " ", "</s>")})
    with pytest.raises(FusionError, match="lacks 'a' 'b', and has such as"):
        BeamSearch(SPACED, DecodingConfig(), characters)


def test_a_growing_word_is_lent_what_it_may_still_score() -> None:
    """The best of the words that begin so, without their context; of the only one, what it has in its context."""
    generator, words = np.random.default_rng(4), ("ab", "ba", "bb")
    model = random_model(generator, "word", words)
    settings = WIDE.model_copy(update={"weight": 0.7, "word_bonus": 0.4})
    search = BeamSearch(SPACED, settings, model, Lexicon(words))
    tree = prefixes(search, random_log_probs(generator, 6, 4, 1.0)[0])
    alone = {word: float(model.scores([word], start=False, end=False)[0]) for word in words}
    seen = set()
    for tokens, node in tree.items():
        text = "".join(SPACED.texts[token] for token in tokens)
        *before, begun = text.split(" ")
        before = [word for word in before if word]
        possible = [word for word in words if word.startswith(begun)]
        seen.add((bool(before), bool(begun), len(possible)))
        expected = 0.0
        if begun and len(possible) == 1:
            expected = float(model.scores([*before, *possible], end=False)[-1])
        elif begun:
            expected = max(alone[word] for word in possible)
        assert math.log(node["ahead"]) == pytest.approx(0.7 * expected, abs=1e-9), text
    assert seen == {(False, False, 3), (False, True, 1), (False, True, 2)} | {
        (True, False, 3),
        (True, True, 1),
        (True, True, 2),
    }


def prefixes(search: BeamSearch, log_probs: np.ndarray) -> dict[tuple[int, ...], np.void]:
    """All prefixes that a search has made, with what it keeps of them; those that became impossible left out."""
    from asr.decoding.prefixes import ROOT, new_workspace

    workspace = new_workspace(search._fusion, len(search.tokens), search.settings.beam)
    _, tree = search._search(log_probs, search._fusion, workspace, 1)
    found, waiting = {}, [((), ROOT)]
    while waiting:
        tokens, number = waiting.pop()
        found[tokens] = tree[number]
        child = tree[number]["child"]
        while child >= 0:
            waiting.append(((*tokens, int(tree[child]["token"])), child))
            child = tree[child]["sibling"]
    return found
