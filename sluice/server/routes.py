"""The endpoints."""

from typing import TYPE_CHECKING, Any

from sluice.server.errors import ApiError
from sluice.server.openai_transcriptions import FIELDS, MEDIA_TYPES, read_wanted, write_transcript
from sluice.server.service import Service
from sluice.server.tag_requests import TagRequest, check_alternatives
from sluice.server.uploads import Upload, receive_json, receive_upload

if TYPE_CHECKING:
    from fastapi import FastAPI, Request


def add_routes(app: "FastAPI", service: Service) -> None:
    """Everything but the page."""
    _add_hearing(app, service)
    _add_tagging(app, service)
    _add_state(app, service)


async def _receive(service: Service, request: "Request") -> Upload:
    with service.receiving():
        return await receive_upload(request, service.settings.max_upload_bytes)


def _add_hearing(app: "FastAPI", service: Service) -> None:
    from fastapi import Request, Response
    from fastapi.responses import JSONResponse

    transcription = _form({name: {"type": "string"} for name in sorted(FIELDS)})
    alternatives = _form({"alternatives": {"type": "integer", "minimum": 0}})

    @app.post("/v1/audio/transcriptions", openapi_extra=transcription)
    async def transcribe(request: Request) -> Response:
        """What is said in a recording, as OpenAI's clients ask for it."""
        service.parts.need_transcriber()
        upload = await _receive(service, request)
        with upload.file:
            wanted = read_wanted(upload, service.parts)
            transcript = await service.listen(request, upload, "transcribe")
        answer = write_transcript(transcript, wanted)
        if isinstance(answer, str):
            return Response(answer, media_type=MEDIA_TYPES[wanted.format])
        return JSONResponse(answer)

    @app.post("/v1/understand", openapi_extra=alternatives)
    async def understand(request: Request) -> Response:
        """What is said in a recording, its slots and its intent, with other readings if asked for."""
        service.parts.need_understander()
        upload = await _receive(service, request)
        with upload.file:
            count = check_alternatives(upload.field("alternatives") or "0")
            understood = await service.listen(request, upload, "understand", count)
        return JSONResponse(understood.to_dict())

    @app.post("/v1/posteriors", openapi_extra=_form({}))
    async def posteriors(request: Request) -> Response:
        """What the page draws of a recording: waveform, spectrogram and posteriors, packed."""
        service.parts.need_transcriber()
        upload = await _receive(service, request)
        return JSONResponse(await service.listen(request, upload, "posteriors"))


def _add_tagging(app: "FastAPI", service: Service) -> None:
    from fastapi import Request, Response

    body = {"content": {"application/json": {"schema": TagRequest.model_json_schema()}}, "required": True}

    @app.post("/v1/tag", openapi_extra={"requestBody": body})
    async def tag(request: Request) -> Response:
        """Slots and intent of a `text`, or of each of `texts` (then in a list `results`)."""
        service.parts.need_tagger()
        with service.receiving():
            wanted = TagRequest.read(await receive_json(request))
        answers = await service.tag(request, wanted.all_texts, wanted.alternatives)
        content = answers[0] if wanted.text is not None else '{"results":[' + ",".join(answers) + "]}"
        return Response(content, media_type="application/json")


def _add_state(app: "FastAPI", service: Service) -> None:
    from fastapi import Response
    from fastapi.responses import JSONResponse

    @app.get("/v1/models")
    async def models() -> Response:
        """The runs that are served."""
        listed = [
            {"id": model.name, "object": "model", "created": model.created, "owned_by": "sluice"}
            for model in service.parts.models
        ]
        return JSONResponse({"object": "list", "data": listed})

    @app.get("/v1/models/{name:path}")
    async def model(name: str) -> Response:
        """One of them."""
        for each in service.parts.models:
            if each.name == name:
                facts = {"object": "model", "created": each.created, "owned_by": "sluice"}
                return JSONResponse({"id": name, **facts})
        raise ApiError(404, f"there is no model {name!r}", param="model", code="model_not_found")

    @app.get("/health")
    async def health() -> Response:
        """Whether requests are taken, and what the page must know; open to all."""
        stopping = service.is_stopping()
        return JSONResponse(_state(service, stopping), status_code=503 if stopping else 200)

    @app.get("/metrics")
    async def metrics() -> Response:
        """Counters, for Prometheus."""
        text, media_type = service.metrics.text()
        return Response(text, media_type=media_type)


def _state(service: Service, stopping: bool) -> dict[str, Any]:
    return {
        "status": "stopping" if stopping else "ready",
        "hears": service.parts.transcriber is not None,
        "tags": service.parts.tagger is not None,
        "key_needed": service.settings.api_key is not None,
        "max_upload_bytes": service.settings.max_upload_bytes,
        "max_seconds": service.settings.max_seconds,
    }


def _form(fields: dict[str, Any]) -> dict[str, Any]:
    """How OpenAPI describes a form with a file and some fields."""
    schema = {
        "type": "object",
        "required": ["file"],
        "properties": {"file": {"type": "string", "format": "binary"}, **fields},
    }
    return {"requestBody": {"content": {"multipart/form-data": {"schema": schema}}, "required": True}}
