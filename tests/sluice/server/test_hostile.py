"""Uploads that are broken or mean harm: each gets its answer, and the next good one is answered as ever."""

import struct
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from asr.audio import containers
from asr.audio.containers import AudioError, AudioTooLong
from asr.audio.reading import read_audio
from sluice.server import middleware, uploads
from sluice.server.errors import ApiError
from sluice.server.models import Models
from tests.sluice.server.conftest import MAX_SECONDS, Client
from tests.sluice.server.live import dial, message, serving
from tests.sluice.server.sounds import claiming, form, silence, sound, wav, wav_header
from tests.tones import RATE, say

httpx = pytest.importorskip("httpx", reason="httpx is not installed (the extra 'test')")

UNDERSTAND = "/v1/understand"

EBML = b"\x1aE\xdf\xa3"
HOSTILE = {
    "empty": (b"", 400),
    "one byte": (b"R", 415),
    "text": (b"#!/bin/sh\nrm -rf /\n", 415),
    "a page": (b"<!doctype html><script>alert(1)</script>", 415),
    "an archive": (b"PK\x03\x04" + bytes(100), 415),
    "a playlist with a byte that is no text": (b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n\xff", 415),
    "a playlist for FFmpeg": (b"ffconcat version 1.0\nfile /etc/passwd\n\xff", 415),
    "a manifest behind Matroska's first bytes": (EBML + b"<MPD dash:profile:isoff-live:2011 \xff", 400),
    "a header alone": (wav()[:44], 400),
    "WAV cut short": (wav()[: len(wav()) // 2], 400),
    "FLAC cut short": (wav(format="FLAC")[:2000], 400),
    "FLAC with noise in it": (wav(format="FLAC")[:500] + bytes(range(256)) * 8, 400),
    "Ogg's first bytes": (b"OggS" + bytes(range(256)), 400),
    "QuickTime's first bytes": (b"\0\0\0\x20ftypM4A " + bytes(300), 400),
    "NaN": (sound(np.full(8000, np.nan, np.float32), 8000, format="WAV", subtype="FLOAT"), 400),
    "a hundredth of a second": (sound(np.zeros(80), 8000, format="WAV"), 400),
    "three hours that are promised": (wav_header(3 * 3600), 400),
    "three hours that are there": (silence(3 * 3600), 413),
    "hours that the header hides": (claiming(silence(3 * 3600), 0), 413),
    "a rate beyond all sense": (wav()[:24] + struct.pack("<I", 4_000_000_000) + wav()[28:], 400),
    "7 channels of floats at 10 kHz": (
        sound(np.zeros((5000, 7)), 10_000, format="WAV", subtype="FLOAT"),
        400,
    ),
    "a hundred channels": (sound(np.zeros((800, 100)), 8000, format="WAV"), 400),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_uploads_are_refused_in_words(server: Any, name: str) -> None:
    content, status = HOSTILE[name]
    expected = server.post(UNDERSTAND, **form(wav())).json()
    answer = server.post(UNDERSTAND, **form(content, "song.wav"))
    assert answer.status_code == status, answer.text
    error = answer.json()["error"]
    assert error["param"] == "file" and error["message"].startswith("song.wav: ")
    assert tempfile.gettempdir() not in error["message"]
    assert server.post(UNDERSTAND, **form(wav())).json() == expected


NAMES = ["song.wav", "../../etc/passwd", "/dev/stdin", "..\\..\\boot.ini", "a\r\nb: c", "x" * 2000]


@pytest.mark.slow
def test_500_hostile_uploads_at_once_harm_nobody(models: Models) -> None:
    with serving(models, max_seconds=MAX_SECONDS) as address, httpx.Client(timeout=60) as line:
        expected = line.post(address + UNDERSTAND, **form(wav())).json()

        def send(number: int) -> tuple[int, int]:
            content, status = list(HOSTILE.values())[number % len(HOSTILE)]
            return line.post(
                address + UNDERSTAND, **form(content, NAMES[number % len(NAMES)])
            ).status_code, status

        with ThreadPoolExecutor(16) as pool:
            statuses = list(pool.map(send, range(500)))
        assert [answered for answered, _ in statuses] == [meant for _, meant in statuses]
        assert line.post(address + UNDERSTAND, **form(wav())).json() == expected


def test_odd_but_whole_recordings_are_answered(server: Any) -> None:
    spoken = say("abb da")
    for content in (
        sound(np.tile(spoken[:, None], 6), 10_000, format="WAV", subtype="FLOAT"),
        sound(spoken, 44_100, format="FLAC"),
        sound(spoken, 8000, format="AIFF"),
        sound(spoken, 8000, format="OGG"),
        sound(spoken, 8000, format="MP3"),
        claiming(sound(spoken, RATE, format="FLAC"), 0),  # as it is when written to a pipe
        claiming(silence(3600), 5000),  # 5 s are promised, and no more is read
        sound(1e-9 * spoken, 8000, format="WAV", subtype="FLOAT"),
    ):
        answer = server.post(UNDERSTAND, **form(content))
        assert answer.status_code == 200, answer.text


@pytest.mark.parametrize(
    "name", ["../../etc/passwd", "/etc/passwd", "..\\..\\boot.ini", "a\r\nb", "x" * 2000, ""]
)
def test_names_are_never_paths(server: Any, name: str) -> None:
    good = server.post(UNDERSTAND, **form(wav(), name or "file"))
    assert good.status_code == 200 and good.json()["source"] is None
    bad = server.post(UNDERSTAND, **form(b"no sound at all", name or "file")).json()["error"]["message"]
    assert "/" not in bad.partition(":")[0] and "\\" not in bad and len(bad) < 300


def test_more_bytes_than_allowed_are_not_taken(client: Client) -> None:
    server = client(max_upload_mb=0.1)

    def chunks() -> Iterator[bytes]:  # of no declared length
        yield b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
        yield from (bytes(10_000) for _ in range(30))
        yield b"\r\n--x--\r\n"

    kind = {"content-type": "multipart/form-data; boundary=x"}
    for answer in (
        server.post(UNDERSTAND, **form(bytes(300_000))),
        server.post(UNDERSTAND, content=chunks(), headers=kind),
        server.post("/v1/tag", content=bytes(2_000_000)),
    ):
        assert answer.status_code == 413 and answer.json()["error"]["code"] == "too_large"
    assert server.post(UNDERSTAND, **form(wav())).status_code == 200


def test_a_refused_client_hears_why(models: Models) -> None:
    with serving(models, max_upload_mb=0.1) as address:
        sent = message(address + UNDERSTAND, **form(bytes(1_000_000)))
        with dial(address) as line:  # sends all before it listens
            line.sendall(sent)
            assert line.recv(1000).startswith(b"HTTP/1.1 413 ")
        with dial(address) as line:  # asks first, and is not asked to go on
            head, _, _ = sent.partition(b"\r\n\r\n")
            line.sendall(head + b"\r\nExpect: 100-continue\r\n\r\n")
            assert line.recv(1000).startswith(b"HTTP/1.1 413 ")


def test_forms_are_of_a_few_small_fields(server: Any) -> None:
    for fields in ({f"field{n}": "x" for n in range(100)}, {"alternatives": "1" * 100_000}):
        assert server.post(UNDERSTAND, **form(wav(), **fields)).status_code == 400


def form_in(charset: str, name: bytes = b"alternatives") -> dict[str, Any]:
    """A form whose sender says what its texts are in."""
    parts = (b'"%b"\r\n\r\n1' % name, b'"file"; filename="a"\r\n\r\n' + wav())
    body = b"".join(b"--x\r\nContent-Disposition: form-data; name=%b\r\n" % part for part in parts)
    kind = f"multipart/form-data; boundary=x; charset={charset}"
    return {"content": body + b"--x--\r\n", "headers": {"content-type": kind}}


@pytest.mark.parametrize("charset", ["undefined", "punycode", "unicode_escape", "utf-16", "nonsense", '""'])
def test_a_forms_charset_is_not_any_that_python_knows(server: Any, charset: str) -> None:
    answer = server.post(UNDERSTAND, **form_in(charset, rb"\ud800"))
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "unsupported_charset")


@pytest.mark.parametrize("charset", ["UTF-8", '"utf-8"', "us-ascii", "ISO-8859-1"])
def test_usual_charsets_are_read(server: Any, charset: str) -> None:
    assert len(server.post(UNDERSTAND, **form_in(charset)).json()["alternatives"]) == 1


def test_an_error_that_quotes_half_a_pair_can_be_sent() -> None:
    body = ApiError(400, "there is no \ud800", param="\udfff").body()["error"]
    assert (body["message"], body["param"]) == ("there is no \\ud800", "\\udfff")


def test_a_body_that_does_not_arrive_is_given_up(models: Models, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "MAX_BODY_SECONDS", 0.1)
    monkeypatch.setattr(middleware, "DRAIN_SECONDS", 0.1)
    with serving(models) as address, dial(address) as line:
        line.sendall(message(address + UNDERSTAND, **form(wav()))[:400])
        assert line.recv(1000).startswith(b"HTTP/1.1 408 ")


def test_nothing_is_left_on_disk(client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    server = client(max_seconds=MAX_SECONDS)
    for content, _ in [*HOSTILE.values(), (wav(), 200)]:
        server.post(UNDERSTAND, **form(content))
    (folder,) = tmp_path.iterdir()
    assert list(folder.iterdir()) == []
    server.__exit__(None, None, None)
    assert list(tmp_path.iterdir()) == []
    server.__enter__()


def test_of_a_bomb_no_more_is_decoded_than_allowed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("av", reason="the extra 'formats' is not installed")
    (tmp_path / "bomb.flac").write_bytes(claiming(silence(3600), 0))
    decoded = []
    blocks = containers.ContainerSound.blocks

    def counted(self: containers.ContainerSound, first: int, last: int) -> Iterator[np.ndarray]:
        for block in blocks(self, first, last):
            decoded.append(len(block))
            yield block

    monkeypatch.setattr(containers.ContainerSound, "blocks", counted)
    with pytest.raises(AudioTooLong, match="longer than the 10 s"):
        read_audio(tmp_path / "bomb.flac", longest_seconds=10)
    assert sum(decoded) <= 10_001


@pytest.mark.parametrize(
    "content", [b"#EXTM3U\n#EXTINF:1,\na.wav\n\xff", b"ffconcat version 1.0\nfile a.wav\n\xff"]
)
def test_playlists_are_not_followed(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.wav").write_bytes(wav())
    (tmp_path / "list.m4a").write_bytes(content)
    with pytest.raises(AudioError):
        read_audio(tmp_path / "list.m4a")
