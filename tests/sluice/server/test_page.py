"""The page: as a file, and in a browser."""

import base64
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from sluice.server.app import FILES, PAGE
from sluice.server.models import Models, load_models
from sluice.understanding import Understander
from sluice_core.grammar.grammar import Grammar
from tests.conftest import ToneRun
from tests.pages import Reader
from tests.sluice.server.live import serving
from tests.sluice.server.sounds import wav

KEY = "open sesame"


def test_the_page_is_served_under_a_strict_policy(server: Any) -> None:
    for path, (name, media_type) in FILES.items():
        answer = server.get(path)
        assert answer.content == (PAGE / name).read_bytes() and answer.headers["content-type"] == media_type
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy and "unsafe" not in policy and "http" not in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
    assert {name for name, _ in FILES.values()} == {file.name for file in PAGE.iterdir()}


def test_the_page_fetches_nothing_from_elsewhere() -> None:
    for file in PAGE.iterdir():
        assert not re.search(r"https?://|@import|url\(|innerHTML|eval\(", file.read_text("utf-8")), file.name
    reader = Reader((PAGE / "index.html").read_text("utf-8"))
    for tag, attributes in reader.tags:
        assert not any(name.startswith("on") or name == "style" for name in attributes), tag
    ids = {attributes["id"] for _, attributes in reader.tags if "id" in attributes}
    labelled = {attributes["for"] for attributes in reader.all("label")}
    assert {each["id"] for each in reader.all("input")} <= labelled <= ids
    script = (PAGE / "page.js").read_text("utf-8")
    assert set(re.findall(r'\$\("([a-z-]+)"\)', script)) <= ids


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_colours_can_be_told_apart(theme: str) -> None:
    light, dark = re.findall(r":root \{(.*?)\}", (PAGE / "style.css").read_text("utf-8"), re.DOTALL)
    colours = dict(re.findall(r"--([a-z0-9-]+): (#[0-9a-f]{6})", light if theme == "light" else dark))
    text = [("ink", "paper"), ("ink", "raised"), ("muted", "paper"), ("muted", "raised"), ("error", "paper")]
    text += [("on-accent", "accent"), ("ink", "now"), *(("ink", f"slot-{number}") for number in range(8))]
    text += [(f"curve-{number}", "paper") for number in range(8)]
    for front, back in text:
        assert _contrast(colours[front], colours[back]) >= 4.5, (front, back)
    for front in ("line", "accent"):
        assert _contrast(colours[front], colours["paper"]) >= 3, front


def _contrast(one: str, other: str) -> float:
    """Return the contrast of two colours, as WCAG defines it."""

    def luminance(colour: str) -> float:
        models = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in models]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    dark, bright = sorted((luminance(one), luminance(other)))
    return (bright + 0.05) / (dark + 0.05)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    playwright = pytest.importorskip(
        "playwright.sync_api", reason="playwright is not installed (extra 'test')"
    )
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if program is None:
        pytest.skip("no Chromium is installed (on Debian: apt install chromium)")
    with playwright.sync_playwright() as play:
        try:
            launched = play.chromium.launch(executable_path=program, args=["--no-sandbox"])
        except playwright.Error as error:
            pytest.skip(f"{program} does not start here: {str(error).splitlines()[0]}")
        yield launched
        launched.close()


@pytest.fixture
def page(browser: Any, tone_run: ToneRun, random_tagger: Any) -> Iterator[Any]:
    """The page of a server with a key."""
    with opened_page(browser, load_models(tone_run.run, random_tagger), api_key=KEY) as opened:
        yield opened


@contextmanager
def opened_page(browser: Any, models: Models, **settings: Any) -> Iterator[Any]:
    """The page of a server, in a browser that must have nothing to complain of."""
    complaints: list[str] = []
    with serving(models, **settings) as address:
        opened = browser.new_page(reduced_motion="reduce")
        opened.set_default_timeout(60_000)
        opened.on("pageerror", lambda error: complaints.append(str(error)))
        opened.on("console", lambda said: complaints.append(said.text) if _is_complaint(said.text) else None)
        opened.on("request", lambda sent: _check_address(sent.url, address, complaints))
        opened.goto(address)
        opened.wait_for_selector("#speech:not([hidden])")
        yield opened
        opened.close()
    assert complaints == []


def _is_complaint(text: str) -> bool:
    return "Security Policy" in text or "Uncaught" in text


