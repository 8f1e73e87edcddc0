"""Prefix beam search without language, against the sum over all paths."""

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch

from asr.acoustic.ctc import BLANK
from asr.decoding import BeamSearch, Hypothesis
from asr.decoding.config import DecodingConfig
from asr.tokens import BLANK_SYMBOL, Tokens
from tests.asr.decoding.enumeration import all_labellings, distinct, ranked, text_of

WIDE = DecodingConfig(method="beam", beam=2000, beam_threshold=math.inf, token_threshold=0)


def alphabet(letters: str) -> Tokens:
    return Tokens([BLANK_SYMBOL, *letters])


def random_log_probs(generator: np.random.Generator, steps: int, tokens: int, sharpness: float) -> np.ndarray:
    """`[1, time, tokens]`, from even to nearly certain."""
    drawn = generator.normal(0, sharpness, (1, steps, tokens))
    return torch.tensor(drawn, dtype=torch.float32).log_softmax(2).numpy()


def decode_one(search: BeamSearch, log_probs: np.ndarray, n_best: int = 1) -> list[Hypothesis]:
    (found,) = search.decode(log_probs, np.array([log_probs.shape[1]]), n_best=n_best)
    return found


@pytest.mark.parametrize(("letters", "longest"), [("a", 9), ("ab", 6), ("abc", 5), (" a", 6), ("a b", 5)])
def test_a_wide_beam_finds_every_labelling_with_its_probability(letters: str, longest: int) -> None:
    search, generator = BeamSearch(alphabet(letters), WIDE), np.random.default_rng(len(letters) + longest)
    for case in range(500):
        log_probs = random_log_probs(
            generator, case % (longest + 1), len(letters) + 1, generator.choice([0.3, 1, 3])
        )
        expected = ranked(all_labellings(log_probs[0]), lambda _: 0.0)
        found = decode_one(search, log_probs, n_best=10**6)
        assert found[0].tokens == expected[0][0] or found[0].score == pytest.approx(expected[0][1], abs=1e-5)
        texts = [text_of(each.tokens, search.tokens) for each in found]
        wanted = distinct(expected, search.tokens)
        assert sorted(texts) == sorted(text for text, _ in wanted)
        assert [each.score for each in found] == pytest.approx([score for _, score in wanted], abs=1e-5)
        assert all(each.acoustic_score == each.score and each.language_score == 0 for each in found)


def test_doubled_tokens_need_a_blank_between_them() -> None:
    tokens = Tokens([BLANK_SYMBOL, "好", "棒"])
    search = BeamSearch(tokens, WIDE)

    def heard(path: list[int]) -> str:
        log_probs = torch.nn.functional.one_hot(torch.tensor([path]), 3).float().mul(8).log_softmax(2).numpy()
        return tokens.decode(decode_one(search, log_probs)[0].tokens)

    assert heard([1, 2, 0, 2]) == "好棒棒"
    assert heard([1, 2, 2, 2]) == "好棒"
    assert heard([1, 0, 2, 0, 0, 2, 2]) == "好棒棒"


def test_paths_that_meet_in_one_labelling_beat_the_single_best_path() -> None:
    log_probs = np.log([[[0.6, 0.4], [0.6, 0.4]]])  # the best path is all blanks: 0.36; "a" has 0.64
    best, other = decode_one(BeamSearch(alphabet("a"), WIDE), log_probs, n_best=5)
    assert best.tokens == (1,)
    assert best.score == pytest.approx(math.log(0.64), abs=1e-6)
    assert (other.tokens, other.score) == ((), pytest.approx(math.log(0.36), abs=1e-6))


def test_what_is_past_the_lengths_changes_nothing() -> None:
    generator = np.random.default_rng(1)
    search = BeamSearch(alphabet("ab c"), DecodingConfig(beam=8))
    rows = [random_log_probs(generator, steps, 5, 2.0) for steps in (0, 1, 7, 30, 12)]
    for filler in (0.0, math.nan, math.inf):
        batch = np.full((len(rows), 33, 5), filler, np.float32)
        for row, one in zip(batch, rows, strict=True):
            row[: one.shape[1]] = one[0]
        found = search.decode(batch, np.array([row.shape[1] for row in rows]), n_best=4)
        assert found == [decode_one(search, row, n_best=4) for row in rows]


