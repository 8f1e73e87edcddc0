"""Requests to `/v1/audio/transcriptions` and their responses, as OpenAI's clients send and expect them."""

import math
import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from asr.formats import Cue, cues, format_transcript
from asr.transcript import Transcript, Word
from sluice.server.errors import ApiError
from sluice.server.models import OPENAI_MODEL, Models
from sluice.server.uploads import Upload

MEDIA_TYPES = {
    "json": "application/json",
    "verbose_json": "application/json",
    "text": "text/plain; charset=utf-8",
    "srt": "application/x-subrip; charset=utf-8",
    "vtt": "text/vtt; charset=utf-8",
}
GRANULARITIES = ("word", "segment")
FORM_FIELDS = {
    "model",
    "response_format",
    "timestamp_granularities[]",
    "timestamp_granularities",
    "language",
    "prompt",
    "temperature",
    "stream",
}
"""Fields that may be sent beside the file; `language`, `prompt` and `temperature` are accepted, but do not change the
transcript of a recognizer of one language."""


@dataclass(frozen=True)
class TranscriptionOptions:
    """Options of a transcription request."""

    response_format: str
    granularities: tuple[str, ...]
    language: str


def parse_options(upload: Upload, models: Models) -> TranscriptionOptions:
    """Check the form fields of a request.

    Raises:
        ApiError: 400, a field or its value is not supported; names the field.
    """
    for name, _ in upload.fields:
        if name not in FORM_FIELDS:
            raise _unsupported(
                name, f"there is no field {name!r}; the fields are file, {', '.join(sorted(FORM_FIELDS))}"
            )
    names = [OPENAI_MODEL, *(run.name for run in models.runs if run.transcribes)]
    if (model := upload.field("model") or OPENAI_MODEL) not in names:
        message = f"there is no model {model!r}; there is {' and '.join(map(repr, names))}"
        raise ApiError(400, message, param="model", code="model_not_found")
    if (upload.field("stream") or "false").lower() not in ("false", "0"):
        raise _unsupported("stream", "transcripts are not streamed; leave out 'stream' or send false")
    response_format = upload.field("response_format") or "json"
    if response_format not in MEDIA_TYPES:
        raise _unsupported(
            "response_format",
            f"there is no format {response_format!r}; the formats are {', '.join(MEDIA_TYPES)}",
        )
    _check_temperature(upload.field("temperature") or "0")
    language = upload.field("language") or "und"
    if not re.fullmatch(r"[A-Za-z]{2,20}(-[A-Za-z0-9]{2,8})*", language):
        raise _unsupported("language", f"{language!r} is not a language code such as 'en'")
    return TranscriptionOptions(response_format, _granularities(upload, response_format), language)


def _granularities(upload: Upload, response_format: str) -> tuple[str, ...]:
    values = [value for name, value in upload.fields if name.startswith("timestamp_granularities") and value]
    for value in values:
        if value not in GRANULARITIES:
            raise _unsupported("timestamp_granularities", f"{value!r} is neither 'word' nor 'segment'")
    if values and response_format != "verbose_json":
        raise _unsupported("timestamp_granularities", "it needs the response_format 'verbose_json'")
    return tuple(values) or GRANULARITIES


def _check_temperature(value: str) -> None:
    try:
        is_valid = 0 <= float(value) <= 1
    except ValueError:
        is_valid = False
    if not is_valid:
        raise _unsupported("temperature", f"the temperature must be a number between 0 and 1, not {value!r}")


def _unsupported(param: str, message: str) -> ApiError:
    return ApiError(400, message, param=param, code="unsupported_value")


def format_response(transcript: Transcript, options: TranscriptionOptions) -> str | dict[str, Any]:
    """Return a transcript in the format that was asked for: text, or an object for JSON."""
    if options.response_format == "verbose_json":
        return _verbose(transcript, options)
    if options.response_format == "json":
        return {"text": transcript.text, "usage": _usage(transcript)}
    return format_transcript(transcript, options.response_format)  # type: ignore[arg-type]


def _usage(transcript: Transcript) -> dict[str, Any]:
    return {"type": "duration", "seconds": math.ceil(transcript.duration_seconds)}


def _verbose(transcript: Transcript, options: TranscriptionOptions) -> dict[str, Any]:
    response: dict[str, Any] = {
        "task": "transcribe",
        "language": options.language,
        "duration": round(transcript.duration_seconds, 3),
        "text": transcript.text,
        "usage": _usage(transcript),
    }
    if "segment" in options.granularities:
        response["segments"] = _segments(transcript.words)
    if "word" in options.granularities:
        response["words"] = [
            {
                "word": word.text,
                "start": round(word.start, 3),
                "end": round(word.end, 3),
                "confidence": round(word.confidence, 4),
            }
            for word in transcript.words
        ]
    return response


def _segments(words: Sequence[Word]) -> list[dict[str, Any]]:
    """Return one segment for each cue that subtitles would have."""
    segments, position = [], 0
    for number, cue in enumerate(cues(words)):
        text = " ".join(cue.lines)
        count = len(text.split(" "))
        segments.append(_segment(number, cue, text, words[position : position + count]))
        position += count
    return segments


def _segment(number: int, cue: Cue, text: str, words: Sequence[Word]) -> dict[str, Any]:
    """Return a segment with all fields that clients expect; those that only Whisper knows have neutral values."""
    data = text.encode()
    log_probs = [math.log(max(word.confidence, 1e-9)) for word in words]
    return {
        "id": number,
        "seek": 0,
        "start": cue.start_ms / 1000,
        "end": cue.end_ms / 1000,
        "text": text,
        "tokens": [],
        "temperature": 0.0,
        "avg_logprob": round(sum(log_probs) / max(1, len(log_probs)), 4),
        "compression_ratio": round(len(data) / len(zlib.compress(data)), 3),
        "no_speech_prob": 0.0,
    }
