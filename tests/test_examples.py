"""Every script of examples/ does what its docstring says, on the small runs that tests keep."""

import importlib
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.homes import SAID, furnish

EXAMPLES = ROOT / "examples"

Example = Callable[..., str]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as a person has it: runs, a recording, a manifest of it, a text."""
    home = tmp_path_factory.mktemp("home")
    furnish(home)
    (home / "corpus.txt").write_text("add a cab\na cab\na dab\nbed\n" * 4, encoding="utf-8")
    return home


@pytest.fixture
def example(home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Example:
    """Runs an example by its name with arguments; returns what it prints."""
    monkeypatch.chdir(home)

    def run(name: str, *arguments: str) -> str:
        importlib.import_module(f"examples.{name}").main(list(arguments))
        return capsys.readouterr().out

    return run


def test_transcribe_files(example: Example, capsys: pytest.CaptureFixture[str]) -> None:
    answer = example("transcribe_files", "runs/ctc-travel", "request.wav", "missing.wav", "request.wav")
    assert answer == f"request.wav\t{SAID}\n" * 2


def test_words_with_times(example: Example) -> None:
    lines = example("words_with_times", "runs/ctc-travel", "request.wav").splitlines()
    assert [line.split()[-1] for line in lines] == SAID.split()
    assert all(float(line.split()[0]) < float(line.split()[1]) for line in lines)


def test_subtitles(example: Example, home: Path) -> None:
    example("subtitles", "runs/ctc-travel", "request.wav", "request.srt")
    assert SAID in (home / "request.srt").read_text()
    example("subtitles", "runs/ctc-travel", "request.wav", "request.vtt")
    assert (home / "request.vtt").read_text().startswith("WEBVTT")


def test_hot_words(example: Example) -> None:
    assert f"with:    {SAID}\n" in example("hot_words", "runs/ctc-travel", "request.wav", "cab", "a dab")


def test_align_text(example: Example) -> None:
    lines = example("align_text", "runs/ctc-travel", "request.wav", SAID).splitlines()
    assert [line.split()[-1] for line in lines] == SAID.split()


def test_evaluate_manifest(example: Example) -> None:
    assert example("evaluate_manifest", "runs/ctc-travel", "other.csv").startswith(
        "0 of 4 words wrong, 0.0%\n"
    )


def test_tag_sentences(example: Example) -> None:
    lines = example("tag_sentences", "runs/slots-travel", "cab a dab", "bed").splitlines()
    assert len(lines) == 2
    assert '"text": "cab a dab"' in lines[0]


def test_understand_speech(example: Example) -> None:
    joined = example("understand_speech", "runs/understand-travel", "request.wav")
    apart = example("understand_speech", "runs/ctc-travel", "request.wav", "--tagger", "runs/slots-travel")
    assert joined and apart


def test_draw_a_request(example: Example, home: Path) -> None:
    example("draw_a_request", "runs/ctc-travel", "runs/slots-travel", "request.wav", "request.png")
    assert (home / "request.png").read_bytes().startswith(b"\x89PNG")


def test_own_cell(example: Example, monkeypatch: pytest.MonkeyPatch) -> None:
    from sluice_cells import CELLS

    try:
        assert example("own_cell").endswith("past a length 0.0\n")
    finally:
        CELLS.pop("mgu", None)


@pytest.mark.parametrize("cell", ["lstm", "clockwork"])
def test_stream_a_stack(example: Example, cell: str) -> None:
    answer = example("stream_a_stack", cell)
    assert answer.startswith("7 chunks")
    assert float(answer.split()[-1]) < 1e-5


def test_train_language_model(example: Example, home: Path) -> None:
    answer = example("train_language_model", "corpus.txt", "words.arpa", "a cab", "cab a")
    likely, unlikely = (float(line.split()[0]) for line in answer.splitlines()[1:])
    assert likely > unlikely
    assert "\\data\\" in (home / "words.arpa").read_text()


def test_call_the_server(example: Example, home: Path) -> None:
    pytest.importorskip("uvicorn", reason="uvicorn is not installed (the extra 'serve')")
    pytest.importorskip("httpx", reason="httpx is not installed (the extra 'test')")
    from sluice.server.models import load_models
    from tests.sluice.server.live import serving

    with serving(load_models(home / "runs" / "understand-travel")) as address:
        assert example("call_the_server", address, "request.wav")


def test_every_example_is_run_here_and_says_how() -> None:
    tested = set(re.findall(r'example\("(\w+)"', Path(__file__).read_text(encoding="utf-8")))
    names = {path.stem for path in EXAMPLES.glob("*.py")}
    assert tested == names
    assert names == set(re.findall(r"`(\w+)\.py`", (EXAMPLES / "README.md").read_text(encoding="utf-8")))
    for name in names:
        docstring = (EXAMPLES / f"{name}.py").read_text(encoding="utf-8").split('"""')[1]
        assert f"python examples/{name}.py" in docstring, f"examples/{name}.py does not say its full command"
