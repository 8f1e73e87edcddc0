"""`/v1/audio/transcriptions`: what OpenAI's clients send, and what they expect."""

import math
import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from asr.formats import Cue, cues, format_transcript
from asr.transcript import Transcript, Word
from sluice.server.errors import ApiError
from sluice.server.models import HEARD_AS, Parts
from sluice.server.uploads import Upload

MEDIA_TYPES = {
    "json": "application/json",
    "verbose_json": "application/json",
    "text": "text/plain; charset=utf-8",
    "srt": "application/x-subrip; charset=utf-8",
    "vtt": "text/vtt; charset=utf-8",
}
GRANULARITIES = ("word", "segment")
FIELDS = {
    "model",
    "response_format",
    "timestamp_granularities[]",
    "timestamp_granularities",
    "language",
    "prompt",
    "temperature",
    "stream",
}
"""What may be sent beside the file; `language`, `prompt` and `temperature` change nothing in a recognizer of one
language."""


@dataclass(frozen=True)
class Wanted:
    """How a transcript is to be given."""

    format: str
    granularities: tuple[str, ...]
    language: str


def read_wanted(upload: Upload, parts: Parts) -> Wanted:
    """The fields of a request.

    Raises:
        ApiError: 400, a field or its value is not supported; names it.
    """
    for name, _ in upload.fields:
        if name not in FIELDS:
            raise _unsupported(
                name, f"there is no field {name!r}; there are file, {', '.join(sorted(FIELDS))}"
            )
    models = [HEARD_AS, *(model.name for model in parts.models if model.hears)]
    if (model := upload.field("model") or HEARD_AS) not in models:
        message = f"there is no model {model!r}; there is {' and '.join(map(repr, models))}"
        raise ApiError(400, message, param="model", code="model_not_found")
    if (upload.field("stream") or "false").lower() not in ("false", "0"):
        raise _unsupported("stream", "a transcript is not streamed here; leave 'stream' out or send false")
    kind = upload.field("response_format") or "json"
    if kind not in MEDIA_TYPES:
        raise _unsupported(
            "response_format", f"there is no format {kind!r}; there are {', '.join(MEDIA_TYPES)}"
        )
    _check_temperature(upload.field("temperature") or "0")
    language = upload.field("language") or "und"
    if not re.fullmatch(r"[A-Za-z]{2,20}(-[A-Za-z0-9]{2,8})*", language):
        raise _unsupported("language", f"{language!r} is no language's code such as 'en'")
    return Wanted(kind, _granularities(upload, kind), language)


def _granularities(upload: Upload, kind: str) -> tuple[str, ...]:
    given = [value for name, value in upload.fields if name.startswith("timestamp_granularities") and value]
    for value in given:
        if value not in GRANULARITIES:
            raise _unsupported("timestamp_granularities", f"{value!r} is neither 'word' nor 'segment'")
    if given and kind != "verbose_json":
        raise _unsupported("timestamp_granularities", "they need the response_format 'verbose_json'")
    return tuple(given) or GRANULARITIES


def _check_temperature(given: str) -> None:
    try:
        right = 0 <= float(given) <= 1
    except ValueError:
        right = False
    if not right:
        raise _unsupported("temperature", f"the temperature must be a number between 0 and 1, not {given!r}")


def _unsupported(param: str, message: str) -> ApiError:
    return ApiError(400, message, param=param, code="unsupported_value")


def write_transcript(transcript: Transcript, wanted: Wanted) -> str | dict[str, Any]:
    """A transcript as it is wanted: text, or what becomes JSON."""
    if wanted.format == "verbose_json":
        return _verbose(transcript, wanted)
    if wanted.format == "json":
        return {"text": transcript.text, "usage": _usage(transcript)}
    return format_transcript(transcript, wanted.format)  # type: ignore[arg-type]


def _usage(transcript: Transcript) -> dict[str, Any]:
    return {"type": "duration", "seconds": math.ceil(transcript.duration_seconds)}


def _verbose(transcript: Transcript, wanted: Wanted) -> dict[str, Any]:
    answer: dict[str, Any] = {
        "task": "transcribe",
        "language": wanted.language,
        "duration": round(transcript.duration_seconds, 3),
        "text": transcript.text,
        "usage": _usage(transcript),
    }
    if "segment" in wanted.granularities:
        answer["segments"] = _segments(transcript.words)
    if "word" in wanted.granularities:
        answer["words"] = [
            {
                "word": word.text,
                "start": round(word.start, 3),
                "end": round(word.end, 3),
                "confidence": round(word.confidence, 4),
            }
            for word in transcript.words
        ]
    return answer


def _segments(words: Sequence[Word]) -> list[dict[str, Any]]:
    """The cues of subtitles, as segments."""
    segments, position = [], 0
    for number, cue in enumerate(cues(words)):
        text = " ".join(cue.lines)
        count = len(text.split(" "))
        segments.append(_segment(number, cue, text, words[position : position + count]))
        position += count
    return segments


def _segment(number: int, cue: Cue, text: str, words: Sequence[Word]) -> dict[str, Any]:
    """Clients expect all of these; what only Whisper has stands at its neutral value."""
    data = text.encode()
    logs = [math.log(max(word.confidence, 1e-9)) for word in words]
    return {
        "id": number,
        "seek": 0,
        "start": cue.start_ms / 1000,
        "end": cue.end_ms / 1000,
        "text": text,
        "tokens": [],
        "temperature": 0.0,
        "avg_logprob": round(sum(logs) / max(1, len(logs)), 4),
        "compression_ratio": round(len(data) / len(zlib.compress(data)), 3),
        "no_speech_prob": 0.0,
    }
