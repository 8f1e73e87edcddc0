"""Values of slots, compared with a list made by hand, and never an error."""

import re
import sys
from collections import Counter
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slot_filling.slot_values import KINDS, kinds_of, resolve
from sluice_core.grammar.travel_written import written
from sluice_core.normalization import numerals

DATES = {
    "November 2nd": "0000-11-02",
    "november second": "0000-11-02",
    "Nov 2": "0000-11-02",
    "2 November": "0000-11-02",
    "the 2nd of November": "0000-11-02",
    "twenty first of may": "0000-05-21",
    "THE 2ND OF OCTOBER": "0000-10-02",
    "february twenty sixth": "0000-02-26",
    "the twenty sixth of february": "0000-02-26",
    "12 December 2025": "2025-12-12",
    "March 5, 2027": "2027-03-05",
    "3/14/2026": "2026-03-14",
    "2026-03-14": "2026-03-14",
    "11/25": "0000-11-25",
    "25/11": "0000-11-25",
    "11/2": None,
    "5/5": "0000-05-05",
    "Friday the 22nd": "0000-00-22",
    "the thirty first": "0000-00-31",
    "the 8th": "0000-00-08",
    "Sunday the ninth": "0000-00-09",
    "monday": None,
    "tomorrow": None,
    "next monday": None,
    "this weekend": None,
    "the day after tomorrow": None,
    "next week": None,
    "February 30": None,
    "the 32nd": None,
    "February 29": "0000-02-29",
    "Feb 29, 2026": None,
    "May": "0000-05",
    "september 2026": "2026-09",
    "2026": "2026",
    "Taipei": None,
    "soon": None,
    "july 16th 2022": "2022-07-16",
    "october the third": "0000-10-03",
    "november twenty first two thousand twenty six": "2026-11-21",
    "jan first nineteen ninety nine": "1999-01-01",
    "Nov. 2nd": "0000-11-02",
    "tuesday november 3": "0000-11-03",
    "03.04.2026": None,
    "13.04.2026": "2026-04-13",
    "sept 5": "0000-09-05",
}
TIMES = {
    "2:30 PM": "14:30",
    "two thirty p m": "14:30",
    "9am": "09:00",
    "9 a.m.": "09:00",
    "12 PM": "12:00",
    "12 am": "00:00",
    "twelve thirty a m": "00:30",
    "noon": "12:00",
    "midnight": "00:00",
    "13:45": "13:45",
    "2:30": None,
    "half past seven": None,
    "half past seven p m": "19:30",
    "quarter to eight in the morning": "07:45",
    "seven in the evening": "19:00",
    "eight o'clock": None,
    "8 o'clock pm": "20:00",
    "nine fifty five": None,
    "nine fifty five a m": "09:55",
    "1850": "18:50",
    "705": None,
    "530 pm": "17:30",
    "morning": None,
    "11:00 PM": "23:00",
    "08:30": "08:30",
    "0:15": "00:15",
    "25:00": None,
    "2:75 PM": None,
    "13 pm": None,
    "six oh five p m": "18:05",
    "quarter past three pm": "15:15",
    "ten to six in the evening": "17:50",
    "10 to 11 am": None,
    "8 to 10 am": None,
    "5 to 6 pm": None,
    "nine to ten a m": None,
    "12 to 1 pm": None,
    "two till three in the afternoon": None,
    "ten minutes to eleven a m": "10:50",
    "ten before eleven a m": "10:50",
    "ten past eleven a m": "11:10",
    "quarter to five p m": "16:45",
    "twenty five to two p m": "13:35",
    "3:05pm": "15:05",
    "soon": None,
    "04:08:11 am": "04:08:11",
}
NUMBERS = {
    "three": "3",
    "Ten": "10",
    "7": "7",
    "twenty five": "25",
    "twenty-one": "21",
    "1,300": "1300",
    "two hundred and five": "205",
    "2.5": "2.5",
    "a few": None,
    "a dozen": "12",
    "zero": "0",
    "a hundred": "100",
    "a hundred and five": "105",
    "two and a half": None,
    "minus four": "-4",
    "four seats": None,
    "": None,
}
MONEY = {
    "two hundred fifty dollars": "USD 250",
    "a thousand two hundred dollars": "USD 1200",
    "$250": "USD 250",
    "$ 1,300": "USD 1300",
    "€1,300": "EUR 1300",
    "73 pounds": "GBP 73",
    "330 EUR": "EUR 330",
    "one hundred and ninety euros": "EUR 190",
    "a thousand dollars": "USD 1000",
    "thirteen hundred dollars": "USD 1300",
    "1,000 usd": "USD 1000",
    "$19.99": "USD 19.99",
    "1.300 €": "EUR 1300",
    "NT$3000": "TWD 3000",
    "250": None,
    "cheap": None,
    "US$ 40": "USD 40",
    "$1.5 million": "USD 1500000",
    "$1.250 million": "USD 1250000",
    "£1.125k": "GBP 1125",
    "two point five zero five million dollars": "USD 2505000",
    "1,250 million dollars": "USD 1250000000",
    "1.300.000 €": "EUR 1300000",
    "1.300.000k €": None,
    "1.300,50 million €": None,
    "2,5 million euros": None,
    "5000 yen": "JPY 5000",
    "ninety dollars": "USD 90",
    "five bucks": "USD 5",
    "half price": None,
}
CASES = [
    *(("date", *case) for case in DATES.items()),
    *(("time", *case) for case in TIMES.items()),
    *(("count", *case) for case in NUMBERS.items()),
    *(("price", *case) for case in MONEY.items()),
]
TUESDAY = date(2026, 3, 3)


