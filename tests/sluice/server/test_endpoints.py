"""What the endpoints answer to those who ask properly, and to those who do not."""

import base64
import json
import threading
from pathlib import Path
from typing import Any

import pytest

from slot_filling import Tagger
from slot_filling.tagging import Tagging
from sluice.server.errors import ApiError
from sluice.server.models import Models, load_models
from sluice.server.tag_requests import MAX_ALTERNATIVES, MAX_TEXT_CHARACTERS, TagRequest
from sluice.understanding import Understander
from sluice_core.errors import UserError
from sluice_core.grammar.grammar import Grammar
from tests.conftest import ToneRun
from tests.sluice.server.conftest import Client
from tests.sluice.server.sounds import form, wav

SPEECH = "/v1/audio/transcriptions"


def test_each_format_has_its_media_type(server: Any) -> None:
    types = {
        "json": "application/json",
        "verbose_json": "application/json",
        "text": "text/plain; charset=utf-8",
        "srt": "application/x-subrip; charset=utf-8",
        "vtt": "text/vtt; charset=utf-8",
    }
    for kind, media_type in types.items():
        answer = server.post(SPEECH, **form(wav(), model="whisper-1", response_format=kind))
        assert (answer.status_code, answer.headers["content-type"]) == (200, media_type), answer.text
    assert server.post(SPEECH, **form(wav())).json()["usage"] == {"type": "duration", "seconds": 2}


def test_verbose_answers_hold_what_was_asked_for(server: Any) -> None:
    options = {
        "model": "random",
        "response_format": "verbose_json",
        "language": "en",
        "prompt": "x",
        "temperature": "0.2",
    }
    whole = server.post(SPEECH, **form(wav(), **options)).json()
    assert whole["language"] == "en" and whole["duration"] == pytest.approx(1.04, abs=0.2)
    assert whole["text"] == " ".join(word["word"] for word in whole["words"])
    assert whole["text"] == " ".join(segment["text"] for segment in whole["segments"])
    assert all(0 <= word["start"] <= word["end"] <= whole["duration"] for word in whole["words"])
    words = server.post(SPEECH, **form(wav(), **options, **{"timestamp_granularities[]": "word"})).json()
    assert "words" in words and "segments" not in words


@pytest.mark.parametrize(
    ("param", "fields"),
    [
        ("model", {"model": "gpt-9"}),
        ("response_format", {"response_format": "diarized_json"}),
        (
            "timestamp_granularities",
            {"timestamp_granularities[]": "letter", "response_format": "verbose_json"},
        ),
        ("timestamp_granularities", {"timestamp_granularities[]": "word"}),
        ("stream", {"stream": "true"}),
        ("temperature", {"temperature": "hot"}),
        ("temperature", {"temperature": "nan"}),
        ("language", {"language": "the one I speak"}),
        ("include[]", {"include[]": "logprobs"}),
    ],
)
def test_what_is_not_supported_is_refused_by_name(server: Any, param: str, fields: dict[str, str]) -> None:
    answer = server.post(SPEECH, **form(wav(), **fields))
    error = answer.json()["error"]
    assert answer.status_code == 400 and error.keys() == {"message", "type", "param", "code"}
    assert (error["param"], error["type"]) == (param, "invalid_request_error")


def test_a_tagger_is_no_model_of_transcripts(
    server: Any, client: Client, models: Models, tmp_path: Path
) -> None:
    answer = server.post(SPEECH, **form(wav(), model="tiny"))
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "model_not_found")
    assert answer.json()["error"]["message"].endswith("there is 'whisper-1' and 'random'")
    assert models.understander is not None
    models.understander.save(tmp_path / "both")
    joined = client(load_models(tmp_path / "both"))
    assert joined.post(SPEECH, **form(wav(), model="both")).status_code == 200


def test_models_are_listed(server: Any) -> None:
    listed = server.get("/v1/models").json()
    assert listed["object"] == "list" and [model["id"] for model in listed["data"]] == ["random", "tiny"]
    assert server.get("/v1/models/tiny").json() == listed["data"][1]
    assert server.get("/v1/models/other").status_code == 404


def test_texts_are_tagged_as_the_tagger_does(server: Any, random_tagger: Path) -> None:
    tagger = Tagger.load(random_tagger)
    one = server.post("/v1/tag", json={"text": "bed abb", "alternatives": 2})
    assert one.json() == json.loads(json.dumps(tagger.tag("bed abb", alternatives=2).to_dict()))
    many = server.post("/v1/tag", json={"texts": ["bed abb", "", "ace cab da"]}).json()["results"]
    assert [each["text"] for each in many] == ["bed abb", "", "ace cab da"]
    assert many[1]["slots"] == [] and many[1]["intent"] is None


