"""Alignments, and what is counted over them."""

import pytest

from asr.evaluation.error_analysis import align, by_length, by_speaker, confusions, unit_of, worst_first
from asr.evaluation.error_rates import align_texts, character_errors, word_errors
from asr.evaluation.evaluation import Evaluation


def evaluation(
    pairs: list[tuple[str, str]], speakers: str = "", seconds: list[float] | None = None
) -> Evaluation:
    ids = [f"u{number}" for number in range(len(pairs))]
    durations = seconds or [1.0] * len(pairs)
    references, hypotheses = [r for r, _ in pairs], [h for _, h in pairs]
    return Evaluation(ids, list(speakers) or ["s"] * len(pairs), durations, references, hypotheses, {})


PAIRS = [("a b c", "a x c d"), ("a b", ""), ("", "noise here"), ("", ""), ("one two", "one two")]


@pytest.mark.parametrize("unit", ["words", "characters"])
def test_counts_agree_with_the_evaluations(unit) -> None:  # type: ignore[no-untyped-def]
    whole = {"words": word_errors, "characters": character_errors}[unit]
    for utterance, (reference, hypothesis) in zip(align(evaluation(PAIRS), unit), PAIRS, strict=True):
        assert utterance.count == whole([reference], [hypothesis])


def test_an_alignment_holds_both_texts() -> None:
    for edits, (reference, hypothesis) in zip(
        align_texts(*zip(*PAIRS, strict=True), "words"), PAIRS, strict=True
    ):  # type: ignore[arg-type]
        assert [word for edit in edits for word in edit.reference] == reference.split()
        assert [word for edit in edits for word in edit.hypothesis] == hypothesis.split()


def test_confusions_are_counted_by_pair() -> None:
    counts = confusions(align(evaluation([*PAIRS, ("b", "x")]), "words"))
    assert counts["substitute"] == {("b", "x"): 2}
    assert counts["delete"] == {("a", ""): 1, ("b", ""): 1}
    assert counts["insert"] == {("", "d"): 1, ("", "noise"): 1, ("", "here"): 1}


def test_characters_are_the_unit_of_scripts_without_spaces() -> None:
    assert unit_of(["好棒棒", "你好 ok"]) == "characters"
    assert unit_of(["สวัสดี"]) == "characters"
    assert unit_of(["book a flight to 台北", "two seats"]) == "words"
    assert unit_of(["привет мир"]) == "words"
    assert unit_of([]) == unit_of(["12 34"]) == "words"


def test_speakers_come_worst_first_with_all_their_utterances() -> None:
    groups = by_speaker(align(evaluation(PAIRS, "xyyxz"), "words"))
    assert [(g.name, g.utterances, g.count.errors, g.count.total) for g in groups] == [
        ("y", 2, 4, 2),
        ("x", 2, 2, 3),
        ("z", 1, 0, 2),
    ]
    assert by_speaker(align(Evaluation(["u"], [""], [1.0], ["a"], ["a"], {}), "words"))[0].name == "not given"


def test_lengths_are_divided_into_parts_of_like_size() -> None:
    seconds = [0.1 * number for number in range(60)]
    groups = by_length(align(evaluation([("a", "b")] * 60, seconds=seconds), "words"))
    sizes = [group.utterances for group in groups]  # edges are rounded
    assert len(sizes) == 6 and sum(sizes) == 60 and max(sizes) - min(sizes) <= 2
    assert groups[0].name == "under\N{NO-BREAK SPACE}1.0\N{NO-BREAK SPACE}s"
    assert groups[-1].name.endswith("more")
    assert sum(group.seconds for group in groups) == pytest.approx(sum(seconds))


@pytest.mark.parametrize("seconds", [[1.0], [0.4] * 30, [0.41, 0.42, 0.43, 0.44] * 5])
def test_few_or_equal_lengths_are_one_group(seconds: list[float]) -> None:
    groups = by_length(align(evaluation([("a", "b")] * len(seconds), seconds=seconds), "words"))
    assert len(groups) == 1 and groups[0].utterances == len(seconds)


def test_the_worst_comes_first_and_the_longest_faultless_last() -> None:
    pairs = [("a b", "a b"), ("a", "x"), ("a b c", "x y z"), ("a b c", "a b c"), ("a", "x y z"), ("a b", "a")]
    ordered = worst_first(align(evaluation(pairs), "words"))
    assert [utterance.item for utterance in ordered] == [4, 2, 1, 5, 0, 3]