@pytest.mark.parametrize(("label", "text", "value"), CASES)
def test_values_made_by_hand(label: str, text: str, value: str | None) -> None:
    assert resolve(label, text) == value


@pytest.mark.parametrize(
    ("text", "value"),
    {
        "today": "2026-03-03",
        "tomorrow": "2026-03-04",
        "the day after tomorrow": "2026-03-05",
        "Friday": "2026-03-06",
        "next monday": "2026-03-09",
        "this Tuesday": "2026-03-10",
        "in two weeks": "2026-03-17",
        "10 days from now": "2026-03-13",
        "two weeks": None,
        "this weekend": None,
        "next week": None,
        "November 2nd": "0000-11-02",
    }.items(),
)
def test_relative_dates_count_from_a_given_day(text: str, value: str | None) -> None:
    assert resolve("date", text, TUESDAY) == value


@pytest.mark.parametrize(
    ("label", "text", "value"),
    [
        ("depart_date.day_number", "seventeen", "0000-00-17"),
        ("depart_date.day_number", "40", None),
        ("flight_time", "530", None),
        ("timeRange", "july 16th 2022", "2022-07-16"),
        ("timeRange", "22:54", "22:54"),
        ("stars", "5-star", "5"),
        ("stars", "three star", "3"),
        ("flight", "three oh five", "305"),
        ("flight", "fourteen ninety", "1490"),
        ("flight", "the red eye", None),
        ("fare_amount", "400 dollars", "USD 400"),
        ("fare_amount", "1288", None),
        ("toloc.city_name", "2 pm", None),
        ("party_size_number", "four", "4"),
    ],
)
def test_labels_say_what_to_look_for(label: str, text: str, value: str | None) -> None:
    assert resolve(label, text) == value


def test_a_given_kind_overrules_the_label() -> None:
    assert resolve("departure", "2 pm", kind="time") == "14:00"
    assert resolve("date", "november 2nd", kind="none") is None
    assert kinds_of("departure") == ()


def test_without_text2num_figures_have_values_and_words_have_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "text_to_num", None)
    for cached in (numerals._converter, resolve):
        cached.cache_clear()
    try:
        assert resolve("date", "November 2nd") == "0000-11-02"
        assert resolve("time", "2:30 PM") == "14:30"
        assert resolve("price", "two hundred dollars") is None
    finally:
        for cached in (numerals._converter, resolve):
            cached.cache_clear()


def test_the_embedded_corpus() -> None:
    """Every number and price has a value; of dates and times those that are sure: the others are relative or of two
    halves of the day.
    """
    found, all_of = Counter(), Counter()
    unresolved = set()
    for text, slots, _ in written(1000, 17):
        for label, start, end in slots:
            all_of[label] += 1
            value = resolve(label, text[start:end], TUESDAY)
            found[label] += value is not None
            if label == "time":
                sure = re.search(r"^(noon|midnight)$|[ap]\.? ?m\.?$", text[start:end], re.IGNORECASE)
                assert bool(sure) == (value is not None), text
            if value is None and label == "date":
                unresolved.add(text[start:end].lower())
    for label in ("count", "stars", "flight", "price"):
        assert found[label] == all_of[label]
    assert found["city"] == found["airline"] == 0
    assert found["date"] > 0.8 * all_of["date"]
    no_such_day = {"february 30", "31st", "thirty first"}
    for text in unresolved:
        assert "/" in text or "week" in text or any(each in text for each in no_such_day), text
    assert 0 < found["time"] < all_of["time"] / 2


@given(st.sampled_from(KINDS), st.text(max_size=30), st.one_of(st.none(), st.dates()))
def test_any_text_has_a_value_or_none(kind, text, today) -> None:
    value = resolve("slot", text, today, kind)
    assert value is None or (value.strip() and value.isascii())


PIECES = st.sampled_from(
    re.findall(
        r"\S+",
        "0 1 2 11 12 30 99 1,000 ½ ² ١ 31st 2nd may of the - / . : oh half past quarter to am p.m. $ € nt$ million "
        "a dozen minus one twenty hundred thousand second monday next in days noon o'clock in the evening 2026 k",
    )
)


@given(st.sampled_from(KINDS), st.lists(PIECES, max_size=6), st.sampled_from(["", " "]), st.dates())
def test_any_pieces_of_values_too(kind, pieces, glue, today) -> None:
    value = resolve("slot", glue.join(pieces), today, kind)
    assert value is None or (value.strip() and value.isascii())