def test_json_of_taggings_is_written_in_the_inference_thread(
    server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrote, to_dict = set(), Tagging.to_dict

    def watched(tagging: Tagging) -> dict[str, Any]:
        wrote.add(threading.current_thread().name)
        return to_dict(tagging)

    monkeypatch.setattr(Tagging, "to_dict", watched)
    assert server.post("/v1/tag", json={"texts": ["bed"] * 3, "alternatives": 2}).status_code == 200
    assert wrote == {"inference-0"}


def test_taggings_of_a_request_are_limited_together() -> None:
    text = "a" * MAX_TEXT_CHARACTERS
    TagRequest.read({"texts": ["a" * 200] * 249, "alternatives": MAX_ALTERNATIVES})
    TagRequest.read({"texts": [text] * 104})  # more is no body that is read
    with pytest.raises(
        ApiError, match="21 taggings of 50000 characters are more than the 1048576"
    ) as refused:
        TagRequest.read({"texts": [text] * 5, "alternatives": MAX_ALTERNATIVES})
    assert refused.value.status == 400 and refused.value.param == "alternatives"


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"\xff",
        b"[" * 100_000,
        b"[]",
        b"{}",
        b'{"text": 5}',
        b'{"text": "a", "texts": ["b"]}',
        b'{"texts": []}',
        b'{"text": "a", "alternatives": -1}',
        b'{"text": "a", "alternatives": 1e9}',
        b'{"text": "\\ud800"}',
        b'{"text": "a", "more": 1}',
        b'{"text": "' + b"a" * 20_000 + b'"}',
    ],
)
def test_bad_bodies_get_400_in_words(server: Any, body: bytes) -> None:
    answer = server.post("/v1/tag", content=body)
    assert answer.status_code == 400 and answer.json()["error"]["message"]


def test_understanding_gives_alternatives_on_demand(server: Any) -> None:
    plain = server.post("/v1/understand", **form(wav())).json()
    assert {"text", "written_text", "words", "slots", "intent", "score"} <= plain.keys()
    assert plain["alternatives"] == []
    more = server.post("/v1/understand", **form(wav(), alternatives="3")).json()
    assert len(more["alternatives"]) == 3 and more["text"] == plain["text"]
    for wrong in ("-1", "x", "1000", "٣"):
        assert server.post("/v1/understand", **form(wav(), alternatives=wrong)).status_code == 400


def test_the_mode_says_whether_the_grammar_holds(
    tone_run: ToneRun, random_tagger: Path, tmp_path: Path, client: Client, server: Any
) -> None:
    grammar = Grammar.of({"find": ["abb {thing}", "bed"]}, {"thing": ["da", "cab"]})
    loaded = Understander.load(tone_run.run, tagger=random_tagger)
    Understander(loaded.transcriber, loaded.tagger, grammar=grammar).save(tmp_path / "domain")
    domain = client(load_models(tmp_path / "domain"))
    assert domain.get("/health").json()["has_grammar"] is True
    found = domain.post("/v1/understand", **form(wav("abb da"))).json()
    assert found["along_grammar"] and not found["no_match"] and found["intent"] == "find"
    assert [(slot["label"], slot["value"]) for slot in found["slots"]] == [("thing", "da")]
    other = domain.post("/v1/understand", **form(wav("eec ede"))).json()
    assert other["no_match"] and other["text"] and other["grammar_confidence"] < 0.5
    none = domain.post("/v1/understand", **form(wav("eec ede"), mode="grammar", alternatives="2")).json()
    assert none["no_match"] and none["text"] == "" and none["intent"] is None
    openly = domain.post("/v1/understand", **form(wav("abb da"), mode="open")).json()
    assert openly["text"] == "abb da" and not openly["along_grammar"]
    assert openly["grammar_confidence"] is None
    assert server.get("/health").json()["has_grammar"] is False
    for mode, reason in (("grammar", "has no grammar"), ("best", "auto, grammar, open")):
        answer = server.post("/v1/understand", **form(wav(), mode=mode))
        assert answer.status_code == 400 and reason in answer.json()["error"]["message"]
        assert answer.json()["error"]["param"] == "mode"


def test_arrays_of_the_visualization_are_packed(server: Any) -> None:
    pictures = server.post("/v1/posteriors", **form(wav())).json()
    for name in ("posteriors", "spectrogram", "waveform"):
        rows, columns = pictures[name]["shape"]
        assert len(base64.b64decode(pictures[name]["data"])) == rows * columns > 0
    assert pictures["posteriors"]["shape"][0] == len(pictures["symbols"]) and pictures["symbols"][0] == ""
    assert pictures["spectrogram"]["shape"][0] == 24
    assert all(each["start"] <= each["peak"] < each["end"] for each in pictures["emitted"])


def test_a_missing_half_is_named(client: Client, random_recognizer: Path, random_tagger: Path) -> None:
    deaf, plain = client(load_models(random_tagger)), client(load_models(random_recognizer))
    for server, path, missing in (
        (deaf, SPEECH, "recognizer"),
        (deaf, "/v1/understand", "recognizer"),
        (deaf, "/v1/posteriors", "recognizer"),
        (plain, "/v1/tag", "tagger"),
        (plain, "/v1/understand", "tagger"),
    ):
        answer = server.post(path, **form(wav()))
        assert answer.status_code == 404 and f"a {missing}'s run" in answer.json()["error"]["message"]
    assert deaf.get("/health").json()["hears"] is False
    assert deaf.post("/v1/tag", json={"text": "bed"}).status_code == 200
    assert plain.post(SPEECH, **form(wav())).status_code == 200


