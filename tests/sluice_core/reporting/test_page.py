"""The page: escaped, self-contained, legible without its pictures."""

import json
import math
from pathlib import Path

import pytest

from sluice_core.reporting.learning_curves import TABLE_EPOCHS, kept_epoch, learning_curves, read_history
from sluice_core.reporting.page import (
    Audio,
    Bar,
    Details,
    Grid,
    MarkedText,
    Notice,
    Page,
    Paragraph,
    Picture,
    Section,
    Subsection,
    Table,
    Texts,
)
from sluice_core.reporting.plots import SERIES, Curve, draw_svg, line_chart
from sluice_core.training.config import TrainingConfig
from tests.pages import check_self_contained

NASTY = "<script>alert('\"&')</script>"


def everything() -> Page:
    chart = line_chart(
        "loss", [Curve("a", [1, 2], [3, 1]), Curve("b", [1, 2], [2, 2])], x_label="epoch", mark=2
    )
    table = Table(NASTY, ["name", NASTY], [[NASTY, 3], ["x", 12]])
    marked = [MarkedText("one"), MarkedText(NASTY, "left out"), MarkedText("two", "put in")]
    blocks = [
        Paragraph(NASTY),
        Notice(NASTY),
        table,
        Table("bars", ["bar", "text"], [[Bar(0.5, "50%"), marked], [Bar(7.0, NASTY), "y"]]),
        Texts([(NASTY, marked), ("plain", NASTY)]),
        Grid([Picture(chart, f"alt {NASTY}", NASTY), Paragraph("beside")]),
        Details(NASTY, [Picture(chart, "again", wide=True)]),
        Subsection(NASTY, [Audio(b"RIFF", NASTY)]),
    ]
    sections = [
        Section("First things", blocks[:5]),
        Section("Pictures", blocks[5:7]),
        Section("Sounds", blocks[7:]),
    ]
    return Page(NASTY, NASTY, [(NASTY, "12%")], [(NASTY, NASTY)], sections)


def test_a_page_of_everything_is_escaped_whole_and_self_contained() -> None:
    page = everything()
    assert NASTY not in page.render()
    pictures = [
        Section("Pictures", [Picture(line_chart("a", [Curve("a", [1], [1])], x_label="x"), "one point")])
    ]
    reader = check_self_contained(
        Page(page.title, page.subtitle, page.highlights, page.facts, pictures).render()
    )
    assert "".join(reader.text).count(NASTY) >= 4  # shown to the reader as it is
    html = page.render()
    for element in (
        "<caption>",
        "<del>",
        "<ins>",
        "<nav",
        "<details>",
        "<audio controls",
        'scope="col"',
        "<h3>",
    ):
        assert element in html
    assert "prefers-color-scheme: dark" in html and 'name="viewport"' in html


def test_bars_stay_within_their_cells_and_ints_are_aligned_right() -> None:
    assert [Bar(share, "").width for share in (-1, 0, 0.123, 7)] == ["0.0%", "0.0%", "12.3%", "100.0%"]
    table = Table("", ["name", "count", "share"], [["a", 1, "1%"], ["b", 2, "2%"]], right=[2])
    assert [table.align(column) for column in range(3)] == ["", "number", "number"]
    assert Table("", ["name"], []).align(0) == ""


def test_sound_is_inside_the_page() -> None:
    reader = check_self_contained(
        Page("t", sections=[Section("s", [Audio(b"fLaC", "an utterance")])]).render()
    )
    assert reader.all("audio")[0]["src"] == "data:audio/flac;base64,ZkxhQw=="
    assert reader.all("audio")[0]["aria-label"] == "an utterance"


def test_plots_take_the_pages_colours_and_clash_with_no_other() -> None:
    charts = [
        line_chart(f"figure {n}", [Curve("a", [1, 2, 3], [n, 2, 1])], x_label="x", mark=2) for n in (1, 2)
    ]
    for chart in charts:
        assert chart.startswith("<svg") and chart.endswith("</svg>")
        assert "var(--series-1)" in chart and "currentColor" in chart
        assert not any(colour in chart for colour in SERIES) and "#0102" not in chart
        assert "http" not in chart and "<style" not in chart and "<metadata" not in chart
    check_self_contained(
        Page("t", sections=[Section("s", [Picture(chart, "a") for chart in charts])]).render()
    )


@pytest.mark.filterwarnings("error")
def test_text_of_any_script_stays_text() -> None:
    def draw(figure) -> None:  # type: ignore[no-untyped-def]
        figure.subplots().set_title("好棒 $x^2$ عربي <b>&")

    svg = draw_svg(draw, 3, 2)
    assert "好棒 $x^2$ عربي &lt;b&gt;&amp;" in svg