def _check_address(url: str, address: str, complaints: list[str]) -> None:
    if not url.startswith((address + "/", "blob:" + address, "data:")):
        complaints.append(f"asked {url}")


def drop(page: Any, content: bytes, name: str) -> None:
    """Drop a file on the page, as a person does."""
    script = """([data, name]) => {
        const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
        const dataTransfer = new DataTransfer();
        dataTransfer.items.add(new File([bytes], name));
        document.getElementById("drop").dispatchEvent(new DragEvent("drop", {dataTransfer, bubbles: true}));
    }"""
    page.evaluate(script, [base64.b64encode(content).decode(), name])


@pytest.mark.slow
def test_a_dropped_file_is_understood(page: Any) -> None:
    drop(page, wav("abb da"), "said.wav")
    page.wait_for_selector("#status.error")
    assert "API key" in page.inner_text("#status")
    page.fill("#key", KEY)
    drop(page, wav("abb da"), "said.wav")
    page.wait_for_selector("#visualization:not([hidden])")
    assert page.locator("#spoken .word").all_inner_texts() == ["abb", "da"]
    labels = page.locator("#slots tbody th").all_inner_texts()
    assert labels and set(labels) <= {"city", "date"}
    assert page.locator("#written .slot").count() == len(labels)
    assert "Understood: " in page.inner_text("#status") and "Intent" in page.inner_text("#intent")
    assert "abb at" in page.get_attribute("#waveform", "aria-label")
    drawn = "[...document.querySelectorAll('canvas')].every((each) => each.getContext('2d')"
    drawn += ".getImageData(0, 0, each.width, each.height).data.some((value) => value > 0))"
    assert page.evaluate(drawn)
    page.click("#more")
    page.wait_for_selector("#alternatives:not([hidden]) li")


@pytest.mark.slow
def test_the_page_says_whether_the_grammar_holds(
    browser: Any, tone_run: ToneRun, random_tagger: Any, tmp_path: Any
) -> None:
    grammar = Grammar.of({"find": ["abb {thing}", "bed"]}, {"thing": ["da", "cab"]})
    loaded = Understander.load(tone_run.run, tagger=random_tagger)
    Understander(loaded.transcriber, loaded.tagger, grammar=grammar).save(tmp_path / "domain")
    with opened_page(browser, load_models(tmp_path / "domain")) as page:
        drop(page, wav("abb da"), "said.wav")
        page.wait_for_selector("#match:not([hidden])")
        assert page.inner_text("#match").startswith("A sentence of the grammar.")
        assert page.locator("#slots tbody td").all_inner_texts()[2] == "da", "the value"
        page.wait_for_selector("#visualization:not([hidden])")
        drop(page, wav("eec ede"), "other.wav")
        page.wait_for_selector("#result-title:has-text('other.wav')")
        assert page.inner_text("#match").startswith("None of these")
        assert "Heard: " in page.inner_text("#status")
        page.wait_for_selector("#visualization:not([hidden])")
        page.select_option("#mode", "grammar")
        page.wait_for_selector("#status:has-text('None of these')")
        assert page.inner_text("#spoken") == ""


@pytest.mark.slow
def test_words_light_up_as_they_are_played(page: Any) -> None:
    page.fill("#key", KEY)
    drop(page, wav("abb da"), "said.wav")
    page.wait_for_selector("#visualization:not([hidden])")
    word = page.locator("#spoken .word").nth(1)
    start = float(word.get_attribute("title").split()[0])
    page.evaluate(f"document.getElementById('audio').currentTime = {start + 0.05}")
    page.wait_for_selector("#spoken .word.now")
    assert page.locator("#spoken .word.now").all_inner_texts() == ["da"]


@pytest.mark.slow
def test_bad_files_and_sentences_by_keyboard(page: Any) -> None:
    page.fill("#key", KEY)
    drop(page, b"this is no sound", "notes.txt")
    page.wait_for_selector("#status.error")
    assert "notes.txt" in page.inner_text("#status") and page.is_hidden("#result")
    page.focus("#key")
    reached = []
    for _ in range(5):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.id"))
    assert [name for name in reached if name in ("file", "record", "sentence")] == [
        "file",
        "record",
        "sentence",
    ]
    page.focus("#sentence")
    page.keyboard.type("bed abb")
    page.keyboard.press("Enter")
    page.wait_for_selector("#result:not([hidden])")
    assert "Understood: bed abb" in page.inner_text("#status") and page.is_hidden("#visualization")
