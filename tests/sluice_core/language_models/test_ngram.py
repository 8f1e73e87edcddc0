"""The n-gram's data structure: scores against the definition of back-off, and the binary file."""

import json
import math
import mmap
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import save_file

from sluice_core.language_models.ngram import NGram, load_ngram, lookup, save_ngram
from sluice_core.language_models.units import END, NEVER, RESERVED, START, LanguageModelError

LETTERS = "abc"
Entries = dict[tuple[str, ...], tuple[float, float]]


def by_definition(entries: Entries, history: tuple[str, ...], word: str) -> float:
    """P(w | h) is what the file says, else the back-off weight of h times P(w | h without its first word)."""
    if (*history, word) in entries:
        return entries[(*history, word)][0]
    return entries.get(history, (0.0, 0.0))[1] + by_definition(entries, history[1:], word)


@st.composite
def some_entries(draw: st.DrawFn) -> tuple[int, Entries]:
    """An order, and n-grams some of whose prefixes and suffixes are missing."""
    order = draw(st.integers(1, 4))
    value = st.tuples(st.floats(-5, 0), st.floats(-3, 1))
    words = [*RESERVED, *LETTERS]
    entries = {(word,): draw(value) for word in words}
    longer = st.lists(st.sampled_from(words), min_size=2, max_size=max(order, 2)).map(tuple)
    if order > 1:
        entries |= draw(st.dictionaries(longer, value, max_size=25))
    return order, entries


@settings(max_examples=300, deadline=None)
@given(some_entries(), st.lists(st.sampled_from([*LETTERS, "stranger"]), max_size=8), st.booleans())
def test_scores_are_those_of_the_definition(model_entries, text, start) -> None:
    order, entries = model_entries
    model = NGram.build(order, "word", entries)
    history: tuple[str, ...] = (START,) if start else ()
    expected = []
    for word in [*(word if word in LETTERS else "<unk>" for word in text), END]:
        expected.append(by_definition(entries, history[max(0, len(history) - order + 1) :], word))
        history += (word,)
    assert np.allclose(model.scores(text, start=start), expected, atol=1e-5)
    assert model.score(text, start=start) == pytest.approx(sum(expected), abs=1e-4)
    assert model.score(text, start=start, end=False) == pytest.approx(sum(expected[:-1]), abs=1e-4)


@settings(max_examples=100, deadline=None)
@given(some_entries(), st.lists(st.sampled_from(LETTERS), max_size=8))
def test_a_state_is_the_shortest_context_that_says_the_same(model_entries, text) -> None:
    order, entries = model_entries
    model = NGram.build(order, "word", entries)
    node = model.start_state
    for word in text:
        _, node = lookup(*model.trie, node, model.ids[word])
        leaf = model.first_child[node] == model.first_child[node + 1] and model.backoff[node] == 0
        assert node == 0 or not leaf
    assert node < model.level_bounds[-2] if order > 1 else True  # the longest n-grams are no context


def test_an_inserted_prefix_has_what_back_off_gives() -> None:
    unigrams: Entries = {("a",): (-1.0, -0.1), ("b",): (-1.5, -0.2), ("c",): (-2.0, -0.4)}
    kept: Entries = {("a", "b"): (-0.5, -0.8), ("a", "b", "c", "a"): (-0.25, 0.0)}
    model = NGram.build(4, "word", unigrams | kept)
    scores = model.scores(["a", "b", "c", "a"], start=False, end=False)
    assert np.allclose(scores, [-1.0, -0.5, -0.8 - 0.2 - 2.0, -0.25])


def small() -> NGram:
    """A trigram over some words, one of them not ASCII."""
    return NGram.build(
        3,
        "word",
        {
            (START,): (NEVER, -0.5), (END,): (-1.0, 0.0), ("<unk>",): (-4.0, 0.0), ("好",): (-1.5, -0.2),
            ("oslo",): (-2.0, -0.1), (START, "好"): (-0.3, -0.7), ("好", "oslo"): (-0.9, 0.0),
            (START, "好", "oslo"): (-0.1, 0.0),
        },
    )  # fmt: skip


def test_the_layout_of_the_trie() -> None:
    model = small()
    assert model.words == [*RESERVED, "oslo", "好"]
    assert model.level_bounds == [1, 6, 8, 9] and model.sizes == [5, 2, 1]
    assert model.first_child.tolist() == [1, 6, 6, 7, 7, 7, 8, 9, 9, 9]
    assert model.word.tolist() == [-1, 0, 1, 2, 3, 4, 4, 3, 3]
    assert model.suffix.tolist() == [0, 0, 0, 0, 0, 0, 5, 4, 7]
    assert not any(array.flags.writeable for array in model.trie)


def test_a_text_score_counts_unknown_words_and_ends() -> None:
    model = small()
    score = model.score_text([["好", "oslo"], ["bergen"], []])
    assert (score.sentences, score.words, score.unknown) == (3, 3, 1)
    known = [-0.3, -0.1, -0.1 - 1.0]  # 好, oslo, </s> by back-off from oslo, whose weight is -0.1
    total = sum(known) + (-0.5 - 4.0) - 1.0 + (-0.5 - 1.0)
    assert score.log_prob == pytest.approx(total, abs=1e-5)
    assert score.perplexity == pytest.approx(math.exp(-total / 6), rel=1e-5)
    assert score.perplexity_without_ends == pytest.approx(math.exp((0.3 + 0.1 + 4.5) / 3), rel=1e-5)
    assert score.perplexity_of_known == pytest.approx(math.exp(-(total + 4.5) / 5), rel=1e-5)
    assert model.perplexity([["好", "oslo"], ["bergen"], []]) == score.perplexity


