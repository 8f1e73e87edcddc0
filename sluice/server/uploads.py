"""Bodies of requests, read within limits."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO

from sluice.server.audio_upload import shown_name
from sluice.server.errors import ApiError
from sluice.server.settings import MEGABYTE

if TYPE_CHECKING:
    from fastapi import Request
    from starlette.types import Message

BODY_SECONDS = 120.0
"""Longest time that a body may take to arrive."""
FIELDS = 32
FIELD_BYTES = 1 << 16
"""Most fields beside the file, and most bytes of each."""
CHARSETS = ("utf-8", "utf8", "us-ascii", "ascii", "iso-8859-1", "latin-1")
"""What a form's texts may be in: of Python's other codecs some fail in their own ways, or take long over little."""
OVERHEAD_BYTES = 1 << 16
"""Of a body that are not the file."""
JSON_BYTES = 1 << 20


@dataclass(frozen=True)
class Upload:
    """A form with one file; its bytes lie on disk if they are many, and are gone once `file` is closed."""

    file: BinaryIO
    name: str
    """For messages; never a path."""
    fields: list[tuple[str, str]]

    def field(self, name: str) -> str | None:
        """The last value that was sent under a name, if it is not empty."""
        return next((value for key, value in reversed(self.fields) if key == name and value), None)


async def receive_upload(request: "Request", most_bytes: int) -> Upload:
    """Read a multipart form with one file in the field `file`.

    Args:
        request: whose body was not read yet.
        most_bytes: of the file.

    Raises:
        ApiError: 413, the body is too large (it is read no further); 408, it takes too long; 415 or 400, it is no such
            form.
    """
    from starlette.datastructures import UploadFile

    _check_kind(request.headers.get("content-type", ""))
    bounded = _bounded(request, most_bytes, OVERHEAD_BYTES)
    async with _in_time():
        form = await bounded.form(max_files=1, max_fields=FIELDS, max_part_size=FIELD_BYTES)
    files = [(name, value) for name, value in form.multi_items() if isinstance(value, UploadFile)]
    fields = [(name, value) for name, value in form.multi_items() if isinstance(value, str)]
    if len(files) != 1 or files[0][0] != "file":
        for _, other in files:
            other.file.close()
        raise ApiError(400, "there is no file in the field 'file'", param="file", code="missing_file")
    ((_, sent),) = files
    return Upload(sent.file, shown_name(sent.filename), fields)


def _check_kind(content_type: str) -> None:
    """Raise if a body is no form, or none whose texts can be read."""
    from python_multipart.multipart import parse_options_header  # as the form itself is read

    kind, options = parse_options_header(content_type)
    if kind != b"multipart/form-data":
        raise ApiError(
            415, "send the sound as multipart/form-data, in the field 'file'", code="unsupported_media_type"
        )
    charset = options.get(b"charset", b"utf-8").decode("latin-1")
    if charset.lower() not in CHARSETS:
        raise ApiError(
            400, f"the form's charset {charset[:40]!r} is not read; send UTF-8", code="unsupported_charset"
        )


async def receive_json(request: "Request") -> Any:
    """Read a JSON body.

    Raises:
        ApiError: 413, it is too large; 408, it takes too long; 400, it is not JSON.
    """
    async with _in_time():
        body = await _bounded(request, JSON_BYTES).body()
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise ApiError(400, f"the body is not JSON: {error}", code="invalid_json") from error


def _bounded(request: "Request", content_bytes: int, overhead_bytes: int = 0) -> "Request":
    """The same request, whose body ends in an error where it becomes too large."""
    from fastapi import Request

    most_bytes = content_bytes + overhead_bytes
    message = f"the request is larger than the {content_bytes / MEGABYTE:.3g} MB that are taken"
    too_large = ApiError(413, message, code="too_large")
    declared = request.headers.get("content-length", "0")
    if not declared.isdecimal() or int(declared) > most_bytes:
        raise too_large
    received = 0

    async def receive() -> "Message":
        nonlocal received
        message = await request.receive()
        received += len(message.get("body", b""))
        if received > most_bytes:
            raise too_large
        return message

    return Request(request.scope, receive)


@asynccontextmanager
async def _in_time() -> AsyncIterator[None]:
    """Makes a 408 of a body that takes too long."""
    try:
        async with asyncio.timeout(BODY_SECONDS):
            yield
    except TimeoutError:
        raise ApiError(408, f"the body took longer than {BODY_SECONDS:g} s to arrive") from None