def test_a_logarithmic_axis_is_labelled_in_plain_figures() -> None:
    chart = line_chart("norm", [Curve("a", [1, 2, 3], [0.5, 5, 50])], x_label="x", logarithmic=True)
    assert "mathdefault" not in chart and ">10</text>" in chart


def history(count: int) -> list[dict[str, float]]:
    return [
        {
            "epoch": n,
            "train_loss": 3 / (n + 1),
            "dev_loss": 4 / (n + 1),
            "dev_wer": 1 / (1 + n % 7),
            "dev_error": 1 / (1 + n % 7),
        }
        for n in range(count)
    ]


def test_learning_curves_name_the_kept_epoch_and_hold_every_figure() -> None:
    section = learning_curves(history(10), {"dev_wer": "words", "dev_cer": "characters"}, TrainingConfig())
    reader = check_self_contained(Page("t", sections=[section]).render())
    text = " ".join(reader.text)
    assert "epoch 7 was kept" in text and "words 14.29%" in text and "7 (kept)" in text
    assert "characters" not in text  # no such figure in this history
    assert len(reader.all("svg")) == 2 and len(reader.all("tr")) == 11
    section = learning_curves(history(10), {"dev_wer": "words"}, TrainingConfig(keep="last"))
    text = " ".join(check_self_contained(Page("t", sections=[section]).render()).text)
    assert "epoch 10 was kept, the last of 10 trained: dev errors words 33.33%." in text
    assert any("14.3% at its lowest" in (tag.get("aria-label") or "") for tag in reader.all("div"))


def test_of_equal_epochs_the_lower_loss_or_the_first_is_the_best_and_unknown_errors_are_none() -> None:
    errors = [math.nan, 0.5, 0.2, 0.3, 0.2, math.inf]
    best, last = TrainingConfig(), TrainingConfig(keep="last")
    assert kept_epoch([{"dev_error": error} for error in errors], best) == 2
    losses = [0.1, 0.1, 3.0, 0.1, 2.0, 0.1]
    both = [{"dev_error": error, "dev_loss": loss} for error, loss in zip(errors, losses, strict=True)]
    assert kept_epoch(both, best) == 4
    assert kept_epoch(both, last) == 5 and kept_epoch([], last) is None
    assert kept_epoch([{"dev_error": math.nan}, {}], best) is None


def test_a_history_with_gaps_or_of_one_epoch_is_drawn() -> None:
    gaps = history(5)
    gaps[1]["train_loss"] = math.nan
    gaps[2]["train_loss"] = math.inf
    del gaps[3]["train_loss"]
    for epochs in (gaps, history(1), [{"train_loss": math.nan}]):
        check_self_contained(
            Page("t", sections=[learning_curves(epochs, {"dev_wer": "words"}, TrainingConfig())]).render()
        )


def test_the_table_of_a_long_training_is_cut_and_says_so() -> None:
    page = Page("t", sections=[learning_curves(history(TABLE_EPOCHS + 50), {}, TrainingConfig())]).render()
    assert f"the last {TABLE_EPOCHS} of {TABLE_EPOCHS + 50}" in page
    assert page.count("<tr>") == TABLE_EPOCHS + 1


@pytest.mark.parametrize("content", [None, "", "{", "{}", "[1, 2]"])
def test_a_run_without_history_says_so(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "history.json").write_text(content)
    assert read_history(tmp_path) == []
    assert "no history" in Page("t", sections=[learning_curves([], {}, TrainingConfig())]).render()


def test_a_history_is_read_as_training_wrote_it(tmp_path: Path) -> None:
    (tmp_path / "history.json").write_text(json.dumps([{"epoch": 0, "train_loss": math.nan}]))
    assert math.isnan(read_history(tmp_path)[0]["train_loss"])


def test_an_axis_of_many_decades_is_labelled_once_a_decade_at_most() -> None:
    curve = Curve("a", [1, 2], [1e-4, 10])
    few = line_chart("norm", [curve], x_label="x", logarithmic=True)
    assert ">0.01</text>" in few and ">0.05</text>" not in few


def test_charts_to_be_compared_have_one_axis_whatever_their_curves() -> None:
    curve = Curve("a", [1, 2], [0.25, 0.5])
    free, held = (line_chart("y", [curve], x_label="x", limits=limits) for limits in (None, (-2, 2)))
    assert ">2.0</text>" not in free
    assert ">2.0</text>" in held and any(f">{minus}2.0</text>" in held for minus in "-\u2212")
