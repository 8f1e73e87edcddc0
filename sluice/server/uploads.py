"""Reading of request bodies, within limits of size and time."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO

from sluice.server.audio_upload import display_name
from sluice.server.errors import ApiError
from sluice.server.settings import MEGABYTE

if TYPE_CHECKING:
    from fastapi import Request
    from starlette.types import Message

MAX_BODY_SECONDS = 120.0
"""Longest time in which a body must arrive."""
MAX_FORM_FIELDS = 32
"""Most fields of a form beside the file."""
MAX_FIELD_BYTES = 1 << 16
"""Largest field of a form beside the file."""
MAX_FORM_OVERHEAD_BYTES = 1 << 16
"""Largest part of a form's body that is not the file."""
MAX_JSON_BYTES = 1 << 20
"""Largest JSON body."""
CHARSETS = ("utf-8", "utf8", "us-ascii", "ascii", "iso-8859-1", "latin-1")
"""Encodings of a form's texts; some of Python's other codecs fail in unusual ways or are slow on small inputs."""


@dataclass(frozen=True)
class Upload:
    """A form with one file; a large file lies on disk, and is deleted once `file` is closed."""

    file: BinaryIO
    name: str
    """Name of the file for messages; never a path."""
    fields: list[tuple[str, str]]

    def field(self, name: str) -> str | None:
        """Return the last value that was sent for a field, or None if it is missing or empty."""
        return next((value for key, value in reversed(self.fields) if key == name and value), None)


async def receive_upload(request: "Request", max_bytes: int) -> Upload:
    """Read a multipart form with one file, in the field `file`.

    Args:
        request: a request whose body has not been read.
        max_bytes: size of the largest file.

    Raises:
        ApiError: 413, the body is too large (the rest is not read); 408, it takes too long; 415 or 400, it is not
            such a form.
    """
    from starlette.datastructures import UploadFile

    _check_content_type(request.headers.get("content-type", ""))
    limited = _limit_body(request, max_bytes, MAX_FORM_OVERHEAD_BYTES)
    async with _body_timeout():
        form = await limited.form(max_files=1, max_fields=MAX_FORM_FIELDS, max_part_size=MAX_FIELD_BYTES)
    files = [(name, value) for name, value in form.multi_items() if isinstance(value, UploadFile)]
    fields = [(name, value) for name, value in form.multi_items() if isinstance(value, str)]
    if len(files) != 1 or files[0][0] != "file":
        for _, file in files:
            file.file.close()
        raise ApiError(400, "there is no file in the field 'file'", param="file", code="missing_file")
    ((_, upload),) = files
    return Upload(upload.file, display_name(upload.filename), fields)


def _check_content_type(content_type: str) -> None:
    """Raise an error if a body is not a form, or if its texts cannot be decoded."""
    from python_multipart.multipart import parse_options_header  # which Starlette parses the form with

    media_type, options = parse_options_header(content_type)
    if media_type != b"multipart/form-data":
        raise ApiError(
            415, "send the audio as multipart/form-data, in the field 'file'", code="unsupported_media_type"
        )
    charset = options.get(b"charset", b"utf-8").decode("latin-1")
    if charset.lower() not in CHARSETS:
        raise ApiError(
            400,
            f"the form's charset {charset[:40]!r} is not supported; send UTF-8",
            code="unsupported_charset",
        )


async def receive_json(request: "Request") -> Any:
    """Read a JSON body.

    Raises:
        ApiError: 413, it is too large; 408, it takes too long; 400, it is not JSON.
    """
    async with _body_timeout():
        body = await _limit_body(request, MAX_JSON_BYTES).body()
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise ApiError(400, f"the body is not JSON: {error}", code="invalid_json") from error


def _limit_body(request: "Request", content_bytes: int, overhead_bytes: int = 0) -> "Request":
    """Return the same request; reading its body raises an error as soon as it is too large."""
    from fastapi import Request

    max_bytes = content_bytes + overhead_bytes
    message = f"the request is larger than the {content_bytes / MEGABYTE:.3g} MB that are accepted"
    too_large = ApiError(413, message, code="too_large")
    declared = request.headers.get("content-length", "0")
    if not declared.isdecimal() or int(declared) > max_bytes:
        raise too_large
    received = 0

    async def receive() -> "Message":
        nonlocal received
        message = await request.receive()
        received += len(message.get("body", b""))
        if received > max_bytes:
            raise too_large
        return message

    return Request(request.scope, receive)


@asynccontextmanager
async def _body_timeout() -> AsyncIterator[None]:
    """Raise an error with status 408 if a body takes too long to arrive."""
    try:
        async with asyncio.timeout(MAX_BODY_SECONDS):
            yield
    except TimeoutError:
        raise ApiError(408, f"the body took longer than {MAX_BODY_SECONDS:g} s to arrive") from None
