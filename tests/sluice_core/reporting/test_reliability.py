"""Pictures of confidences say in words and in figures what they show."""

from sluice_core.reporting.page import Page
from sluice_core.reporting.reliability import reliability_diagram, risk_coverage_curve
from sluice_core.reporting.sections import confidence_section, training_facts
from tests.pages import check_self_contained


def test_pictures_say_in_words_what_they_show() -> None:
    sure, right = [0.95] * 10 + [0.55] * 10, [True] * 9 + [False] + [True] * 5 + [False] * 5
    diagram = reliability_diagram("Share", {"dev": (sure, right), "none": ([], [])})
    assert (
        diagram
        and "dev: 10 of confidence 0.55 are right in 50%, 10 of confidence 0.95 are right in 90%."
        in diagram.alt
    )
    assert "none" not in diagram.alt and reliability_diagram("Share", {"dev": ([], [])}) is None
    curve = risk_coverage_curve("Risk", "words", {"dev": (sure, right)})
    assert curve and "dev: 10.0% of the surer half, 30.0% of all." in curve.alt
    assert risk_coverage_curve("Risk", "words", {"dev": ([], [])}) is None
    assert "share of the words that is kept" in curve.svg


def test_the_caption_of_a_reliability_diagram_has_the_calibration_errors() -> None:
    diagram = reliability_diagram(
        "Share", {"dev": ([0.9] * 10, [True] * 8 + [False] * 2), "test": ([1.0], [True])}
    )
    assert diagram and diagram.caption == "Expected calibration error: dev 0.100, test 0.000."


def test_the_section_on_confidence_has_its_figures_and_copes_with_a_split_without_answers() -> None:
    splits = {"dev": ([0.9, 0.4], [True, False]), "test": ([], [])}
    section = confidence_section(
        "words", "words", splits, [reliability_diagram("Share", splits), None], "A note."
    )
    reader = check_self_contained(Page("t", sections=[section]).render())
    text = " ".join(" ".join(reader.text).split())
    assert "A note." in text and "Found words of dev by confidence" in text and "words of test" not in text
    assert "40.0% 0.0% 1" in text and "90.0% 100.0% 1" in text and len(reader.all("svg")) == 1


def test_facts_of_a_training_are_those_that_are_known() -> None:
    metrics = {
        "parameters": 12345,
        "seed": 3,
        "minutes": 1.25,
        "machine": "a machine",
        "torch": "2",
        "dev": {},
    }
    assert training_facts(metrics, 17) == [
        ("parameters", "12,345"),
        ("seed", "3"),
        ("training time", "1.2 minutes"),
        ("machine", "a machine"),
        ("torch", "2"),
    ]
    assert training_facts({}, 17) == [("seed", "17")]
