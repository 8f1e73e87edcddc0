"""Inverse text normalization: spoken requests as people write them, with offsets kept."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slot_filling.tagging import Slot
from sluice.inverse_text_normalization import inverse_normalize, inverse_normalize_slot

pytest.importorskip("text_to_num")


def slot(label: str, text: str, start: int = 0) -> Slot:
    return Slot(label, text, start, start + len(text), 0.9)


@pytest.mark.parametrize(
    ("label", "spoken", "written"),
    [
        ("date", "november second", "November 2nd"),
        ("date", "the twenty first of june", "the 21st of June"),
        ("date", "next friday", "next Friday"),
        ("date", "tomorrow", "tomorrow"),
        ("time", "two thirty p m", "2:30 PM"),
        ("time", "seven oh five", "7:05"),
        ("time", "three p m", "3 PM"),
        ("time", "half past seven", "half past 7"),
        ("time", "three o'clock", "3 o'clock"),
        ("time", "noon", "noon"),
        ("price", "two hundred fifty dollars", "$250"),
        ("price", "one thousand three hundred euros", "€1,300"),
        ("price", "twenty baht", "20 THB"),
        ("price", "cheap", "cheap"),
        ("flight", "three one two", "312"),
        ("flight", "seven oh two", "702"),
        ("count", "two", "2"),
        ("city", "new york", "New York"),
        ("city", "ōsaka", "Ōsaka"),
        ("class", "first class", "first class"),
    ],
)
def test_a_slot_gets_its_written_form(label: str, spoken: str, written: str) -> None:
    assert inverse_normalize_slot(slot(label, spoken), names={"city"}) == written


def test_offsets_can_be_converted() -> None:
    text = "i go from boston at two thirty p m to taipei and i am late"
    labelled = [("city", "boston"), ("time", "two thirty p m"), ("city", "taipei")]
    normalized = inverse_normalize(
        text, [slot(label, part, text.index(part)) for label, part in labelled], {"city"}
    )
    assert normalized.text == "I go from Boston at 2:30 PM to Taipei and I am late"
    assert [normalized.text[span.written_start : span.written_end] for span in normalized.spans] == [
        "Boston",
        "2:30 PM",
        "Taipei",
    ]
    assert [text[span.start : span.end] for span in normalized.spans] == [part for _, part in labelled]
    for word in ("go", "from", "at", "to", "and", "late"):
        assert normalized.written_offset(
            text.index(f" {word} ") + 1 if word != "late" else text.index("late")
        ) == (normalized.text.index(f" {word} ") + 1 if word != "late" else normalized.text.index("late"))
    assert normalized.written_offset(text.index("thirty")) == normalized.text.index("2:30")


def test_without_slots_only_the_first_letter_changes() -> None:
    assert inverse_normalize("how much is it", []).text == "How much is it"
    assert inverse_normalize("", []).text == ""


@given(
    text=st.text(st.characters(codec="utf-8"), min_size=1),
    label=st.sampled_from(["city", "time", "price", "date"]),
)
def test_any_text_between_slots_keeps_its_length(text: str, label: str) -> None:
    normalized = inverse_normalize(f"{text} two {text}", [slot(label, "two", len(text) + 1)], {"city"})
    (span,) = normalized.spans
    assert span.written_start == len(text) + 1
    assert len(normalized.text) - span.written_end == len(text) + 1
    assert normalized.written_offset(len(f"{text} two {text}")) == len(normalized.text)