def test_threads_change_nothing() -> None:
    log_probs = torch.randn(24, 40, 6, generator=torch.Generator().manual_seed(2)).log_softmax(2).numpy()
    lengths = np.arange(24) + 10
    search, threads = BeamSearch(alphabet("abc d"), DecodingConfig(beam=20)), torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        alone = search.decode(log_probs, lengths, n_best=3)
        torch.set_num_threads(4)
        assert search.decode(log_probs, lengths, n_best=3) == alone
    finally:
        torch.set_num_threads(threads)


def test_no_steps_and_one_step() -> None:
    search = BeamSearch(alphabet("ab"), WIDE)
    (nothing,) = decode_one(search, np.zeros((1, 0, 3)))
    assert nothing == Hypothesis((), (), (), (), 0.0, 0.0, 0.0)
    first, second, third = decode_one(search, np.log([[[0.3, 0.6, 0.1]]]), n_best=9)
    assert (first.tokens, second.tokens, third.tokens) == ((1,), (), (2,))
    assert (first.starts, first.ends) == ((0,), (1,))
    assert first.confidences == pytest.approx((0.6,))
    assert search.decode(np.zeros((0, 5, 3)), np.zeros(0, np.int64)) == []


def test_impossible_tokens_and_steps() -> None:
    search = BeamSearch(alphabet("ab"), WIDE)
    log_probs = torch.tensor([[[0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [0.5, 0.0, 0.5]]]).log().numpy()
    (only,) = decode_one(search, log_probs, n_best=5)
    assert only.tokens == (1, 2)
    assert only.score == pytest.approx(0.0, abs=1e-6)
    log_probs[0, 1] = -math.inf
    (none,) = decode_one(search, log_probs, n_best=5)
    assert none.score == -math.inf
    assert none.tokens == ()


def test_random_zeros_agree_with_enumeration() -> None:
    generator, search = np.random.default_rng(3), BeamSearch(alphabet("ab"), WIDE)
    for case in range(300):
        log_probs = random_log_probs(generator, 1 + case % 5, 3, 1.0)
        log_probs[generator.random(log_probs.shape) < 0.3] = -math.inf
        expected = ranked(all_labellings(log_probs[0]), lambda _: 0.0)
        found = decode_one(search, log_probs, n_best=100)
        if expected:
            assert [each.score for each in found] == pytest.approx([score for _, score in expected], abs=1e-5)
        else:
            assert found[0].score == -math.inf


def test_a_narrow_beam_is_never_better_and_mostly_as_good() -> None:
    generator = np.random.default_rng(4)
    searches = [
        BeamSearch(alphabet("abcde"), WIDE.model_copy(update={"beam": beam})) for beam in (1, 4, 30, 1000)
    ]
    agreed = np.zeros(4, int)
    for _ in range(50):
        log_probs = random_log_probs(generator, 15, 6, 4.0)
        found = [decode_one(search, log_probs)[0] for search in searches]
        assert max(each.score for each in found[:3]) <= found[3].score + 1e-6
        agreed += [each.tokens == found[3].tokens for each in found]
    assert 5 < agreed[0] < 45 <= agreed[2]


def plain_search(
    log_probs: np.ndarray,
    settings: DecodingConfig,
    possible: Callable[[tuple[int, ...]], bool] = lambda prefix: True,
) -> dict[tuple[int, ...], float]:
    """Prefix beam search as one would write it with dictionaries; only of prefixes that are possible."""
    beam: dict[tuple[int, ...], tuple[float, float]] = {(): (1.0, 0.0)}
    for row in np.exp(log_probs.astype(np.float64)):
        stays, grown = {}, {}
        for prefix, (blank, label) in beam.items():
            stays[prefix] = [(blank + label) * row[BLANK], label * row[prefix[-1]] if prefix else 0.0]
        for prefix, (blank, label) in beam.items():
            for token in range(1, len(row)):
                longer = (*prefix, token)
                arriving = (blank if prefix and prefix[-1] == token else blank + label) * row[token]
                if longer in beam:
                    stays[longer][1] += arriving
                elif (row[token] >= settings.token_threshold or row[token] == row.max()) and possible(longer):
                    grown[longer] = [0.0, arriving]
        everything = {**stays, **grown}
        best = sorted(everything, key=lambda prefix: -sum(everything[prefix]))[: settings.beam]
        least = sum(everything[best[0]]) * math.exp(-settings.beam_threshold)
        beam = {prefix: tuple(everything[prefix]) for prefix in best if sum(everything[prefix]) >= least}
    return {prefix: math.log(sum(parts)) for prefix, parts in beam.items() if sum(parts) > 0}


@pytest.mark.parametrize("beam", [1, 3, 40])
def test_a_narrow_beam_keeps_just_what_it_should(beam: int) -> None:
    """The prefixes that are left, and their probabilities; beams shrink and grow by the threshold."""
    generator = np.random.default_rng(beam)
    settings = DecodingConfig(beam=beam, beam_threshold=6.0, token_threshold=0.001)
    search = BeamSearch(alphabet("abcd"), settings)
    for _ in range(60):
        steps = [
            random_log_probs(generator, 1, 5, sharpness)
            for sharpness in generator.choice([0.5, 3.0, 9.0], 40)
        ]
        log_probs = np.concatenate(steps, axis=1)
        expected = plain_search(log_probs[0], settings)
        found = {each.tokens: each.score for each in decode_one(search, log_probs, n_best=99)}
        assert found == pytest.approx(expected, abs=1e-6)


def test_thresholds_drop_prefixes_and_tokens() -> None:
    log_probs = torch.tensor([[[0.9, 0.0989, 0.0011], [0.01, 0.0, 0.99]]]).log().numpy()

    def texts(**changes: float) -> set[tuple[int, ...]]:
        search = BeamSearch(alphabet("ab"), WIDE.model_copy(update=changes))
        return {each.tokens for each in decode_one(search, log_probs, n_best=99)}

    assert texts() == {(), (1,), (2,), (1, 2)}
    assert texts(beam_threshold=4.0) == {(1, 2), (2,)}
    assert texts(beam_threshold=2.0) == {(2,)}
    assert texts(token_threshold=0.5) == {(), (2,)}
    assert texts(token_threshold=0.999) == {
        (),
        (2,),
    }  # no token is so likely; the likeliest extends all the same


def test_equal_probabilities_fill_the_beam_and_no_more() -> None:
    even = np.full((1, 4, 4), math.log(0.25))
    assert (
        len(decode_one(BeamSearch(alphabet("abc"), WIDE.model_copy(update={"beam": 5})), even, n_best=99))
        == 5
    )


def test_many_tokens_as_in_chinese() -> None:
    """Enough tokens for every branch of sorting and growing tables; the beam agrees with the greedy path."""
    tokens = Tokens([BLANK_SYMBOL, *(chr(0x4E00 + number) for number in range(3000))])
    path = np.random.default_rng(5).integers(1, 3001, 200)
    path[::3] = BLANK
    log_probs = torch.randn(1, 200, 3001, generator=torch.Generator().manual_seed(6))
    log_probs[0, torch.arange(200), torch.tensor(path)] += 16
    log_probs = log_probs.log_softmax(2).numpy()
    for threshold in (0.0, 1e-5):
        settings = DecodingConfig(beam=40, token_threshold=threshold, beam_threshold=math.inf)
        (best,) = decode_one(BeamSearch(tokens, settings), log_probs)
        assert list(best.tokens) == [token for token in path.tolist() if token != BLANK]


def test_times_are_those_of_the_likeliest_path() -> None:
    path = [0, 1, 1, 0, 2, 0, 2, 2]
    log_probs = torch.nn.functional.one_hot(torch.tensor([path]), 3).float().mul(6).log_softmax(2).numpy()
    (best,) = decode_one(BeamSearch(alphabet("ab"), DecodingConfig()), log_probs)
    assert best.tokens == (1, 2, 2)
    assert (best.starts, best.ends) == ((1, 4, 6), (3, 5, 8))
    assert all(0.9 < confidence < 1 for confidence in best.confidences)


def test_wrong_shapes_and_nan_are_refused() -> None:
    search = BeamSearch(alphabet("ab"), DecodingConfig())
    with pytest.raises(ValueError, match="3 tokens"):
        search.decode(np.zeros((1, 4, 5)), np.array([4]))
    with pytest.raises(ValueError, match="NaN"):
        search.decode(np.full((1, 4, 3), math.nan), np.array([4]))
