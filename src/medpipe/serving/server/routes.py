"""What can be asked of each kind of model."""

import asyncio
import logging
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response
from pydantic import BaseModel

from medpipe.serving.server.bodies import MoleculesRequest, PathRequest, PropertiesRequest
from medpipe.serving.server.pool import Place, Pool
from medpipe.serving.server.refusal import Refusal
from medpipe.serving.server.requests import (
    JSON,
    MULTIPART,
    ZIP_TYPES,
    content_type,
    read_json,
    save_body,
    save_upload,
)
from medpipe.serving.server.worker import Answer, WorkerSpec

INVOCATION_TYPES = (JSON, "text/csv", "application/vnd.apache.parquet")
"""Content types of MLflow's scoring protocol."""

_logger = logging.getLogger(__name__)


def answer_refusal(refusal: Refusal) -> Response:
    """A refusal as an HTTP answer."""
    return Response(refusal.body(), refusal.status, refusal.headers(), "application/json")


def kind_routes(spec: WorkerSpec, pool: Pool) -> APIRouter:
    """``/invocations``, and the request of its own that a kind of model has."""
    router = APIRouter()
    _add_invocations(router, pool)
    {"nodules": _add_findings, "generator": _add_molecules, "properties": _add_properties}[spec.kind](
        router, spec, pool
    )
    return router


def _add_invocations(router: APIRouter, pool: Pool) -> None:
    @router.post("/invocations", openapi_extra=_takes({kind: {} for kind in INVOCATION_TYPES}))
    async def invocations(request: Request) -> Response:
        """MLflow's scoring protocol; columns as in the model's signature."""
        content_type(request, *INVOCATION_TYPES)
        async with pool.place() as place:
            await save_body(request, place.folder / "body")
            asked = {"file": "body", "content_type": request.headers["content-type"]}
            return _response(await place.work("invocations", request.is_disconnected, **asked))


def _add_findings(router: APIRouter, spec: WorkerSpec, pool: Pool) -> None:
    from medpipe.serving.server.archive_rules import check_archive  # readers of scans, which other kinds do without

    zipped = {"schema": {"type": "string", "format": "binary"}}
    form = {"schema": {"type": "object", "properties": {"file": zipped["schema"]}, "required": ["file"]}}
    takes = _takes({ZIP_TYPES[0]: zipped, MULTIPART: form, JSON: {"schema": PathRequest.model_json_schema()}})

    @router.post("/findings", openapi_extra=takes)
    async def findings(request: Request) -> Response:
        """Findings of the CT scans in a zip archive of DICOM files; centres in LPS millimetres."""
        kind = content_type(request, *ZIP_TYPES, MULTIPART, JSON)
        path = (await read_json(request, PathRequest)).path if kind == JSON else None
        async with pool.place() as place:
            if path is None:
                archive = await _save_archive(request, place, kind)
                await asyncio.to_thread(check_archive, archive, spec.params)
            return _response(await place.work("findings", request.is_disconnected, path=path))


async def _save_archive(request: Request, place: Place, kind: str) -> Path:
    archive = place.folder / "raw" / "scans.zip"
    archive.parent.mkdir()
    await (save_upload if kind == MULTIPART else save_body)(request, archive)
    return archive


def _add_molecules(router: APIRouter, spec: WorkerSpec, pool: Pool) -> None:
    @router.post("/molecules", openapi_extra=_takes_model(MoleculesRequest))
    async def molecules(request: Request) -> Response:
        """Molecules as the generator draws them, unfiltered, and which of them are valid."""
        asked = await read_json(request, MoleculesRequest)
        async with pool.place() as place:
            return _response(await place.work("molecules", request.is_disconnected, **asked.model_dump()))


def _add_properties(router: APIRouter, spec: WorkerSpec, pool: Pool) -> None:
    @router.post("/properties", openapi_extra=_takes_model(PropertiesRequest))
    async def properties(request: Request) -> Response:
        """Properties of molecules, their uncertainty, and whether the model knows such molecules."""
        content_type(request, JSON)
        async with pool.place() as place:
            await save_body(request, place.folder / "body")  # may be long: the worker reads it
            return _response(await place.work("properties", request.is_disconnected, file="body"))


def _response(answer: Answer) -> Response:
    if answer.failed_at is not None:
        _logger.error("A request failed: %s", answer.failed_at)
    return Response(answer.body, answer.status, media_type="application/json")


def _takes_model(model: type[BaseModel]) -> dict[str, Any]:
    return _takes({JSON: {"schema": model.model_json_schema()}})


def _takes(content: dict[str, Any]) -> dict[str, Any]:
    return {"requestBody": {"required": True, "content": content}}
