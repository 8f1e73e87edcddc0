"""The client that programs use against OpenAI, against this server."""

import io
from collections.abc import Iterator

import pytest

from sluice.server.models import load_models
from tests.conftest import ToneRun
from tests.sluice.server.live import serving
from tests.sluice.server.sounds import wav

openai = pytest.importorskip("openai", reason="openai's client is not installed (the extra 'test')")

KEY = "open sesame"


@pytest.fixture(scope="module")
def address(tone_run: ToneRun) -> Iterator[str]:
    with serving(load_models(tone_run.run), api_key=KEY) as address:
        yield address


@pytest.fixture
def client(address: str) -> Iterator["openai.OpenAI"]:
    with openai.OpenAI(base_url=f"{address}/v1", api_key=KEY, max_retries=0) as client:
        yield client


def recording() -> io.BytesIO:
    file = io.BytesIO(wav("abb da"))
    file.name = "abb da.wav"
    return file


@pytest.mark.slow
def test_each_format_is_what_the_client_expects(client: "openai.OpenAI") -> None:
    transcriptions = client.audio.transcriptions
    assert transcriptions.create(file=recording(), model="whisper-1").text == "abb da"
    for kind, text in (
        ("text", "abb da\n"),
        ("srt", "\nabb da\n"),
        ("vtt", "\nabb da\n"),
    ):
        answer = transcriptions.create(file=recording(), model="whisper-1", response_format=kind)
        assert isinstance(answer, str) and answer.endswith(text)
    assert transcriptions.create(file=recording(), model="tones", response_format="vtt").startswith(
        "WEBVTT\n\n"
    )


@pytest.mark.slow
def test_verbose_answers_are_typed(client: "openai.OpenAI") -> None:
    answer = client.audio.transcriptions.create(
        file=recording(),
        model="tones",
        response_format="verbose_json",
        timestamp_granularities=["word", "segment"],
        language="en",
    )
    assert (answer.text, answer.language) == ("abb da", "en")
    assert [word.word for word in answer.words] == ["abb", "da"]
    assert 0 <= answer.words[0].start < answer.words[0].end <= answer.words[1].start < answer.duration
    (segment,) = answer.segments
    assert segment.text == "abb da" and segment.id == 0 and segment.avg_logprob <= 0


@pytest.mark.slow
def test_errors_are_the_client_s_own(client: "openai.OpenAI", address: str) -> None:
    create = client.audio.transcriptions.create
    with pytest.raises(openai.BadRequestError, match="gpt-9"):
        create(file=recording(), model="gpt-9")
    with pytest.raises(openai.BadRequestError, match="stream"):
        create(file=recording(), model="whisper-1", stream=True)
    with pytest.raises(openai.BadRequestError) as broken:
        create(file=("x.wav", wav()[:60]), model="whisper-1")
    assert broken.value.param == "file" and "x.wav" in str(broken.value)
    with (
        openai.OpenAI(base_url=f"{address}/v1", api_key="wrong") as stranger,
        pytest.raises(openai.AuthenticationError),
    ):
        stranger.audio.transcriptions.create(file=recording(), model="whisper-1")


@pytest.mark.slow
def test_models_are_the_runs(client: "openai.OpenAI") -> None:
    assert [model.id for model in client.models.list()] == ["tones"]
    assert client.models.retrieve("tones").owned_by == "sluice"
