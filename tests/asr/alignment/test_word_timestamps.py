"""Times of words from steps and silences, and texts laid along recordings."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from asr.acoustic.voice_activity import Silences
from asr.alignment.text import align_text
from asr.alignment.word_timestamps import spoken_words, word_times
from asr.decoding import Hypothesis
from asr.decoding.forced_alignment import AlignmentError
from asr.tokens import Tokens, TokensError

STEP = 0.04
TOKENS = Tokens(["<blank>", " ", "a", "b"])


def marks(seconds: float, *silences: tuple[float, float]) -> np.ndarray:
    speech = np.ones(round(100 * seconds), bool)
    for start, end in silences:
        speech[round(100 * start) : round(100 * end)] = False
    return speech


def times(
    text: str, steps: list[int], speech: np.ndarray | None, seconds: float
) -> list[tuple[float, float]]:
    """Times of the words of a text whose characters are emitted at `steps`, one step each."""
    groups = TOKENS.words(TOKENS.encode(text))
    silences = None if speech is None else Silences(speech, 16000)
    return word_times(groups, steps, [step + 1 for step in steps], STEP, seconds, silences)


def test_close_words_meet_where_the_space_is() -> None:
    # a at step 2, space at 4, b at 5: their letters are two steps apart, so silence is not asked for
    speech = marks(0.4, (0.12, 0.2))
    assert times("a b", [2, 4, 5], speech, 0.4) == [
        (pytest.approx(0.06), pytest.approx(0.14)),
        (pytest.approx(0.14), pytest.approx(0.22)),
    ]


def test_a_pause_is_left_between_words() -> None:
    found = times("ab ab", [3, 4, 20, 22, 24], marks(1.2, (0.3, 0.8), (0.35, 0.36)), 1.2)
    assert found[0][1] == pytest.approx(0.3)
    assert found[1][0] == pytest.approx(0.8)


def test_a_long_gap_without_silence_is_divided_at_the_space() -> None:
    (_, end), (start, _) = times("a b", [2, 8, 12], marks(0.6), 0.6)
    assert end == start == pytest.approx(7.5 * STEP)


def test_without_marks_a_word_by_a_pause_has_its_letters_alone() -> None:
    (_, end), (start, _) = times("a b", [2, 8, 12], None, 0.6)
    assert (end, start) == (pytest.approx(2.5 * STEP), pytest.approx(11.5 * STEP))


def test_the_recording_begins_and_ends_in_silence() -> None:
    # the first letter is emitted at once, as recurrent models do, long before it is heard
    ((start, end),) = times("ab", [0, 8], marks(1, (0, 0.25), (0.6, 1)), 1)
    assert (start, end) == (pytest.approx(0.25), pytest.approx(0.6))


def test_a_pause_may_reach_into_the_first_letter_but_not_beyond() -> None:
    _, (start, _) = times("a ab", [2, 16, 18, 24], marks(1.2, (0.2, 0.85)), 1.2)
    assert start == pytest.approx(0.85)
    _, (start, _) = times("a ab", [2, 16, 18, 24], marks(1.2, (0.2, 1.1)), 1.2)
    assert start == pytest.approx(23.5 * STEP)


def test_words_in_utter_silence_keep_a_step() -> None:
    for start, end in times("a b", [4, 16, 24], marks(1.2, (0, 1.2)), 1.2):
        assert end - start == pytest.approx(STEP)


def test_subwords_without_a_space_between_meet_halfway() -> None:
    assert word_times([[0], [1]], [2, 4], [3, 5], STEP, 1) == [
        (pytest.approx(0.06), pytest.approx(0.12)),
        (pytest.approx(0.12), pytest.approx(0.18)),
    ]


@given(st.data())
def test_words_are_in_order_and_within_the_recording(data: st.DataObject) -> None:
    text = " ".join(data.draw(st.lists(st.sampled_from(["a", "ab", "bab"]), min_size=1, max_size=5)))
    gaps = data.draw(st.lists(st.integers(0, 6), min_size=len(text), max_size=len(text)))
    steps = list(np.cumsum(gaps) + np.arange(len(text)))
    seconds = (steps[-1] + 1) * STEP
    speech = np.array(data.draw(st.lists(st.booleans(), min_size=1, max_size=round(100 * seconds))))
    speech = np.repeat(speech, data.draw(st.integers(1, 8)))[: round(100 * seconds)]
    for given_speech in (None, speech):
        found = times(text, steps, given_speech, seconds)
        flat = [seconds for word in found for seconds in word]
        assert flat == sorted(flat)
        assert flat[0] >= 0 and flat[-1] <= seconds
        assert all(end - start > 0.01 for start, end in found)


def test_longest_silence() -> None:
    silences = Silences(marks(1, (0.1, 0.12), (0.3, 0.35), (0.9, 1)), 16000)
    assert silences.longest(0, 0.8) == (pytest.approx(0.3), pytest.approx(0.35))
    assert silences.longest(0, 2) == (pytest.approx(0.9), pytest.approx(1))
    assert silences.longest(0, 0.2) is None  # too short to be one
    assert silences.longest(0.5, 0.5) is None


@pytest.mark.parametrize(
    "rate", [16000, 22050, 11025]
)  # at the latter two a frame is no hundredth of a second
def test_silences_are_found_in_samples(rate: int) -> None:
    generator = np.random.default_rng(0)
    samples = generator.normal(0, 0.1, 25 * rate).astype(np.float32)
    samples[np.arange(len(samples)) % rate > 0.6 * rate] *= 0.001  # the rest of every second
    found = Silences.detect(samples, rate).longest(23.9, 24.9)
    assert found == (pytest.approx(24.6, abs=0.03), pytest.approx(24.9, abs=0.03))


def test_no_words() -> None:
    empty = Hypothesis((), (), (), (), 0.0, 0.0)
    assert spoken_words(empty, TOKENS, STEP, 1.0) == ()


def log_probs_of(path: list[int]) -> np.ndarray:
    return torch.nn.functional.one_hot(torch.tensor(path), 4).float().mul(9).log_softmax(1).numpy()


def test_a_text_is_laid_along_its_recording() -> None:
    log_probs = log_probs_of([0, 2, 2, 0, 3, 0, 1, 2, 0, 0])
    found = align_text(log_probs, " ab\n a ", TOKENS, STEP, 0.4, Silences(marks(0.4), 16000))
    assert [(token.text, token.start, token.end) for token in found.tokens] == [
        ("a", 0.02, 0.1),
        ("b", 0.14, 0.18),
        (" ", 0.22, 0.26),
        ("a", 0.26, 0.3),
    ]
    assert [(word.text, word.start, word.end) for word in found.words] == [
        ("ab", 0.02, 0.22),
        ("a", 0.22, 0.3),
    ]
    assert all(word.confidence > 0.99 for word in found.words)
    assert found.to_dict()["tokens"][0]["text"] == "a"


def test_what_cannot_be_aligned() -> None:
    log_probs = log_probs_of([0, 2, 0])
    with pytest.raises(AlignmentError, match=r"x\.wav: there is no text"):
        align_text(log_probs, " \n", TOKENS, STEP, 0.12, where="x.wav")
    with pytest.raises(AlignmentError, match=r"x\.wav: .*too long.*4 tokens need at least 5 steps.* has 3"):
        align_text(log_probs, "aaba", TOKENS, STEP, 0.12, where="x.wav")
    with pytest.raises(TokensError, match=r"x\.wav: .*'A'"):
        align_text(log_probs, "A", TOKENS, STEP, 0.12, where="x.wav")
