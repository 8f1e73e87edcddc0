"""Modified Kneser-Ney: sums, a table worked out by hand, and KenLM's lmplz where it is installed."""

import logging
import math
import shutil
import subprocess
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sluice_core.grammar.travel import generate
from sluice_core.language_models.ngram import NGram, load_ngram, lookup
from sluice_core.language_models.ngram.kneser_ney import train
from sluice_core.language_models.units import START, LanguageModelError

# Two sentences "a b" and one "b".
SMALL = [["a", "b"], ["a", "b"], ["b"]]


def probability(model: NGram, history: str, word: str) -> float:
    """P(word | history), the history as words with spaces between, from `<s>` on if it says so."""
    node = 0
    for past in history.split():
        _, node = lookup(*model.trie, node, model.ids[past])
    return math.exp(lookup(*model.trie, node, model.ids[word])[0])


def sums(model: NGram) -> np.ndarray:
    """The sum of all words' probabilities after each context there is."""
    words = [number for word, number in model.ids.items() if word != START]
    contexts = [0, *range(1, model.level_bounds[-2])]  # n-grams shorter than the order
    return np.array([sum(math.exp(lookup(*model.trie, node, w)[0]) for w in words) for node in contexts])


# Unigrams count by the words that they follow: a follows <s>; b follows <s> and a; </s> follows b. Two count 1,
# one counts 2, none counts 3: the discounts are the fallback's, 0.5 1 1.5. What they leave, (.5 + 1 + .5) / 4, is
# shared evenly by <unk> </s> a b: .5 / 4 = .125 each.
UNIGRAMS = {
    ("", "<unk>"): 0.125,
    ("", "</s>"): (1 - 0.5) / 4 + 0.125,  # .25
    ("", "a"): (1 - 0.5) / 4 + 0.125,  # .25
    ("", "b"): (2 - 1) / 4 + 0.125,  # .375
}
# Bigrams of a bigram model count as often as they occur: <s> a 2, <s> b 1, a b 2, b </s> 3. So n1 = 1, n2 = 2,
# n3 = 1, n4 = 0, Y = n1 / (n1 + 2 n2) = .2, and the discounts are
#   D1 = 1 - 2 Y n2 / n1 = .2    D2 = 2 - 3 Y n3 / n2 = 1.7    D3+ = 3 - 4 Y n4 / n3 = 3
BIGRAMS = {
    ("<s>", "a"): (2 - 1.7) / 3 + (1.7 + 0.2) / 3 * 0.25,  # .2583
    ("<s>", "b"): (1 - 0.2) / 3 + (1.7 + 0.2) / 3 * 0.375,  # .5042
    ("<s>", "</s>"): (1.7 + 0.2) / 3 * 0.25,  # not seen: backed off
    ("a", "b"): (2 - 1.7) / 2 + 1.7 / 2 * 0.375,  # .4688
    ("b", "</s>"): (3 - 3) / 3 + 3 / 3 * 0.25,  # .25
    ("b", "<unk>"): 3 / 3 * 0.125,
}
# Pruned by 0 1, <s> b goes, and its whole count with it: backoff(<s>) = (1.7 + 1) / 3 = .9.
PRUNED_BIGRAMS = {
    ("<s>", "a"): (2 - 1.7) / 3 + 0.9 * 0.25,  # .325
    ("<s>", "b"): 0.9 * 0.375,
    ("a", "b"): (2 - 1.7) / 2 + 1.7 / 2 * 0.375,
    ("b", "</s>"): 0.25,
}
# In a trigram model bigrams count by what they follow, those after <s> as often as they occur: <s> a 2, <s> b 1,
# a b 1 (after <s>), b </s> 2 (after <s> and after a). None counts 3: the fallback. Trigrams: <s> a b 2, a b </s> 2,
# <s> b </s> 1; none counts 3: the fallback again.
TRIGRAMS = {
    ("<s>", "a"): (2 - 1) / 3 + (1 + 0.5) / 3 * 0.25,  # .4583
    ("<s>", "b"): (1 - 0.5) / 3 + (1 + 0.5) / 3 * 0.375,  # .3542
    ("a", "b"): (1 - 0.5) / 1 + 0.5 * 0.375,  # .6875
    ("b", "</s>"): (2 - 1) / 2 + 0.5 * 0.25,  # .625
    ("<s> a", "b"): (2 - 1) / 2 + 0.5 * 0.6875,  # .8438
    ("a b", "</s>"): (2 - 1) / 2 + 0.5 * 0.625,  # .8125
    ("<s> b", "</s>"): (1 - 0.5) / 1 + 0.5 * 0.625,  # .8125
    ("<s> b", "a"): 0.5 * 0.5 * 0.25,  # backed off twice
}


@pytest.mark.parametrize(
    ("order", "prune", "table"),
    [
        (2, (), {**UNIGRAMS, **BIGRAMS}),
        (2, (0, 1), {**UNIGRAMS, **PRUNED_BIGRAMS}),
        (3, (), {**UNIGRAMS, **TRIGRAMS}),
    ],
)
def test_probabilities_are_those_worked_out_by_hand(order, prune, table) -> None:
    model = train(SMALL, order, prune=prune, quiet=True)
    for (history, word), expected in table.items():
        assert probability(model, history, word) == pytest.approx(expected, abs=1e-6), (history, word)


