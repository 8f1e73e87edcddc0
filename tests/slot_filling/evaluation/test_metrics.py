"""Scores are those of conlleval and of seqeval's strict mode, on proper and on broken tags."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slot_filling.evaluation.metrics import (
    NOTHING,
    SpanCounts,
    confusions,
    intent_accuracy,
    lenient_spans,
    recall_by_novelty,
    right_sentences,
    right_spans,
    score_spans,
    strict_spans,
)
from slot_filling.sentences import Sentence, Span
from sluice_core.errors import UserError

TAGS = st.sampled_from(["O", "O", "B-a", "I-a", "B-b", "I-b"])  # any order: most sequences are no proper IOB2
PAIRS = st.lists(st.lists(st.tuples(TAGS, TAGS), min_size=1, max_size=12), min_size=1, max_size=6)


def both(pairs):
    return [[g for g, _ in sentence] for sentence in pairs], [[f for _, f in sentence] for sentence in pairs]


# conlleval's tables, as the program's documentation gives them: between which two prefixes a chunk ends or begins.
ENDS = {"BB", "BO", "IB", "IO", "EE", "EI", "EO"}
BEGINS = {"BB", "IB", "OB", "OI", "EE", "EI", "OE"}


def conlleval(gold, found):
    """The counting loop of conlleval: chunks are followed word by word, never listed."""
    right, in_gold, in_found = Counter(), Counter(), Counter()
    for tags, answers in zip(gold, found, strict=True):
        before, inside = [("O", ""), ("O", "")], False
        for pair in [*zip(tags, answers, strict=True), ("O", "O")]:
            now = [(tag[0], tag[2:]) for tag in pair]
            ends = [
                last + next_ in ENDS or (last != "O" and label != next_label)
                for (last, label), (next_, next_label) in zip(before, now, strict=True)
            ]
            begins = [
                last + next_ in BEGINS or (next_ != "O" and label != next_label)
                for (last, label), (next_, next_label) in zip(before, now, strict=True)
            ]
            if inside and all(ends) and before[0][1] == before[1][1]:
                inside = False
                right[before[0][1]] += 1
            elif inside and (ends[0] != ends[1] or now[0][1] != now[1][1]):
                inside = False
            if all(begins) and now[0][1] == now[1][1]:
                inside = True
            in_gold[now[0][1]] += begins[0]
            in_found[now[1][1]] += begins[1]
            before = now
    return {label: SpanCounts(in_gold[label], in_found[label], right[label])
            for label in in_gold | in_found if in_gold[label] or in_found[label]}  # fmt: skip


@given(PAIRS)
@settings(max_examples=600, deadline=None)
def test_counts_are_those_of_conllevals_loop(pairs):
    gold, found = both(pairs)
    assert dict(score_spans(gold, found).labels) == conlleval(gold, found)


@given(PAIRS)
@settings(max_examples=300, deadline=None)
@pytest.mark.filterwarnings("ignore")
def test_scores_are_those_of_seqeval(pairs):
    metrics = pytest.importorskip("seqeval.metrics")
    scheme = pytest.importorskip("seqeval.scheme")
    gold, found = both(pairs)
    for rules, options in (("conlleval", {}), ("strict", {"mode": "strict", "scheme": scheme.IOB2})):
        ours = score_spans(gold, found, rules)
        options["zero_division"] = 0
        assert ours.f1 == pytest.approx(metrics.f1_score(gold, found, **options))
        assert ours.precision == pytest.approx(metrics.precision_score(gold, found, **options))
        assert ours.recall == pytest.approx(metrics.recall_score(gold, found, **options))
        if ours.labels:
            report = metrics.classification_report(gold, found, output_dict=True, **options)
            for label, counts in ours.labels.items():
                assert report[label]["f1-score"] == pytest.approx(counts.f1)
                assert report[label]["support"] == counts.gold
        assert ours.accuracy == pytest.approx(metrics.accuracy_score(gold, found))


def test_percentages_that_the_conll_2000_task_published():
    """processed 961 tokens with 459 phrases; found: 539 phrases; correct: 371."""
    counts = SpanCounts(459, 539, 371)
    assert [round(100 * value, 2) for value in (counts.precision, counts.recall, counts.f1)] == [
        68.83,
        80.83,
        74.35,
    ]


def test_the_two_rules_differ_on_broken_tags_only():
    broken = ["I-a", "I-a", "O", "B-a", "I-b", "I-b"]
    assert lenient_spans(broken) == [Span("a", 0, 2), Span("a", 3, 4), Span("b", 4, 6)]
    assert strict_spans(broken) == [Span("a", 3, 4)]
    proper = ["B-a", "I-a", "B-a", "O", "B-b"]
    assert (
        lenient_spans(proper) == strict_spans(proper) == [Span("a", 0, 2), Span("a", 2, 3), Span("b", 4, 5)]
    )
    assert lenient_spans(["B-a", "I-a", "E-a", "S-a", "S-b", "E-b"]) == [
        Span("a", 0, 3), Span("a", 3, 4), Span("b", 4, 5), Span("b", 5, 6),
    ]  # fmt: skip


def test_the_table_and_the_plain_values():
    scores = score_spans([["B-x", "O", "B-y"]], [["B-x", "B-x", "O"]])
    assert scores.rows() == [
        ["x", 50.0, 100.0, 66.67, 1, 2],
        ["y", 0.0, 0.0, 0.0, 1, 0],
        ["all", 50.0, 50.0, 50.0, 2, 2],
    ]
    assert scores.to_dict()["labels"]["x"]["right"] == 1
    assert scores.accuracy == pytest.approx(1 / 3)
    nothing = score_spans([[], ["O"]], [[], ["O"]])
    assert (nothing.f1, nothing.precision, nothing.recall, nothing.accuracy) == (0, 0, 0, 1)


def test_other_sentences_are_an_error():
    with pytest.raises(UserError, match="1 sentence in the reference, but 2 answers"):
        score_spans([["O"]], [["O"], ["O"]])
    with pytest.raises(UserError, match="sentence 2: 1 tag in the reference, but 2 in the answer"):
        score_spans([["O"], ["O"]], [["O"], ["O", "O"]])


def test_confusions_by_overlap():
    gold = ["B-from", "I-from", "O", "B-to", "O", "B-date", "I-date", "O"]
    found = ["B-to", "B-from", "O", "B-to", "O", "B-date", "O", "B-time"]
    assert confusions([gold], [found]) == {
        ("from", "to"): 1, ("to", "to"): 1, ("date", "date"): 1, (NOTHING, "time"): 1,
    }  # fmt: skip
    assert confusions([["B-a", "I-a", "I-a"]], [["B-b", "B-c", "I-c"]]) == {("a", "c"): 1}
    assert confusions([["B-a"]], [["O"]]) == {("a", NOTHING): 1}


def test_intents_by_exact_match_where_there_are_any():
    assert intent_accuracy(["a", "a#b", None], ["a", "a", "c"]) == 0.5
    assert intent_accuracy([None], ["a"]) is None


def test_whole_sentences():
    gold = [Sentence(("x", "y"), ("B-a", "O"), "go"), Sentence(("x",), ("O",), None)]
    assert right_sentences(gold, [["B-a", "O"], ["O"]], ["go", "stop"]) == [True, True]
    assert right_sentences(gold, [["B-a", "O"], ["B-a"]], ["stop", None]) == [False, False]
    assert right_sentences(gold, [["B-a", "B-a"], ["O"]]) == [False, True]


def test_slots_held_against_the_reference():
    assert right_spans(["B-a", "I-a", "B-b"], [Span("a", 0, 2), Span("b", 1, 2), Span("b", 2, 3)]) == [
        True,
        False,
        True,
    ]


def test_recall_of_spans_with_unknown_words():
    gold = [Sentence(("to", "New", "York", "or", "Kyoto"), ("O", "B-c", "I-c", "O", "B-c"))]
    recalls = recall_by_novelty(
        gold, [["O", "B-c", "I-c", "O", "O"]], {"to", "New", "York", "or"}.__contains__
    )
    assert recalls == {"known": SpanCounts(1, 0, 1), "unknown": SpanCounts(1, 0, 0)}