def test_a_word_without_a_unigram_is_named() -> None:
    with pytest.raises(LanguageModelError, match="'oslo'"):
        NGram.build(2, "word", {("to",): (-1, 0), ("to", "oslo"): (-1, 0)})


def test_the_binary_holds_everything_and_is_mapped(tmp_path: Path) -> None:
    model = small()
    path = tmp_path / "deep" / "model.ngram"
    save_ngram(model, path)
    loaded = load_ngram(str(path))
    assert (loaded.order, loaded.unit, loaded.words) == (3, "word", model.words)
    for name, array in loaded.trie._asdict().items():
        assert np.array_equal(array, getattr(model, name)) and array.dtype == getattr(model, name).dtype
        assert not array.flags.writeable and not array.flags.owndata and array.flags.aligned
        buffer = array.base
        while isinstance(buffer, np.ndarray | memoryview):
            buffer = buffer.base if isinstance(buffer, np.ndarray) else buffer.obj
        assert isinstance(buffer, mmap.mmap), f"{name} is no view of the file"
    assert loaded.score(["好", "oslo"]) == model.score(["好", "oslo"])
    save_ngram(model, path)  # a model that is in use can be replaced
    assert loaded.score(["好"]) == model.score(["好"])


def test_a_character_model_stays_one(tmp_path: Path) -> None:
    model = NGram.build(1, "character", {("a",): (-1, 0), (" ",): (-2, 0)})
    for name in ("m.ngram", "m.arpa"):
        save_ngram(model, tmp_path / name)
        loaded = load_ngram(tmp_path / name)
        assert loaded.unit == "character" and loaded.ids[" "] == model.ids[" "]


def _facts(**changes: str) -> dict[str, str]:
    return {"format": "sluice n-gram 1", "order": "3", "unit": "word", **changes}


def _tensors(**changes: np.ndarray) -> dict[str, np.ndarray]:
    text = "".join(small().words).encode()
    bounds = np.cumsum([0, *(len(word.encode()) for word in small().words)])
    given = {
        **small().trie._asdict(),
        "vocabulary": np.frombuffer(text, np.uint8),
        "vocabulary_bounds": bounds,
    }
    return {name: array for name, array in {**given, **changes}.items() if array is not None}


def test_the_tensors_of_the_next_test_are_a_model(tmp_path: Path) -> None:
    save_file(_tensors(), tmp_path / "m", _facts())
    assert load_ngram(tmp_path / "m").score(["oslo"]) == small().score(["oslo"])


@pytest.mark.parametrize(
    ("tensors", "facts", "said"),
    [
        ({}, {"format": "pt"}, "no language model that this version reads"),
        ({}, {"order": "three"}, "damaged: .*three"),
        ({}, {"order": "2"}, "damaged: .*order"),
        ({}, {"unit": "syllable"}, "damaged: .*syllable"),
        ({"suffix": None}, {}, "damaged: .*suffix"),
        ({"suffix": np.zeros(3, np.int32)}, {}, "different lengths"),
        ({"word": np.zeros(9, np.int64)}, {}, "word is I64"),
        ({"vocabulary_bounds": np.array([0, 5])}, {}, "do not belong together"),
        ({"vocabulary_bounds": np.array([0, 9, 5, 12, 16, 19])}, {}, "bounds are not in order"),
        ({"vocabulary": np.full(19, 255, np.uint8)}, {}, "damaged: .*utf-8"),
        ({"vocabulary": np.full(19, 97, np.uint8)}, {}, "does not begin with <unk>"),
    ],
)
def test_a_wrong_binary_is_told(tensors, facts, said, tmp_path: Path) -> None:
    path = tmp_path / "m.ngram"
    save_file(_tensors(**tensors), path, _facts(**facts))
    with pytest.raises(LanguageModelError, match=said) as caught:
        load_ngram(path)
    assert str(path) in str(caught.value)


def test_a_cut_binary_and_foreign_files_are_told(tmp_path: Path) -> None:
    path = tmp_path / "m.ngram"
    save_ngram(small(), path)
    whole = path.read_bytes()
    for size in (len(whole) - 1, 300, 60, 12):
        path.write_bytes(whole[:size])
        with pytest.raises(LanguageModelError, match="cut off, or damaged"):
            load_ngram(path)
    path.write_bytes(b"mmap lm http://kheafield.com/code format version 5\n\0" + bytes(100))
    with pytest.raises(LanguageModelError, match="KenLM's own binary"):
        load_ngram(path)
    for foreign in (b"", b"RIFF....WAVEfmt ", json.dumps({"a": 1}).encode(), bytes(range(256)) * 8):
        path.write_bytes(foreign)
        with pytest.raises(LanguageModelError, match="neither an ARPA file"):
            load_ngram(path)
    for missing in (tmp_path / "nowhere.ngram", tmp_path):
        with pytest.raises(LanguageModelError, match="cannot read"):
            load_ngram(missing)
