"""The endpoints of the server, except for the web page."""

from typing import TYPE_CHECKING, Any, get_args

from sluice.server.errors import ApiError
from sluice.server.models import ServedRun
from sluice.server.openai_transcriptions import FORM_FIELDS, MEDIA_TYPES, format_response, parse_options
from sluice.server.service import Service
from sluice.server.tag_requests import TagRequest, parse_alternatives
from sluice.server.uploads import Upload, receive_json, receive_upload
from sluice.understanding import Mode

if TYPE_CHECKING:
    from fastapi import FastAPI, Request


def add_routes(app: "FastAPI", service: Service) -> None:
    """Add all endpoints to an application."""
    _add_audio_routes(app, service)
    _add_tag_route(app, service)
    _add_model_routes(app, service)
    _add_status_routes(app, service)


async def _receive(service: Service, request: "Request") -> Upload:
    with service.receiving():
        return await receive_upload(request, service.settings.max_upload_bytes)


def _add_audio_routes(app: "FastAPI", service: Service) -> None:
    from fastapi import Request, Response
    from fastapi.responses import JSONResponse

    transcription = _form_schema({name: {"type": "string"} for name in sorted(FORM_FIELDS)})
    understanding_fields = _form_schema(
        {
            "alternatives": {"type": "integer", "minimum": 0},
            "mode": {"type": "string", "enum": list(get_args(Mode))},
        }
    )

    @app.post("/v1/audio/transcriptions", openapi_extra=transcription)
    async def transcribe(request: Request) -> Response:
        """Transcribe a recording; compatible with OpenAI's API."""
        service.models.require_transcriber()
        upload = await _receive(service, request)
        with upload.file:
            options = parse_options(upload, service.models)
            transcript = await service.infer_audio(request, upload, "transcribe")
        content = format_response(transcript, options)
        if isinstance(content, str):
            return Response(content, media_type=MEDIA_TYPES[options.response_format])
        return JSONResponse(content)

    @app.post("/v1/understand", openapi_extra=understanding_fields)
    async def understand(request: Request) -> Response:
        """Transcribe a recording, and find its slots and intent: along the run's grammar or openly."""
        service.models.require_understander()
        upload = await _receive(service, request)
        with upload.file:
            count = parse_alternatives(upload.field("alternatives") or "0")
            mode = _parse_mode(upload.field("mode") or "auto", service.models.has_grammar)
            understanding = await service.infer_audio(request, upload, "understand", count, mode)
        return JSONResponse(understanding.to_dict())

    @app.post("/v1/posteriors", openapi_extra=_form_schema({}))
    async def posteriors(request: Request) -> Response:
        """Return waveform, spectrogram and posteriors of a recording, for the web page to draw."""
        service.models.require_transcriber()
        upload = await _receive(service, request)
        return JSONResponse(await service.infer_audio(request, upload, "posteriors"))


def _parse_mode(value: str, has_grammar: bool) -> str:
    """Check the form field `mode`.

    Raises:
        ApiError: 400, there is no such mode, or no grammar for it.
    """
    if value not in get_args(Mode):
        message = f"mode must be one of {', '.join(get_args(Mode))}, not {value[:40]!r}"
        raise ApiError(400, message, param="mode", code="invalid_value")
    if value == "grammar" and not has_grammar:
        message = "the run that is served has no grammar: send the mode auto or open, or none"
        raise ApiError(400, message, param="mode", code="no_grammar")
    return value


def _add_tag_route(app: "FastAPI", service: Service) -> None:
    from fastapi import Request, Response

    body = {"content": {"application/json": {"schema": TagRequest.model_json_schema()}}, "required": True}

    @app.post("/v1/tag", openapi_extra={"requestBody": body})
    async def tag(request: Request) -> Response:
        """Find slots and intent of a `text`, or of each of several `texts` (then in a list `results`)."""
        service.models.require_tagger()
        with service.receiving():
            wanted = TagRequest.read(await receive_json(request))
        taggings = await service.tag(request, wanted.all_texts, wanted.alternatives)
        content = taggings[0] if wanted.text is not None else '{"results":[' + ",".join(taggings) + "]}"
        return Response(content, media_type="application/json")


def _add_model_routes(app: "FastAPI", service: Service) -> None:
    from fastapi import Response
    from fastapi.responses import JSONResponse

    def describe(run: ServedRun) -> dict[str, Any]:
        return {"id": run.name, "object": "model", "created": run.created, "owned_by": "sluice"}

    @app.get("/v1/models")
    async def models() -> Response:
        """List the runs that are served."""
        return JSONResponse({"object": "list", "data": [describe(run) for run in service.models.runs]})

    @app.get("/v1/models/{name:path}")
    async def model(name: str) -> Response:
        """Describe one of the runs that are served."""
        for run in service.models.runs:
            if run.name == name:
                return JSONResponse(describe(run))
        raise ApiError(404, f"there is no model {name!r}", param="model", code="model_not_found")


def _add_status_routes(app: "FastAPI", service: Service) -> None:
    from fastapi import Response
    from fastapi.responses import JSONResponse

    @app.get("/health")
    async def health() -> Response:
        """Tell whether requests are accepted, and what the web page must know; needs no key."""
        is_stopping = service.is_stopping()
        return JSONResponse(_status(service, is_stopping), status_code=503 if is_stopping else 200)

    @app.get("/metrics")
    async def metrics() -> Response:
        """Return metrics for Prometheus."""
        text, media_type = service.metrics.exposition()
        return Response(text, media_type=media_type)


def _status(service: Service, is_stopping: bool) -> dict[str, Any]:
    return {
        "status": "stopping" if is_stopping else "ready",
        "hears": service.models.transcriber is not None,
        "tags": service.models.tagger is not None,
        "has_grammar": service.models.has_grammar,
        "key_needed": service.settings.api_key is not None,
        "max_upload_bytes": service.settings.max_upload_bytes,
        "max_seconds": service.settings.max_seconds,
    }


def _form_schema(fields: dict[str, Any]) -> dict[str, Any]:
    """Describe a form with a file and some further fields, for OpenAPI."""
    schema = {
        "type": "object",
        "required": ["file"],
        "properties": {"file": {"type": "string", "format": "binary"}, **fields},
    }
    return {"requestBody": {"content": {"multipart/form-data": {"schema": schema}}, "required": True}}
