"""Decoding along a grammar finds what trying every sentence finds, whatever the graph and the alphabet."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
import pytest

from asr.acoustic.ctc import collapse
from asr.decoding.config import GrammarDecodingConfig
from asr.decoding.grammar_automaton import GrammarDecodingError, build_automaton
from asr.decoding.grammar_search import GrammarSearch
from asr.tokens import Tokens, TokensConfig

EXACT = GrammarDecodingConfig(beam_threshold=math.inf, beam=1_000_000, weight=0.7)
SPACED = Tokens(["<blank>", " ", "a", "b"])
CLOSED = Tokens(["<blank>", "a", "b"])
"""An alphabet without a space: nothing is between words, and one may begin with the letter that ends the last."""
WORDS = ("a", "b", "aa", "ab", "ba", "aba")

Arc = tuple[int, int, str, float]


@dataclass
class Graph:
    """A word graph written by hand."""

    words: tuple[str, ...]
    arc_to: np.ndarray
    arc_word: np.ndarray
    arc_score: np.ndarray
    first_arc: np.ndarray
    final_score: np.ndarray


def graph_of(arcs: Sequence[Arc], final: dict[int, float], states: int) -> Graph:
    arcs = sorted(arcs, key=lambda arc: arc[0])
    words = tuple(dict.fromkeys(word for _, _, word, _ in arcs))
    return Graph(
        words,
        np.array([to for _, to, _, _ in arcs], np.int32),
        np.array([words.index(word) for _, _, word, _ in arcs], np.int32),
        np.array([score for *_, score in arcs], np.float32),
        np.searchsorted([arc[0] for arc in arcs], np.arange(states + 1)).astype(np.int32),
        np.array([final.get(state, -np.inf) for state in range(states)], np.float32),
    )


def random_graph(random: np.random.Generator, loops: bool) -> Graph:
    """Some states with doubled words, dead ends, ends in the middle, and loops if wanted."""
    states = int(random.integers(2, 6))
    arcs: list[Arc] = []
    for state in range(states):
        for _ in range(int(random.integers(0 if state else 1, 5))):
            low = 0 if loops else state + 1
            if low < states:
                to = int(random.integers(low, states))
                arcs.append((state, to, str(random.choice(WORDS)), -float(random.exponential(2.0))))
    final = {state: -float(random.exponential(1.0)) for state in range(states) if random.random() < 0.4}
    graph = graph_of(arcs, final, states)
    return graph if any(sentences(graph, longest=4)) else random_graph(random, loops)


def sentences(graph: Graph, longest: int) -> Iterator[tuple[tuple[int, ...], float]]:
    """All sentences of at most so many words, as arcs with their weight."""
    waiting: list[tuple[int, tuple[int, ...], float]] = [(0, (), 0.0)]
    while waiting:
        state, arcs, score = waiting.pop()
        if graph.final_score[state] > -np.inf:
            yield arcs, score + float(graph.final_score[state])
        if len(arcs) < longest:
            for arc in range(graph.first_arc[state], graph.first_arc[state + 1]):
                waiting.append((int(graph.arc_to[arc]), (*arcs, arc), score + float(graph.arc_score[arc])))


def best_paths(log_probs: np.ndarray) -> dict[tuple[int, ...], float]:
    """The log-probability of the best path of every labelling, by trying all paths."""
    best: dict[tuple[int, ...], float] = {}
    steps, size = log_probs.shape
    for path in product(range(size), repeat=steps):
        score = float(log_probs[np.arange(steps), path].astype(np.float64).sum())
        text = tuple(collapse(path))
        best[text] = max(score, best.get(text, -np.inf))
    return best


def tried(
    graph: Graph, tokens: Tokens, log_probs: np.ndarray, weight: float, longest: int
) -> list[tuple[tuple[str, ...], float]]:
    """The sentences that have a path, best first, and each once."""
    space = tokens.encode(" ") if " " in tokens.symbols else []
    acoustic, found = best_paths(log_probs), dict[tuple[str, ...], float]()
    for arcs, score in sentences(graph, longest):
        words = tuple(graph.words[graph.arc_word[arc]] for arc in arcs)
        target = [token for word in words for token in (*space, *tokens.encode(word))][len(space) :]
        total = acoustic.get(tuple(target), -np.inf) + weight * score
        if total > -np.inf:
            found[words] = max(total, found.get(words, -np.inf))
    return sorted(found.items(), key=lambda item: -item[1])


def emissions(random: np.random.Generator, steps: int, tokens: Tokens) -> np.ndarray:
    scores = random.normal(0, 2.5, (steps, len(tokens)))
    return (scores - np.logaddexp.reduce(scores, axis=1, keepdims=True)).astype(np.float32)


@pytest.mark.parametrize("tokens", [SPACED, CLOSED], ids=["spaces", "no spaces"])
@pytest.mark.parametrize("loops", [False, True], ids=["finite", "loops"])
@pytest.mark.parametrize("n_best", [1, 4])
def test_the_best_sentences_are_those_of_trying_all(tokens: Tokens, loops: bool, n_best: int) -> None:
    random = np.random.default_rng(n_best)
    some = 0
    for _ in range(30):
        graph, log_probs = random_graph(random, loops), emissions(random, 6, tokens)
        wanted = tried(graph, tokens, log_probs, EXACT.weight, longest=6)
        (found,) = GrammarSearch(tokens, graph, EXACT).decode(log_probs[None], np.array([6]), n_best)
        assert len(found) == min(n_best, len(wanted))
        np.testing.assert_allclose([each.score for each in found], [s for _, s in wanted[:n_best]], atol=1e-4)
        for each, (words, _) in zip(found, wanted, strict=False):
            assert each.words == words == tuple(graph.words[graph.arc_word[arc]] for arc in each.arcs)
            weights = sum(float(graph.arc_score[arc]) for arc in each.arcs)
            end = int(graph.arc_to[each.arcs[-1]]) if each.arcs else 0
            total = each.acoustic_score + EXACT.weight * (weights + float(graph.final_score[end]))
            assert total == pytest.approx(each.score, abs=1e-4)
        some += len(found)
    assert some > 20


def test_subwords_begin_words_by_themselves() -> None:
    pytest.importorskip("tokenizers", reason="subwords are not installed (the extra 'subwords')")
    tokens = Tokens.learn(["ab ab aba", "ba b b"], TokensConfig(kind="subwords", size=12))
    random = np.random.default_rng(0)
    for _ in range(4):
        arcs = [
            (0, 1, "ab", -0.1),
            (0, 1, "b", -2.0),
            (1, 2, "b", -0.5),
            (1, 2, "aba", -1.0),
            (2, 1, "ab", -3.0),
        ]
        graph, log_probs = graph_of(arcs, {2: 0.0}, 3), emissions(random, 5, tokens)
        wanted = tried(graph, tokens, log_probs, EXACT.weight, longest=5)
        (found,) = GrammarSearch(tokens, graph, EXACT).decode(log_probs[None], np.array([5]), 3)
        assert [each.words for each in found] == [words for words, _ in wanted[:3]]


def test_a_sentence_with_two_meanings_is_one_of_the_best() -> None:
    arcs = [(0, 1, "a", -3.0), (0, 2, "a", -1.0), (0, 1, "b", -2.0), (1, 3, "a", 0.0), (2, 3, "a", 0.0)]
    graph = graph_of(arcs, {3: 0.0}, 4)
    log_probs = emissions(np.random.default_rng(5), 6, SPACED)
    (found,) = GrammarSearch(SPACED, graph, EXACT).decode(log_probs[None], np.array([6]), 5)
    assert sorted(each.words for each in found) == [("a", "a"), ("b", "a")]
    ambiguous = next(each for each in found if each.words == ("a", "a"))
    assert [int(graph.arc_to[arc]) for arc in ambiguous.arcs] == [2, 3], "the likelier meaning"


def test_a_padded_batch_gives_what_each_utterance_gives_alone() -> None:
    random = np.random.default_rng(1)
    graph, lengths = random_graph(random, loops=True), [9, 4, 0, 7, 1]
    rows = [emissions(random, length, SPACED) for length in lengths]
    batch = np.full((5, 9, len(SPACED)), np.nan, np.float32)
    for padded, row in zip(batch, rows, strict=True):
        padded[: len(row)] = row
    search = GrammarSearch(SPACED, graph, GrammarDecodingConfig(weight=0.3))
    together = search.decode(batch, np.array(lengths), 3)
    alone = [search.decode(row[None], np.array([len(row)]), 3)[0] for row in rows]
    assert together == alone
    assert any(together)


def test_words_stand_at_the_steps_of_their_letters() -> None:
    graph = graph_of([(0, 1, "ab", 0.0), (1, 2, "b", 0.0)], {2: 0.0}, 3)
    path = [0, 2, 2, 0, 3, 1, 0, 3, 3, 0]
    log_probs = np.full((1, len(path), 4), -6.0, np.float32)
    log_probs[0, np.arange(len(path)), path] = -0.01
    ((found,),) = GrammarSearch(SPACED, graph).decode(log_probs, np.array([len(path)]))
    assert found.word_steps == ((1, 5), (7, 9))
    assert found.acoustic_score == found.free_score == pytest.approx(-0.1)
    assert SPACED.decode(found.labelling.tokens) == "ab b"
    assert found.labelling.starts == (1, 4, 5, 7)


def test_a_beam_finds_the_same_with_far_fewer_positions() -> None:
    random = np.random.default_rng(2)
    letters = [chr(ord("a") + n) for n in range(8)]
    tokens = Tokens(["<blank>", " ", *letters])
    names = sorted({"".join(random.choice(letters, 6)) for _ in range(500)})
    graph = graph_of([(s, s + 1, name, 0.0) for s in range(3) for name in names], {3: 0.0}, 4)
    spoken = [str(random.choice(names)) for _ in range(3)]
    path = [token for letter in tokens.encode(" ".join(spoken)) for token in (letter, 0)]
    scores = random.normal(0, 1, (1, len(path), len(tokens)))
    scores[0, np.arange(len(path)), path] += 4
    log_probs = scores - np.logaddexp.reduce(scores, axis=2, keepdims=True)
    lengths = np.array([len(path)])
    for settings in (GrammarDecodingConfig(beam_threshold=15), GrammarDecodingConfig(beam=50)):
        ((best,),) = GrammarSearch(tokens, graph, EXACT).decode(log_probs, lengths)
        ((found,),) = GrammarSearch(tokens, graph, settings).decode(log_probs, lengths)
        assert found.words == best.words == tuple(spoken)
        assert found.score == pytest.approx(best.score)


def test_states_with_the_same_words_share_a_trie() -> None:
    names = ["".join(letters) for letters in product("ab", repeat=8)]
    same = [(state, 2, name, -1.0) for state in (0, 1) for name in names]
    once = build_automaton(graph_of(same[: len(names)], {2: 0.0}, 3), SPACED)
    twice = build_automaton(graph_of([*same, (0, 1, "b", -1.0)], {2: 0.0}, 3), SPACED)
    assert len(twice.token) < 2.2 * len(once.token)
    arcs = [*same, (2, 3, "b", 0.0), (3, 4, "b", 0.0)]
    shared = build_automaton(graph_of(arcs, {4: 0.0}, 5), SPACED)
    assert len(shared.token) < len(once.token) + 10, "states 0 and 1 have one trie, 2 and 3 too"
    assert shared.root[0] == shared.root[1]
    assert shared.root[2] == shared.root[3]
    assert shared.base[0] != shared.base[1]


def test_weights_are_known_at_the_first_letter() -> None:
    arcs = [(0, 1, "ab", -5.0), (0, 1, "aa", -1.0), (0, 1, "b", -3.0), (1, 2, "b", -2.0), (1, 2, "a", -4.0)]
    automaton = build_automaton(graph_of(arcs, {2: -1.0}, 3), SPACED)
    assert automaton.best_score == pytest.approx(-4.0)
    root = automaton.root[0]
    first = range(automaton.first_child[root], automaton.last_child[root])
    ahead = {SPACED.symbols[automaton.token[node]]: automaton.ahead[node] for node in first}
    assert ahead == {"a": pytest.approx(0.0), "b": pytest.approx(-2.0)}
    assert automaton.final_score.tolist()[2] == pytest.approx(0.0)


def test_no_sentence_fits() -> None:
    graph = graph_of([(0, 1, "aba", 0.0)], {1: 0.0}, 2)
    assert GrammarSearch(SPACED, graph).decode(np.zeros((1, 2, 4)), np.array([2])) == [[]]
    assert GrammarSearch(SPACED, graph).decode(np.zeros((0, 0, 4)), np.zeros(0, np.int64)) == []


def test_what_cannot_be_decoded_is_said() -> None:
    graph = graph_of([(0, 1, "Ab", 0.0), (0, 1, "a", 0.0)], {1: 0.0}, 2)
    with pytest.raises(
        GrammarDecodingError, match=r"cannot write 1 word of the grammar: 'Ab'.*lacks 'A'.*space a b"
    ):
        GrammarSearch(SPACED, graph)
    with pytest.raises(GrammarDecodingError, match="has no sentence"):
        GrammarSearch(SPACED, graph_of([(0, 1, "a", 0.0)], {}, 2))
    with pytest.raises(GrammarDecodingError, match="a loop whose weights"):
        GrammarSearch(SPACED, graph_of([(0, 0, "a", 0.1)], {0: 0.0}, 1))
    search = GrammarSearch(SPACED, graph_of([(0, 1, "a", 0.0)], {1: 0.0}, 2))
    with pytest.raises(ValueError, match="shape"):
        search.decode(np.zeros((1, 3, 5)), np.array([3]))
    with pytest.raises(ValueError, match="NaN"):
        search.decode(np.full((1, 3, 4), np.nan), np.array([3]))