def test_runs_that_do_not_go_together(
    models: Models, random_recognizer: Path, random_tagger: Path, tmp_path: Path
) -> None:
    assert models.understander is not None
    models.understander.save(tmp_path / "both")
    both = load_models(tmp_path / "both")
    assert both.understander is not None and [run.name for run in both.runs] == ["both"]
    with pytest.raises(UserError, match="has a tagger already"):
        load_models(tmp_path / "both", random_tagger)
    with pytest.raises(UserError, match="recognizer's run first"):
        load_models(random_tagger, random_tagger)
    with pytest.raises(UserError, match="no such run"):
        load_models(tmp_path / "nowhere")


def test_errors_have_one_shape_everywhere(server: Any) -> None:
    for answer, status in (
        (server.get("/nowhere"), 404),
        (server.get("/../pyproject.toml"), 404),
        (server.get("/v1/tag"), 405),
        (server.post(SPEECH, content=b"x"), 415),
        (server.post(SPEECH, content=b"x", headers={"content-type": "multipart/form-data"}), 400),
        (server.post(SPEECH, data={"model": "whisper-1"}, files={"other": b"x"}), 400),
        (server.post(SPEECH, files=[("file", b"x"), ("file", b"y")]), 400),
    ):
        assert answer.status_code == status, answer.text
        assert answer.json()["error"].keys() == {"message", "type", "param", "code"}


def test_a_failure_of_ours_tells_nothing_of_our_insides(
    models: Models, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("secret")

    server = client()
    assert models.transcriber is not None
    monkeypatch.setattr(models.transcriber, "transcribe_many", fail)
    answer = server.post(SPEECH, **form(wav()))
    assert answer.status_code == 500 and "secret" not in answer.text
    assert answer.json()["error"]["type"] == "server_error" and "content-security-policy" in answer.headers
    assert f'sluice_requests_total{{endpoint="{SPEECH}",status="500"}} 1.0' in server.get("/metrics").text


def test_requests_are_counted(client: Client) -> None:
    server = client()
    server.post(SPEECH, **form(wav()))
    server.get("/nowhere")
    text = server.get("/metrics").text
    assert f'sluice_requests_total{{endpoint="{SPEECH}",status="200"}} 1.0' in text
    assert 'sluice_requests_total{endpoint="other",status="404"} 1.0' in text
    assert f'sluice_request_seconds_count{{endpoint="{SPEECH}"}} 1.0' in text
    assert f'sluice_audio_seconds_total{{endpoint="{SPEECH}"}} 1.' in text
    assert "sluice_queue_length 0.0" in text and "sluice_batch_size_sum 1.0" in text


def test_the_key_is_asked_for_but_not_for_page_and_health(client: Client) -> None:
    server = client(api_key="open sesame")
    for path in ("/", "/page.js", "/style.css", "/health"):
        assert server.get(path).status_code == 200
    assert server.get("/health").json()["key_needed"] is True
    wrong = (
        {},
        {"Authorization": "Bearer no"},
        {"Authorization": "open sesame"},
        {"Authorization": "Basic open sesame"},
    )
    for path in ("/v1/models", "/metrics", "/openapi.json", "/nowhere"):
        for headers in wrong:
            answer = server.get(path, headers=headers)
            assert answer.status_code == 401 and answer.json()["error"]["code"] == "invalid_api_key"
    right = {"Authorization": "Bearer open sesame"}
    assert server.post(SPEECH, **form(wav())).status_code == 401
    assert server.post(SPEECH, **form(wav()), headers=right).status_code == 200


def test_pages_of_other_sites_are_kept_out(server: Any) -> None:
    cross = {"Sec-Fetch-Site": "cross-site", "Origin": "https://elsewhere.example"}
    assert server.post("/v1/tag", json={"text": "bed"}, headers=cross).status_code == 403
    same = server.post("/v1/tag", json={"text": "bed"}, headers={"Sec-Fetch-Site": "same-origin"})
    assert same.status_code == 200 and "access-control-allow-origin" not in same.headers
    assert server.options("/v1/tag", headers=cross).status_code == 405


def test_stopping_is_said(client: Client) -> None:
    server = client()
    assert server.get("/health").json()["status"] == "ready"
    server.app.state.service.is_stopping = lambda: True  # type: ignore[attr-defined]
    answer = server.get("/health")
    assert (answer.status_code, answer.json()["status"]) == (503, "stopping")


def test_the_description_lists_every_endpoint(server: Any) -> None:
    paths = server.get("/openapi.json").json()["paths"].keys()
    assert paths >= {
        SPEECH,
        "/v1/tag",
        "/v1/understand",
        "/v1/posteriors",
        "/v1/models",
        "/health",
        "/metrics",
    }
    assert server.get("/docs").status_code == 404  # it would fetch scripts from elsewhere
