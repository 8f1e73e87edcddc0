"""Uploads, good and hostile."""

import io
import struct
from typing import Any

import numpy as np
import soundfile

from tests.tones import RATE, say


def wav(text: str = "abb da", **options: Any) -> bytes:
    """A text in tones, as a WAV file; `options` of `soundfile.write`."""
    return sound(say(text), RATE, **{"format": "WAV", **options})


def sound(samples: np.ndarray, rate: int, **options: Any) -> bytes:
    """Samples as a file."""
    buffer = io.BytesIO()
    soundfile.write(buffer, samples, rate, **options)
    return buffer.getvalue()


def silence(seconds: float) -> bytes:
    """Much silence in a small FLAC file, whose header is honest."""
    return sound(np.zeros(int(seconds * 1000), np.int16), 1000, format="FLAC")


def claiming(flac: bytes, samples: int) -> bytes:
    """The same FLAC file, whose header counts so many samples; 0 says that their number is unknown."""
    (packed,) = struct.unpack(">Q", flac[18:26])  # after "fLaC", the block's header and its sizes of frames
    return flac[:18] + struct.pack(">Q", packed >> 36 << 36 | samples) + flac[26:]


def wav_header(seconds: int) -> bytes:
    """A WAV header that promises so much, and a little silence."""
    size = 2 * 16000 * seconds
    head = (
        b"RIFF"
        + struct.pack("<I", 36 + size)
        + b"WAVEfmt "
        + struct.pack("<IHHIIHH", 16, 1, 1, 16000, 32000, 2, 16)
    )
    return head + b"data" + struct.pack("<I", size) + bytes(32000)


def form(content: bytes, name: str = "a.wav", **fields: str) -> dict[str, Any]:
    """Arguments of a client's `post`."""
    return {"files": {"file": (name, content)}, "data": fields}