def test_a_unigram_model_counts_words() -> None:
    # </s> 3, b 3, a 2, and none counts 1: the fallback. Left are (1.5 + 1.5 + 1) / 8, shared by four: .125 each.
    model = train(SMALL, 1, quiet=True)
    expected = {"</s>": 1.5 / 8, "b": 1.5 / 8, "a": 1 / 8, "<unk>": 0.0}
    for word, share in expected.items():
        assert probability(model, "", word) == pytest.approx(share + 0.125, abs=1e-6)


def test_where_discounts_cannot_be_told_the_log_says_so(caplog) -> None:
    with caplog.at_level(logging.WARNING):
        train(SMALL, 2, quiet=True)
    (record,) = caplog.records  # the bigrams' can
    assert "1-grams (2, 1, 0 and 0 of them" in record.message and "0.5, 1 and 1.5" in record.message


texts = st.lists(st.lists(st.sampled_from("abcde"), max_size=7), min_size=1, max_size=25)


@settings(max_examples=60, deadline=None)
@example([["a"]], 4, [], "word")  # no n-gram is as long as the order
@given(
    texts, st.integers(1, 4), st.lists(st.integers(0, 2), max_size=3), st.sampled_from(["word", "character"])
)
def test_probabilities_sum_to_one_in_every_context(sentences, order, prune, unit) -> None:
    if not any(sentences):
        return
    thresholds = [0, *sorted(prune)][:order]
    model = train(sentences, order, unit=unit, prune=thresholds, quiet=True)
    assert np.allclose(sums(model), 1, atol=1e-5)


@pytest.mark.parametrize(("unit", "order", "prune"), [("word", 3, (0, 1, 2)), ("character", 5, (0, 0, 0, 1))])
def test_so_they_do_for_a_real_text(unit, order, prune) -> None:
    texts = [sentence.text for sentence in generate(150)]
    sentences = [list(text) if unit == "character" else text.split() for text in texts]
    whole = train(sentences, order, unit=unit, quiet=True)
    pruned = train(sentences, order, unit=unit, prune=prune, quiet=True)
    assert pruned.sizes[-1] < 0.6 * whole.sizes[-1] and pruned.sizes[0] == whole.sizes[0]
    assert np.allclose(sums(pruned), 1, atol=1e-5)


def test_pruning_goes_by_how_often_an_n_gram_occurs() -> None:
    sentences = [["a", "b"]] * 3 + [["a", "c"]] * 2 + [["b", "c"]]
    model = train(sentences, 2, prune=(0, 2), quiet=True)
    kept = {
        (model.words[model.word[parent]], model.words[model.word[node]])
        for parent in range(1, model.level_bounds[1])
        for node in range(model.first_child[parent], model.first_child[parent + 1])
    }
    assert kept == {("<s>", "a"), ("a", "b"), ("b", "</s>"), ("c", "</s>")}


def test_the_order_of_sentences_does_not_matter() -> None:
    sentences = [sentence.text.split() for sentence in generate(50)]
    one, other = train(sentences, 3, quiet=True), train(sentences[::-1], 3, quiet=True)
    assert one.words == other.words
    assert all(np.array_equal(mine, theirs) for mine, theirs in zip(one.trie, other.trie, strict=True))


def test_a_character_model_knows_the_space_even_where_there_is_none() -> None:
    model = train([list("好棒棒")], 2, unit="character", quiet=True)
    assert " " in model.words and probability(model, "", " ") == pytest.approx(
        probability(model, "", "<unk>")
    )


@pytest.mark.parametrize(
    ("sentences", "order", "prune", "said"),
    [
        ([], 2, (), "no text"),
        (SMALL, 0, (), "at least 1"),
        (SMALL, 2, (0, 0, 1), "3 values to prune by"),
        (SMALL, 2, (1,), "the first value to prune by is 0"),
        (SMALL, 3, (0, 2, 1), "do not fall"),
        (SMALL, 3, (0, -1), "do not fall"),
    ],
)
def test_what_cannot_be_trained_is_told(sentences, order, prune, said) -> None:
    with pytest.raises(LanguageModelError, match=said):
        train(sentences, order, prune=prune, quiet=True)


@pytest.mark.skipif(not shutil.which("lmplz"), reason="KenLM's lmplz is not installed")
@pytest.mark.parametrize("prune", [(0,), (0, 0, 1), (0, 1, 2)])
def test_probabilities_are_those_of_kenlm(prune, tmp_path: Path) -> None:
    texts = [sentence.text for sentence in generate(3000)]
    command = ["lmplz", "-o", "3", "-S", "200M", "-T", str(tmp_path), "--discount_fallback"]
    command += ["--prune", *map(str, prune)]
    done = subprocess.run(command, input="\n".join(texts) + "\n", capture_output=True, text=True, check=True)
    (tmp_path / "kenlm.arpa").write_text(done.stdout)
    theirs = load_ngram(tmp_path / "kenlm.arpa")
    ours = train([text.split() for text in texts], 3, prune=prune, quiet=True)
    assert ours.sizes == theirs.sizes
    for sentence in [*texts[:300], *(s.text for s in generate(300, split="test")), "to nowhere to"]:
        words = sentence.split()
        assert np.abs(ours.scores(words) - theirs.scores(words)).max() < 1e-4


def test_levels_are_sorted_as_the_trie_promises() -> None:
    model = train([sentence.text.split() for sentence in generate(100)], 3, quiet=True)
    assert all(model.first_child[:-1] <= model.first_child[1:])
    for node, (begin, end) in enumerate(pairwise(model.first_child)):
        assert (np.diff(model.word[begin:end]) > 0).all(), node
